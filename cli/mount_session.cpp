#include "cli/mount_session.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <map>
#include <utility>
#include <variant>

#include "base/guarded.h"
#include "base/sha256.h"
#include "cli/group_report.h"
#include "cli/live_fields.h"
#include "cli/path_provenance.h"
#include "cli/path_watches.h"
#include "cli/relabel.h"
#include "cli/round_fields.h"
#include "cli/router_rules.h"
#include "fs/content_fetch.h"
#include "fs/core_lending.h"
#include "fs/end_watchdog.h"
#include "fs/local_filesystem.h"
#include "fs/mount_verbs.h"
#include "fs/node_index.h"
#include "fs/scratch.h"
#include "fs/upper.h"
#include "fs/view_groups.h"
#include "redirector/live_router.h"
#include "redirector/rule_router.h"
#include "store/diff.h"
#include "syncer/local_tree_store.h"
#include "syncer/round.h"
#include "syncer/version_parts.h"

namespace satchel::cli {
namespace {

/// The kernel remembers what it was told, so a mount needs few pages twice.
constexpr std::size_t kDecodedPagesBytes = 16U << 20U;
/// To open a repository that no one here has seen before may mean to read all its indexes.
constexpr int kOpenDeadlines = 4;
/// A thread that waits for the repository has no more to say when a mount ends; a round has.
constexpr std::chrono::seconds kEndDeadline{10};
constexpr std::chrono::minutes kRoundEndDeadline{10};
constexpr unsigned kWaitThreads = 4;
/// A process starts with 1,024 descriptors on most systems, and may have far more if it asks.
constexpr rlim_t kDescriptorsMax = 20'000;
constexpr std::size_t kOpenContentsMin = 64;
constexpr std::size_t kOpenContentsMax = 2'048;
/// Opened contents hold at most two each, and files in upper/ need most of the others.
constexpr std::size_t kDescriptorsPerContent = 8;

using fs::ControlFields;
using fs::ControlRequest;
using store::Entry;
using store::ImageBody;
using store::RefRecord;
using store::Root;
using store::RootId;
using store::UserBody;

/// Takes as many descriptors as it may; how many contents to keep open with them.
std::size_t raise_descriptor_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOpenContentsMin;
  const rlim_t wanted = std::min(limit.rlim_max, kDescriptorsMax);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return kOpenContentsMin;
  }
  const std::size_t descriptors = std::min(limit.rlim_cur, kDescriptorsMax);
  return std::clamp(descriptors / kDescriptorsPerContent, kOpenContentsMin, kOpenContentsMax);
}

/// The process is busy with one mount until it ends; members are in the order in which they need
/// each other.
class MountSession {
 public:
  explicit MountSession(const MountSessionOptions& options)
      : options_(options), deadline_(options.deadline * kOpenDeadlines) {}

  Result<void> open() {
    const fs::StoreSlot slot =
        options_.user ? fs::StoreSlot::workspace(*options_.user)
                      : fs::StoreSlot::image(options_.image->name, options_.image->number);
    SATCHEL_TRY(open_repository(slot));
    SATCHEL_ASSIGN(client_, fs::ClientStore::open(options_.store, slot, repository_->id()));
    SATCHEL_TRY(open_log());
    trees_.emplace(*repository_, &client_->metadata_cache(), nullptr, kDecodedPagesBytes,
                   [this](fs::DeadlinePool::Work work) { return wait_for(std::move(work)); });
    const fs::ContentPlaces places{.repository = *repository_,
                                   .shared_objects = client_->shared_objects(),
                                   .own_objects = client_->own_objects(),
                                   .metadata = client_->cache(),
                                   .small_contents = client_->small_contents(),
                                   .log = log_};
    contents_.emplace(places, fs::ContentFetchOptions{.open_contents_max = raise_descriptor_limit(),
                                                      .threads = options_.fetch_threads,
                                                      .deadline = options_.deadline});
    SATCHEL_TRY(open_view());
    SATCHEL_ASSIGN(policies::RuleSet rules, load_rules(fs::ViewReader(*view_), options_.rules));
    use_rules(std::move(rules));
    SATCHEL_TRY(view_->empty_scratch());  // what a crash left
    view_->set_explainer([this](const RelativePath& path, const fs::NodeStat& stat,
                                std::string_view key) { return explain_key(path, stat, key); });
    deadline_ = options_.deadline;
    return start(slot);
  }

  [[nodiscard]] const Log& log() const { return log_; }
  /// How long it may take to take all this down.
  [[nodiscard]] std::chrono::milliseconds end_deadline() const {
    return rounds_running_ > 0 ? kRoundEndDeadline : kEndDeadline;
  }

  Result<void> serve() {
    SATCHEL_TRY(mount_->serve());
    return view_->empty_scratch();
  }

 private:
  struct State {
    std::optional<syncer::RoundCounts> last;
    std::string trouble;  ///< why the last round did not work; empty if it did
    std::uint64_t conflicts = 0;
  };

  Result<void> wait_for(fs::DeadlinePool::Work work) {
    // A disk of our own answers or fails; to change threads would cost a third of a cold find(1).
    if (is_repository_local_) return work();
    return waits_.run(std::move(work), deadline_.load());
  }

  /// What `ask` gives if it gives it in time. It must own what it uses, but for members that stand
  /// above `waits_`.
  template <typename Value, typename Ask>
  Result<Value> ask_repository(Ask ask) {
    const auto answer = std::make_shared<std::optional<Value>>();
    SATCHEL_TRY(wait_for([answer, ask = std::move(ask)]() -> Result<void> {
      SATCHEL_ASSIGN(auto value, ask());
      answer->emplace(std::move(value));
      return {};
    }));
    return std::move(**answer);
  }

  Result<void> open_repository(const fs::StoreSlot& slot) {
    // Its id says whether the store is one for it, so the index comes before the store.
    SATCHEL_ASSIGN(const HostPath index,
                   fs::ClientStore::prepare_index_directory(options_.store, slot));
    const auto open_there = [this, index] {
      return store::Repository::open(options_.repository,
                                     {.index_directory = index,
                                      .temporary_directory = options_.temporary_directory,
                                      .device = options_.device},
                                     clock_, random_, log_);
    };
    SATCHEL_ASSIGN(auto repository, ask_repository<store::Repository>(open_there));
    repository_.emplace(std::move(repository));
    const auto ask_where = [this] { return fs::is_on_this_machine(options_.repository); };
    SATCHEL_ASSIGN(is_repository_local_, ask_repository<bool>(ask_where));
    return {};
  }

  Result<void> open_log() {
    if (options_.log_to_stderr) {
      log_ = Log::to_stderr(*options_.log_to_stderr);
      return {};
    }
    SATCHEL_ASSIGN(log_, Log::to_file(client_->log_file(), LogLevel::kInfo));
    return {};
  }

  Result<void> open_view() {
    if (options_.is_exported) {
      SATCHEL_ASSIGN(nodes_, fs::NodeIndex::open(client_->directory() / "nodes", log_));
    }
    const fs::ViewContext context{*trees_, *contents_, router_,     clock_,
                                  random_, log_,       nodes_.get()};
    if (options_.image) {
      SATCHEL_ASSIGN(const RefRecord record, read(options_.image->name, options_.image->number));
      SATCHEL_ASSIGN(view_,
                     fs::View::open(context, std::get<ImageBody>(record.body).composed, nullptr));
      return {};
    }
    const auto ask_head = [this] { return repository_->head(*options_.user); };
    SATCHEL_ASSIGN(const auto head, ask_repository<std::optional<store::VersionNumber>>(ask_head));
    if (!head) {
      return Error{.code = ENOENT,
                   .sat = Sat::kNotFound,
                   .message = "the repository has no workspace of this name",
                   .path = options_.user->text(),
                   .hint = "make it with: satchel workspace create"};
    }
    // A store that has been used before stands on the version that it knows.
    const auto newest = [&]() -> Result<fs::UpperBase> {
      SATCHEL_ASSIGN(const RefRecord record, read(*options_.user, *head));
      return base_of(record);
    };
    SATCHEL_ASSIGN(auto upper, fs::Upper::open(client_->directory(), newest, log_));
    if (auto made = fs::Scratch::make(options_.scratch_parent, scratch_name(), log_)) {
      scratch_.emplace(*std::move(made));
      SATCHEL_ASSIGN(UniqueFd folder, scratch_->open());
      upper->use_scratch(std::move(folder), random_);
    }
    const RootId base = upper->base().root;
    SATCHEL_ASSIGN(view_, fs::View::open(context, base, std::move(upper)));
    return count_conflicts();
  }

  /// One for each workspace of each store, whose owner no other process is at the same time.
  [[nodiscard]] std::string scratch_name() const {
    const std::string place = client_->directory().text;
    return "satchel-" + to_hex(sha256(as_bytes(place))).substr(0, 32);
  }

  Result<fs::UpperBase> base_of(const RefRecord& record) {
    const auto& body = std::get<UserBody>(record.body);
    syncer::LocalTreeStore local(*trees_, client_->metadata_cache());
    SATCHEL_ASSIGN(const Root tree, syncer::device_tree(local, body, options_.machine_id));
    SATCHEL_ASSIGN(const RootId root, local.put_root(tree));
    return fs::UpperBase{.root = root, .version = record.number, .image_root = body.image_root};
  }

  bool use_rules(policies::RuleSet rules) {
    auto shown = shown_rules(rules);
    const bool is_other = router_.replace(redirector::make_router(std::move(rules)));
    *shown_rules_.lock() = std::move(shown);
    log_.info("rules read: id={} changed={}", router_.rules_id().hex(), is_other);
    return is_other;
  }

  Result<void> start(const fs::StoreSlot& slot) {
    const fs::MountOptions how{.mount_point = options_.mount_point,
                               .name = slot.folder(),
                               .store = options_.store,
                               .control_socket = client_->control_socket(),
                               .runtime_directory = options_.runtime_directory,
                               .is_read_only = options_.image.has_value(),
                               .is_exported = options_.is_exported,
                               .transport = options_.transport,
                               .when_unmounted = [this] { note_unmounted(); }};
    SATCHEL_ASSIGN(mount_, fs::Mount::start(*view_, how, log_));
    SATCHEL_TRY(client_->note_mounted(mount_->status().device));
    fs::ControlledMount controlled{.mount = *mount_,
                                   .view = *view_,
                                   .contents = *contents_,
                                   .sync = {},
                                   .more_status = [this] { return more_status(); }};
    if (options_.user) {
      controlled.sync = [this](const ControlRequest& request) { return sync(request); };
    }
    auto verbs = fs::mount_verbs(controlled);
    verbs["explain"] = [this](const ControlRequest& request) { return explain(request); };
    verbs["group"] = [this](const ControlRequest& request) { return find_group(request); };
    verbs["watch_begin"] = [this](const ControlRequest&) { return watches_.begin(*view_); };
    verbs["watch_end"] = [this](const ControlRequest& request) {
      return watches_.end(*view_, router_.current(), options_.rules, request);
    };
    verbs["rules_show"] = [this](const ControlRequest&) { return show_rules(); };
    verbs["rules_reload"] = [this](const ControlRequest& request) { return reload_rules(request); };
    SATCHEL_ASSIGN(control_,
                   fs::ControlServer::start(client_->control_socket(), std::move(verbs), log_));
    return {};
  }

  void note_unmounted() {
    const auto noted = client_->note_unmounted();
    if (!noted) log_.debug("the end of the mount is not in the lock: {}", to_text(noted.error()));
  }

  Result<RefRecord> read(const store::RefName& name, store::VersionNumber number) {
    return ask_repository<RefRecord>(
        [this, name, number] { return repository_->read_ref(name, number); });
  }

  Result<ControlFields> sync(const ControlRequest& request) {
    syncer::RoundOptions how;
    how.user = options_.user->text();
    how.machine_id = options_.machine_id;
    how.device = options_.device;
    how.message = std::string(fs::find_field(request.fields, "message"));
    how.ignore_delete_brake = fs::find_field(request.fields, "allow_deletes") == "yes";
    const RouterRules rules(router_.current());  // of one mind for the whole round
    ++rounds_running_;
    const fs::LongWork work;
    const auto report = syncer::run_round({.repository = *repository_,
                                           .cache = &client_->metadata_cache(),
                                           .upper = *view_,
                                           .rules = rules,
                                           .clock = clock_,
                                           .log = log_},
                                          how);
    --rounds_running_;
    if (!report) {
      log_.warn("sync failed: user={} reason={}", how.user, to_text(report.error()));
      state_.lock()->trouble = to_text(report.error());
      return report.error();
    }
    {
      const auto state = state_.lock();
      state->last = report->counts;
      state->trouble.clear();
    }
    SATCHEL_TRY(count_conflicts());
    return to_fields(*report);
  }

  /// Losers that the version keeps. Read when it changes, so that `status` never waits for it.
  Result<void> count_conflicts() {
    std::uint64_t count = 0;
    SATCHEL_ASSIGN(const RefRecord record, read(*options_.user, view_->base_version()));
    const RootId conflicts = std::get<UserBody>(record.body).conflicts;
    if (!conflicts.is_none()) {
      SATCHEL_ASSIGN(const Root tree, trees_->get_root(conflicts));
      SATCHEL_TRY(store::walk_tree(*trees_, tree,
                                   [&](const RelativePath&, const Entry& entry) -> Result<void> {
                                     if (!entry.is_directory()) ++count;
                                     return {};
                                   }));
    }
    state_.lock()->conflicts = count;
    return {};
  }

  Result<ControlFields> more_status() {
    const auto state = state_.lock();
    ControlFields fields;
    if (state->last) fields = to_fields(*state->last);
    fields.emplace_back("repository", options_.repository.text);
    fields.emplace_back("workspace", options_.user ? options_.user->text() : "");
    fields.emplace_back("conflicts", std::to_string(state->conflicts));
    fields.emplace_back("trouble", state->trouble);
    return fields;
  }

  Result<ControlFields> explain(const ControlRequest& request) {
    SATCHEL_ASSIGN(const auto path, RelativePath::parse(fs::find_field(request.fields, "path")));
    const auto number = find_number(request.fields, "kind");
    const auto live = static_cast<store::Kind>(number);
    SATCHEL_ASSIGN(const Root base, trees_->get_root(view_->base_root()));
    SATCHEL_ASSIGN(const auto entry, store::find_path(*trees_, base, path));
    const store::Kind kind = number != 0 ? live : entry ? entry->kind : store::Kind::kFile;
    const policies::Decision decision = router_.decide(path, kind);
    ControlFields fields{
        {"action", std::string(policies::to_text(decision.action))},
        {"class", std::string(policies::to_text(decision.data_class))},
        {"area",
         decision.travels() ? std::string(store::to_text(redirector::area_of(decision))) : ""},
        {"group", group_of(path, decision)},
        {"rule", std::string(decision.rule)},
        {"origin", std::string(decision.origin)},
        {"state", state_of(request.fields, entry, decision)}};
    SATCHEL_ASSIGN(const auto provenance, provenance_of(path));
    if (entry && provenance) {
      fields.emplace_back("layer", provenance->layer);
      fields.emplace_back("version", provenance->version);
    }
    return fields;
  }

  /// The group of a path, what is in it and whether it is quiet; nothing if the path has none.
  Result<ControlFields> find_group(const ControlRequest& request) {
    SATCHEL_ASSIGN(const auto path, RelativePath::parse(fs::find_field(request.fields, "path")));
    const auto kind = static_cast<store::Kind>(find_number(request.fields, "kind"));
    fs::ViewGroups groups(*view_, router_.current());
    const auto group = groups.find_group(path, kind);
    if (!group) return ControlFields{};
    return describe_group(groups, *group);
  }

  /// user.satchel.KEY of a path.
  Result<std::string> explain_key(const RelativePath& path, const fs::NodeStat& stat,
                                  std::string_view key) {
    static constexpr std::array<std::string_view, 6> kKeys = {"class", "rule",    "group",
                                                              "layer", "version", "state"};
    if (std::ranges::find(kKeys, key) == kKeys.end()) return std::string();
    ControlRequest request{"explain", live_fields(stat)};
    request.fields.emplace_back("path", path.text());
    SATCHEL_ASSIGN(const ControlFields fields, explain(request));
    std::string text(fs::find_field(fields, key));
    if (key == "rule") text.insert(0, std::string(fs::find_field(fields, "origin")) + ": ");
    return text;
  }

  Result<ControlFields> show_rules() {
    const auto rules = shown_rules_.lock();
    ControlFields fields{{"id", router_.rules_id().hex()}};
    for (const ShownRule& rule : *rules) {
      fields.emplace_back("origin", rule.origin);
      fields.emplace_back("rule", rule.text);
      fields.emplace_back("app", rule.app);
    }
    return fields;
  }

  Result<ControlFields> reload_rules(const ControlRequest& request) {
    const fs::ViewReader reader(*view_);
    SATCHEL_ASSIGN(policies::RuleSet rules, load_rules(reader, options_.rules));
    if (fs::find_field(request.fields, "dry_run") != "yes") {
      const bool is_other = use_rules(std::move(rules));
      SATCHEL_TRY(view_->keep_what_left_scratch());
      return ControlFields{{"id", router_.rules_id().hex()}, {"changed", is_other ? "yes" : "no"}};
    }
    const auto next = redirector::make_router(std::move(rules));
    const redirector::Router& current = router_.current();
    ControlFields fields{{"id", next->rules_id().hex()},
                         {"changed", next->rules_id() != current.rules_id() ? "yes" : "no"}};
    SATCHEL_ASSIGN(const RelabelReport report, find_relabelled(reader, current, *next));
    fields.emplace_back("relabelled", std::to_string(report.count));
    for (const Relabelled& path : report.first) {
      fields.emplace_back("path", path.path.absolute());
      fields.emplace_back("before", path.before);
      fields.emplace_back("after", path.after);
    }
    return fields;
  }

  Result<std::optional<Provenance>> provenance_of(const RelativePath& path) {
    if (options_.image) {
      SATCHEL_ASSIGN(const RefRecord image, read(options_.image->name, options_.image->number));
      return find_provenance(*trees_, nullptr, std::get<ImageBody>(image.body), path);
    }
    SATCHEL_ASSIGN(const RefRecord record, read(*options_.user, view_->base_version()));
    const auto& body = std::get<UserBody>(record.body);
    SATCHEL_ASSIGN(const auto image_name, store::RefName::image(body.image_name));
    SATCHEL_ASSIGN(const RefRecord image, read(image_name, body.image_number));
    const PersonLayers person{options_.user->text(), record.number, body, options_.machine_id};
    return find_provenance(*trees_, &person, std::get<ImageBody>(image.body), path);
  }

  /// "firefox/profile@/home/ada/.mozilla/firefox/x": the set that travels as a whole.
  static std::string group_of(const RelativePath& path, const policies::Decision& decision) {
    if (decision.attributes.group.empty()) return {};
    return fmt::format("{}@{}", decision.attributes.group,
                       policies::group_root_of(path, decision).absolute());
  }

  static std::string state_of(const ControlFields& live, const std::optional<Entry>& base,
                              const policies::Decision& decision) {
    if (decision.action == policies::Action::kDiscard) return "gone at the end of the mount";
    if (!decision.travels()) return "stays on this device";
    const bool is_there = find_number(live, "kind") != 0;
    if (!is_there) return base ? "deleted here, not yet synced" : "absent";
    if (!base) return "new, not yet synced";
    const store::Attributes& attributes = base->attributes;
    const bool is_same =
        find_number(live, "kind") == static_cast<std::uint64_t>(base->kind) &&
        find_number(live, "mode") == attributes.mode &&
        find_number(live, "uid") == attributes.uid && find_number(live, "gid") == attributes.gid &&
        fs::find_field(live, "mtime") ==
            fmt::format("{}.{:09}", attributes.mtime.seconds, attributes.mtime.nanoseconds) &&
        (base->kind != store::Kind::kFile || find_number(live, "size") == base->content.size);
    return is_same ? "synced" : "changed, not yet synced";
  }

  const MountSessionOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  Log log_ = Log::to_stderr(LogLevel::kWarn);
  redirector::LiveRouter router_{redirector::make_last_resort_router()};
  Guarded<std::vector<ShownRule>> shown_rules_;  ///< of the router's rules
  Guarded<State> state_;
  std::atomic<int> rounds_running_ = 0;
  std::optional<store::Repository> repository_;
  bool is_repository_local_ = false;  ///< until it is open: not known to be
  std::unique_ptr<fs::ClientStore> client_;
  std::optional<store::RepositoryTreeStore> trees_;
  std::atomic<std::chrono::milliseconds> deadline_;
  fs::DeadlinePool waits_{kWaitThreads};  ///< what its work uses stands above
  std::optional<fs::ContentFetch> contents_;
  std::unique_ptr<fs::NodeIndex> nodes_;
  std::optional<fs::Scratch> scratch_;
  std::unique_ptr<fs::View> view_;
  PathWatches watches_;
  std::unique_ptr<fs::Mount> mount_;
  std::unique_ptr<fs::ControlServer> control_;
};

}  // namespace

Result<void> run_mount(const MountSessionOptions& options, const fs::StartReport& report) {
  std::optional<MountSession> session(std::in_place, options);
  Result<void> result = session->open();
  report(result);
  if (result) result = session->serve();
  const fs::EndWatchdog watchdog(session->end_deadline(), result ? 0 : exit_code_of(result.error()),
                                 session->log());
  session.reset();
  return result;
}

}  // namespace satchel::cli
