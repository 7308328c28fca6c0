// How long does a call of the view take, without the kernel's part of it?
//
//   view_calls DIR [COUNT [NAMES]]
//
// DIR gets an upper over an empty base, with COUNT files, NAMES to a directory. Prints a line for
// each kind of call: µs each.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

#include "fs/upper.h"
#include "fs/view.h"
#include "redirector/rule_router.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kWrittenBytes = 4096;

/// The base is empty, so nothing is ever asked for.
class NoContents final : public ContentSource {
 public:
  Result<std::size_t> read(const store::ContentId& /*id*/, std::uint64_t /*offset*/,
                           std::span<std::byte> /*out*/) override {
    return Error{.code = ENOENT};
  }
  Result<std::shared_ptr<const UniqueFd>> find_file(const store::ContentId& /*id*/) override {
    return std::shared_ptr<const UniqueFd>{};
  }
  Result<void> copy_to(const store::ContentId& /*id*/, int /*fd*/) override {
    return Error{.code = ENOENT};
  }
  Result<void> adopt(const store::ContentId& /*id*/, int /*directory_fd*/,
                     const char* /*name*/) override {
    return Error{.code = ENOENT};
  }
};

template <typename Value>
Value require(Result<Value> result, const char* what) {
  if (result) return *std::move(result);
  fmt::print(stderr, "{}: {}\n", what, to_text(result.error()));
  std::exit(1);
}

void require(const Result<void>& result, const char* what) {
  if (result) return;
  fmt::print(stderr, "{}: {}\n", what, to_text(result.error()));
  std::exit(1);
}

void report(const char* what, int count, const std::function<void(int)>& call) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) call(i);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  fmt::print("{:24} {:8.2f} us\n", what, took.count() / count);
}

store::RootId empty_base(store::TreeStore& trees) {
  return require(trees.put_root(store::Root{}), "empty base");
}

void run(View& view, int count, int names) {
  const Caller caller{.uid = 0, .gid = 0, .pid = 1, .umask = 022};
  const auto name = [](int i) { return Name::checked(std::to_string(i)); };
  std::vector<NodeId> directories;
  for (int i = 0; i < count; i += names) {
    directories.push_back(
        require(
            view.make_directory(kRootNode, Name::checked(fmt::format("work{}", i)), 0755, caller),
            "mkdir")
            .node);
  }
  const auto work = [&](int i) { return directories[static_cast<std::size_t>(i / names)]; };
  const std::vector<std::byte> bytes(kWrittenBytes, std::byte{'x'});
  std::vector<NodeId> nodes(static_cast<std::size_t>(count));
  std::vector<HandleId> handles(static_cast<std::size_t>(count));
  const auto at = [](auto& list, int i) -> auto& {
    return list[static_cast<std::size_t>(i)];
  };

  report("lookup of nothing", count, [&](int i) { (void)view.lookup(work(i), name(i)); });
  report("create", count, [&](int i) {
    const auto made =
        require(view.create(work(i), name(i), 0644, O_WRONLY | O_CREAT | O_EXCL, caller), "create");
    at(nodes, i) = made.node.node;
    at(handles, i) = made.open.handle;
  });
  report("getattr of a directory", count, [&](int i) { (void)view.get_attributes(work(i)); });
  report("getxattr", count,
         [&](int i) { (void)view.get_xattr(at(nodes, i), "security.capability"); });
  report("first write", count, [&](int i) {
    require(view.write(at(handles, i), 0, bytes, /*append=*/false, /*kill_suid=*/false), "write");
  });
  report("release", count, [&](int i) { view.release(at(handles, i)); });
  report("set times", count, [&](int i) {
    AttributeChange change;
    change.mtime = Timestamp{.seconds = 1'700'000'000};
    require(view.set_attributes(at(nodes, i), std::nullopt, change, caller), "set times");
  });
  report("set mode", count, [&](int i) {
    AttributeChange change;
    change.mode = 0600;
    require(view.set_attributes(at(nodes, i), std::nullopt, change, caller), "set mode");
  });
  report("lookup", count, [&](int i) { require(view.lookup(work(i), name(i)), "lookup"); });
  report("getattr", count, [&](int i) { (void)view.get_attributes(at(nodes, i)); });
  report("forget", count, [&](int i) { view.forget(at(nodes, i), 2); });
  report("lookup of forgotten", count,
         [&](int i) { at(nodes, i) = require(view.lookup(work(i), name(i)), "lookup").node; });
  report("list a directory, by name", count, [&](int i) {
    if (i % names != 0) return;
    const HandleId handle = require(view.open_directory(work(i)), "opendir");
    std::uint64_t end = 0;
    const View::DirectoryPlusVisitor all{
        .has_room = [](const View::DirectoryItem&) { return true; },
        .visit = [&](const View::DirectoryItem& item,
                     const NodeReply*) { end = item.next_offset; }};
    require(view.read_directory_plus(handle, 0, all), "readdirplus");
    require(view.read_directory_plus(handle, end, all), "readdirplus");
    view.release_directory(handle);
  });
  report("unlink", count, [&](int i) { require(view.unlink(work(i), name(i)), "unlink"); });
  report("rmdir, by name", count, [&](int i) {
    if (i % names != 0) return;
    require(view.remove_directory(kRootNode, Name::checked(fmt::format("work{}", i))), "rmdir");
  });
  report("forget of unlinked", count, [&](int i) { view.forget(at(nodes, i), 1); });
}

int main_of(const char* place, int count, int names) {
  std::filesystem::remove_all(place);
  std::filesystem::create_directories(place);
  store::MemoryTreeStore trees;
  const store::RootId base = empty_base(trees);
  NoContents contents;
  const auto router = redirector::make_last_resort_router();
  const SystemClock clock;
  SystemRandom random;
  const Log log = Log::to_stderr(LogLevel::kWarn);
  auto upper = require(
      Upper::open(HostPath{place}, {.root = base, .version = 1, .image_root = base}, log), "upper");
  const auto view = require(
      View::open({trees, contents, *router, clock, random, log}, base, std::move(upper)), "view");
  run(*view, count, names);
  return 0;
}

}  // namespace
}  // namespace satchel::fs

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: view_calls DIR [COUNT [NAMES]]\n", stderr);
    return 2;
  }
  const int count = argc > 2 ? std::atoi(argv[2]) : 5000;
  return satchel::fs::main_of(argv[1], count, argc > 3 ? std::atoi(argv[3]) : count);
}
