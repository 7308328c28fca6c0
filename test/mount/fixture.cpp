#include "test/mount/fixture.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/random.h"
#include "fs/client_store.h"
#include "fs/content_fetch.h"
#include "fs/daemon.h"
#include "fs/mount_table.h"
#include "fs/mount_verbs.h"
#include "fs/node_index.h"
#include "fs/upper.h"
#include "redirector/rule_router.h"
#include "store/import/importer.h"
#include "store/upload.h"

namespace satchel::test {
namespace {

constexpr std::chrono::seconds kCallSilence{60};

/// Everything of a mount's process, in the order in which it is made.
struct Served {
  explicit Served(Log to) : log(std::move(to)) {}
  SystemClock clock;
  SystemRandom random;
  Log log;
  std::optional<store::Repository> repository;
  std::unique_ptr<fs::ClientStore> client_store;
  std::unique_ptr<store::RepositoryTreeStore> trees;
  std::unique_ptr<fs::ContentFetch> contents;
  std::unique_ptr<redirector::Router> router;
  std::unique_ptr<fs::NodeIndex> nodes;
  std::unique_ptr<fs::View> view;
  std::unique_ptr<fs::Mount> mount;
  std::unique_ptr<fs::ControlServer> control;
};

/// Runs `body` in a child, whose text is the result: RocksDB's threads would not survive a later
/// fork of ours.
std::string in_child(const std::function<Result<std::string>()>& body) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto result = body();
    const std::string text = result ? *result : "ERROR " + to_text(result.error());
    (void)!::write(writer.get(), text.data(), text.size());
    ::_exit(0);
  }
  writer.reset();
  std::array<char, 4096> buffer{};
  const ssize_t size = ::read(reader.get(), buffer.data(), buffer.size());
  int status = 0;
  (void)::waitpid(child, &status, 0);
  REQUIRE(status == 0);
  REQUIRE(size > 0);
  const std::string text(buffer.data(), static_cast<std::size_t>(size));
  REQUIRE_MESSAGE(!text.starts_with("ERROR"), text);
  return text;
}

Result<std::string> import_into(const HostPath& repository_path, const HostPath& directory) {
  const SystemClock clock;
  SystemRandom random;
  const Log log = Log::to_stderr(LogLevel::kWarn);
  auto repository = ::access(repository_path.c_str(), F_OK) == 0
                        ? store::Repository::open(repository_path, {}, clock, random, log)
                        : store::Repository::create(repository_path, {}, clock, random, log);
  SATCHEL_TRY(repository);
  store::Upload upload(*repository);
  store::RepositoryTreeStore trees(*repository, nullptr, &upload);
  SATCHEL_ASSIGN(const auto imported, store::import_directory(directory, upload, trees, {}));
  SATCHEL_ASSIGN(const auto root, trees.put_root(imported.root));
  SATCHEL_TRY(upload.finish());
  return root.hex();
}

Result<void> switch_base_of(fs::View& view, const store::RootId& root) {
  SATCHEL_ASSIGN(const auto sealed, view.seal());
  store::BaseSwitch change;
  change.generation = sealed.generation;
  change.snapshot = sealed.base_root;
  change.base_root = root;
  change.base_version = sealed.base_version + 1;
  change.image_root = root;
  change.travels = [](const RelativePath&, store::Kind) { return true; };
  return view.switch_base(change);
}

Result<void> open_all(Served& served, const HostPath& folder, const std::string& root_hex,
                      const MountFixture::Options& options) {
  SATCHEL_ASSIGN(const auto root, store::RootId::from_hex(root_hex));
  SATCHEL_ASSIGN(const auto user, store::RefName::user("ada"));
  SATCHEL_ASSIGN(const auto image, store::RefName::image("lab"));
  const auto slot =
      options.is_image ? fs::StoreSlot::image(image, 1) : fs::StoreSlot::workspace(user);
  const HostPath store = folder / "store";
  SATCHEL_ASSIGN(const auto index, fs::ClientStore::prepare_index_directory(store, slot));
  SATCHEL_ASSIGN(auto repository, store::Repository::open(
                                      folder / "repo", {.index_directory = index, .device = "test"},
                                      served.clock, served.random, served.log));
  served.repository.emplace(std::move(repository));
  SATCHEL_ASSIGN(served.client_store, fs::ClientStore::open(store, slot, served.repository->id()));
  fs::ClientStore& opened = *served.client_store;
  served.trees = std::make_unique<store::RepositoryTreeStore>(*served.repository,
                                                              &opened.metadata_cache(), nullptr);
  served.contents = std::make_unique<fs::ContentFetch>(
      fs::ContentPlaces{.repository = *served.repository,
                        .shared_objects = opened.shared_objects(),
                        .own_objects = opened.own_objects(),
                        .metadata = opened.cache(),
                        .small_contents = opened.small_contents(),
                        .log = served.log},
      fs::ContentFetchOptions{});
  served.router = redirector::make_last_resort_router();
  std::unique_ptr<fs::Upper> upper;
  if (!options.is_image) {
    SATCHEL_ASSIGN(upper, fs::Upper::open(opened.directory(), {root, 1, root}, served.log));
  }
  if (options.is_exported) {
    SATCHEL_ASSIGN(served.nodes, fs::NodeIndex::open(opened.directory() / "nodes", served.log));
  }
  SATCHEL_ASSIGN(served.view, fs::View::open({.trees = *served.trees,
                                              .contents = *served.contents,
                                              .router = *served.router,
                                              .clock = served.clock,
                                              .random = served.random,
                                              .log = served.log,
                                              .nodes = served.nodes.get()},
                                             root, std::move(upper)));
  fs::MountOptions mount_options;
  mount_options.mount_point = folder / "mnt";
  mount_options.name = slot.folder();
  mount_options.store = store;
  mount_options.control_socket = opened.control_socket();
  mount_options.runtime_directory = folder / "run";
  mount_options.is_read_only = options.is_image;
  mount_options.is_exported = options.is_exported;
  mount_options.transport = options.transport;
  SATCHEL_ASSIGN(served.mount, fs::Mount::start(*served.view, mount_options, served.log));
  return {};
}

Result<void> serve(const HostPath& folder, const std::string& root,
                   const MountFixture::Options& options, const fs::StartReport& report) {
  SATCHEL_ASSIGN(auto log, Log::to_file(folder / "satchel.log", LogLevel::kInfo));
  Served served(std::move(log));
  SATCHEL_TRY(open_all(served, folder, root, options));
  fs::ControlledMount controlled{.mount = *served.mount,
                                 .view = *served.view,
                                 .contents = *served.contents,
                                 .sync = {},
                                 .more_status = {}};
  if (!options.is_image) {
    controlled.sync = [&](const fs::ControlRequest& request) -> Result<fs::ControlFields> {
      SATCHEL_ASSIGN(const auto base,
                     store::RootId::from_hex(fs::find_field(request.fields, "root")));
      SATCHEL_TRY(switch_base_of(*served.view, base));
      return fs::ControlFields{};
    };
  }
  auto verbs = fs::mount_verbs(controlled);
  SATCHEL_ASSIGN(served.control, fs::ControlServer::start(served.client_store->control_socket(),
                                                          std::move(verbs), served.log));
  report({});
  const auto result = served.mount->serve();
  served.control.reset();
  return result;
}

}  // namespace

MountFixture::MountFixture(const std::function<void(Place& base)>& make_base) {
  for (const char* const name : {"base", "plain", "mnt", "run"}) {
    REQUIRE(::mkdir(folder(name).c_str(), 0755) == 0);
  }
  REQUIRE(::chmod(temp_.path().c_str(), 0755) == 0);  // for cases that work as another user
  Place base(folder("base").text);
  make_base(base);
  const std::string copy = "cp -a " + folder("base").text + "/. " + folder("plain").text;
  REQUIRE(std::system(copy.c_str()) == 0);  // NOLINT(concurrency-mt-unsafe): one thread
  root_ = import(folder("base"));
}

MountFixture::~MountFixture() {
  if (daemon_ != 0) unmount();
  if (daemon_ != 0) (void)::umount2(mnt("").c_str(), MNT_DETACH);  // the case has failed already
}

Result<pid_t> MountFixture::try_mount(const Options& options) {
  return fs::start_daemon(
      [&](const fs::StartReport& report) { return serve(temp_.path(), root_, options, report); });
}

void MountFixture::mount(const Options& options) {
  const auto daemon = try_mount(options);
  REQUIRE_MESSAGE(daemon, to_text(daemon.error()));
  daemon_ = *daemon;
}

void MountFixture::unmount() {
  const auto result =
      fs::unmount(folder("mnt"), folder("run"), fs::UnmountMode::kClean, std::chrono::seconds(60));
  CHECK_MESSAGE(result, to_text(result.error()));
  int status = 0;
  if (result && ::waitpid(daemon_, &status, 0) == daemon_) {
    CHECK(status == 0);
    daemon_ = 0;
  }
}

void MountFixture::kill() {
  REQUIRE(::kill(daemon_, SIGKILL) == 0);
  REQUIRE(::waitpid(daemon_, nullptr, 0) == daemon_);
}

std::string MountFixture::import(const HostPath& directory) {
  return in_child([&] { return import_into(folder("repo"), directory); });
}

Result<fs::ControlFields> MountFixture::call(const std::string& verb) {
  SATCHEL_ASSIGN(const auto mounted, fs::find_satchel_mount(folder("mnt")));
  SATCHEL_ASSIGN(const auto socket, fs::find_control_socket(folder("run"), mounted.device));
  SATCHEL_ASSIGN(auto client, fs::ControlClient::connect(socket));
  return client.call({.verb = verb, .fields = {}}, kCallSilence);
}

void MountFixture::switch_base(const std::string& root) {
  const auto mounted = fs::find_satchel_mount(folder("mnt"));
  REQUIRE(mounted);
  const auto socket = fs::find_control_socket(folder("run"), mounted->device);
  REQUIRE(socket);
  auto client = fs::ControlClient::connect(*socket);
  REQUIRE(client);
  const auto answer = client->call({.verb = "sync", .fields = {{"root", root}}}, kCallSilence);
  REQUIRE_MESSAGE(answer, to_text(answer.error()));
}

long MountFixture::status_number(std::string_view key) {
  const auto status = call("status");
  REQUIRE_MESSAGE(status, to_text(status.error()));
  const auto text = std::string(fs::find_field(*status, key));
  return text.empty() ? -1 : std::strtol(text.c_str(), nullptr, 10);
}

std::ptrdiff_t MountFixture::files_in_upper() const {
  const std::filesystem::recursive_directory_iterator entries(folder("store").text);
  return std::ranges::count_if(entries, [](const auto& entry) {
    return entry.is_regular_file() && entry.path().string().find("/upper/") != std::string::npos;
  });
}

void MountFixture::on_both(const std::function<void(Place&)>& script) {
  Place plain(folder("plain").text);
  Place view(folder("mnt").text);
  script(plain);
  script(view);
  CHECK(view.record().size() == plain.record().size());
  for (std::size_t i = 0; i < std::min(view.record().size(), plain.record().size()); ++i) {
    CHECK(view.record()[i] == plain.record()[i]);
  }
}

void MountFixture::compare_trees() {
  on_both([](Place& place) { place.describe(); });
}

}  // namespace satchel::test
