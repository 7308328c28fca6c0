#include "syncer/round.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "base/fault_point.h"
#include "store/upload.h"
#include "syncer/conflicts_tree.h"
#include "syncer/local_tree_store.h"
#include "syncer/snapshot.h"
#include "syncer/version_parts.h"

namespace satchel::syncer {
namespace {

using store::PackId;
using store::RefRecord;
using store::Root;
using store::RootId;
using store::UserBody;
using store::VersionNumber;

const UserBody& body_of(const RefRecord& record) {
  return std::get<UserBody>(record.body);
}

/// New entries of one try, and trees over them.
class Workbench {
 public:
  Workbench(store::Repository& repository, store::MetadataCache* cache)
      : upload_(repository), trees_(repository, cache, &upload_) {
    if (cache != nullptr) local_trees_.emplace(trees_, *cache);
  }
  [[nodiscard]] store::Upload& upload() { return upload_; }
  /// Trees that may become part of a version.
  [[nodiscard]] store::TreeStore& trees() { return trees_; }
  /// Trees that stay on this device, where it has a place for them.
  [[nodiscard]] store::TreeStore& local_trees() {
    return local_trees_ ? static_cast<store::TreeStore&>(*local_trees_) : trees_;
  }
  [[nodiscard]] std::uint64_t pages_encoded() const {
    return trees_.pages_encoded() + (local_trees_ ? local_trees_->pages_encoded() : 0);
  }

 private:
  store::Upload upload_;
  store::RepositoryTreeStore trees_;
  std::optional<LocalTreeStore> local_trees_;
};

/// What a try has decided.
struct Decision {
  RoundResult result = RoundResult::kNone;
  Root tree;               ///< what the device shows afterwards
  bool is_commit = false;  ///< it is to become a version
  std::optional<Root> losers;
};

/// One round, over as many tries as races are lost.
class Round {
 public:
  Round(const RoundContext& context, const RoundOptions& options, store::RefName user)
      : context_(context), options_(options), user_(std::move(user)) {}

  Result<RoundReport> run() {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t read_before = context_.repository.bytes_read();
    SATCHEL_ASSIGN(sealed_, context_.upper.seal());
    SATCHEL_TRY(fault_point("round.sealed"));
    SATCHEL_ASSIGN(base_record_, read_version(sealed_.base_version));
    SATCHEL_TRY(start_try());
    SATCHEL_ASSIGN(base_tree_, bench_->trees().get_root(sealed_.base_root));
    const SnapshotContext work{context_.upper, context_.rules, bench_->trees(), bench_->upload()};
    SATCHEL_ASSIGN(snapshot_, take_snapshot(work, sealed_));
    SATCHEL_TRY(fault_point("round.snapshot"));

    SATCHEL_TRY(run_tries());

    count_try();
    report_.busy = snapshot_.busy;
    report_.counts.files_opened = snapshot_.counts.files_opened;
    report_.counts.files_hashed = snapshot_.counts.files_hashed;
    report_.counts.bytes_received += context_.repository.bytes_read() - read_before;
    report_.counts.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(report_);
  }

 private:
  Result<RefRecord> read_version(VersionNumber number) {
    ++report_.counts.round_trips;
    auto record = context_.repository.read_ref(user_, number);
    if (!record && record.error().code == ENOENT) return gone_back(number);
    if (!record) return std::move(record).error();
    report_.counts.bytes_received += store::encode_record(*record).size();
    return *std::move(record);
  }

  [[nodiscard]] Error gone_back(VersionNumber number) const {
    return {
        .code = EUCLEAN,
        .sat = Sat::kWrongRepository,
        .message = fmt::format("the repository has no {}@{}, on which this device's work stands",
                               options_.user, number),
        .path = context_.repository.path().text,
        .hint = "it was emptied or put back to an older state; nothing was changed here"};
  }

  Result<void> start_try() {
    count_try();
    bench_ = std::make_unique<Workbench>(context_.repository, context_.cache);
    return {};
  }

  /// Adds what the try has cost to the report, and ends it.
  void count_try() {
    if (bench_ == nullptr) return;
    report_.counts.pages_encoded += bench_->pages_encoded();
    const store::UploadCounts counts = bench_->upload().counts();
    report_.counts.chunks_new += counts.chunks_new;
    bench_.reset();
  }

  Result<void> run_tries() {
    for (unsigned lost = 0;; ++lost) {
      SATCHEL_TRY(look_at_server());
      SATCHEL_ASSIGN(Decision decision, decide());
      if (!decision.is_commit) return accept(decision);
      auto committed = commit(decision);
      if (committed) {
        SATCHEL_TRY(fault_point("round.committed"));
        head_record_ = *std::move(committed);
        return accept(decision);
      }
      if (committed.error().sat != Sat::kLostRace || lost >= options_.lost_races_max) {
        return std::move(committed).error();
      }
      context_.log.info("round lost a race: user={} head={}", options_.user, head_record_.number);
      SATCHEL_TRY(start_try());
    }
  }

  Result<void> look_at_server() {
    ++report_.counts.round_trips;
    SATCHEL_ASSIGN(const auto head, context_.repository.head(user_));
    if (!head || *head < sealed_.base_version) return gone_back(sealed_.base_version);
    // A tree that only this device has composed, its own machine's layer on top, is kept here
    // alone. A commit may take pages of it over, so that then they go to the repository.
    const bool may_commit = has_local_change() || snapshot_.has_origins;
    store::TreeStore& trees = may_commit ? bench_->trees() : bench_->local_trees();
    if (may_commit) SATCHEL_TRY(device_tree(trees, body_of(base_record_), options_.machine_id));
    if (*head == sealed_.base_version) {
      head_record_ = base_record_;
      server_tree_ = base_tree_;
      return {};
    }
    SATCHEL_ASSIGN(head_record_, read_version(*head));
    SATCHEL_ASSIGN(server_tree_, device_tree(trees, body_of(head_record_), options_.machine_id));
    return {};
  }

  [[nodiscard]] bool has_local_change() const { return snapshot_.tree != base_tree_; }

  [[nodiscard]] bool is_server_newer() const { return head_record_.number != sealed_.base_version; }

  Result<Decision> decide() {
    report_.conflicts.clear();
    Decision decision;
    if (!has_local_change() && !is_server_newer()) {
      decision.tree = base_tree_;
      return decision;
    }
    if (!has_local_change() && !snapshot_.has_origins) {
      decision.result = RoundResult::kPulled;
      decision.tree = server_tree_;
    } else if (!is_server_newer() && !snapshot_.has_origins) {
      decision.result = RoundResult::kPushed;
      decision.tree = snapshot_.tree;
      decision.is_commit = true;
    } else {
      SATCHEL_ASSIGN(decision, decide_by_mediation());
    }
    SATCHEL_TRY(brake(decision));
    return decision;
  }

  Result<Decision> decide_by_mediation() {
    // An origin is older than the base version: what the change was made to counts.
    SATCHEL_ASSIGN(Mediation mediation, mediate(bench_->trees(), snapshot_.third_leg,
                                                snapshot_.tree, server_tree_, LiveSide::kServer));
    Decision decision;
    decision.tree = mediation.merged;
    const bool has_losers = mediation.losers.directory.page != store::empty_directory_page();
    const bool is_servers = mediation.merged == server_tree_;
    decision.is_commit = !is_servers || has_losers;
    if (has_losers) decision.losers = mediation.losers;
    if (decision.is_commit) {
      decision.result = is_server_newer() ? RoundResult::kMerged : RoundResult::kPushed;
    } else {
      decision.result = is_server_newer() ? RoundResult::kPulled : RoundResult::kNone;
    }
    report_.conflicts = std::move(mediation.conflicts);
    return decision;
  }

  Result<void> brake(const Decision& decision) {
    if (options_.ignore_delete_brake) return {};
    SATCHEL_TRY(check_delete_brake(bench_->trees(), server_tree_, decision.tree,
                                   options_.delete_brake, "the repository"));
    if (decision.tree == snapshot_.tree) return {};
    return check_delete_brake(bench_->trees(), snapshot_.tree, decision.tree, options_.delete_brake,
                              "this device");
  }

  Result<RefRecord> commit(const Decision& decision) {
    RefRecord record;
    record.name = user_.text();
    record.number = head_record_.number + 1;
    record.device = options_.device;
    record.message = options_.message;
    SATCHEL_ASSIGN(UserBody body, new_body(decision));
    SATCHEL_TRY(finish_upload());
    body.packs = packs_;
    body.bytes_new = packs_bytes_;
    record.body = std::move(body);
    SATCHEL_TRY(fault_point("round.uploaded"));
    ++report_.counts.round_trips;
    SATCHEL_ASSIGN(RefRecord committed,
                   context_.repository.commit(user_, std::move(record), relied_on_));
    report_.counts.bytes_sent += store::encode_record(committed).size();
    return committed;
  }

  Result<UserBody> new_body(const Decision& decision) {
    const UserBody& previous = body_of(head_record_);
    const Division division{bench_->trees(), context_.rules, options_.machine_id};
    SATCHEL_ASSIGN(const VersionParts parts,
                   divide_tree(division, previous, server_tree_, decision.tree));
    UserBody body = previous;
    body.app = parts.app;
    body.sysdata = parts.sysdata;
    body.data = parts.data;
    body.composed = parts.composed;
    body.rules = context_.rules.rules_id();
    set_machine_layer(body, parts.machine);
    const LosersOf round{options_.machine_id, context_.clock.now()};
    SATCHEL_ASSIGN(body.conflicts,
                   update_conflicts_tree(bench_->trees(), previous.conflicts,
                                         decision.losers.value_or(store::empty_tree()), round));
    // The device's own tree, where a machine's layer makes it another one than the shared.
    SATCHEL_TRY(bench_->trees().put_root(decision.tree));
    return body;
  }

  void set_machine_layer(UserBody& body, const RootId& layer) const {
    const auto place = std::ranges::lower_bound(body.machines, options_.machine_id, {},
                                                &store::MachineLayer::machine_id);
    const bool is_there = place != body.machines.end() && place->machine_id == options_.machine_id;
    if (layer.is_none()) {
      if (is_there) body.machines.erase(place);
    } else if (is_there) {
      place->root = layer;
    } else {
      body.machines.insert(place, {options_.machine_id, layer});
    }
  }

  /// A try that lost its race has brought packs too: what this version needs may be in them.
  Result<void> finish_upload() {
    SATCHEL_ASSIGN(const auto packs, bench_->upload().finish());
    packs_.insert(packs_.end(), packs.begin(), packs.end());
    const auto relied_on = bench_->upload().relied_on();
    relied_on_.insert(relied_on_.end(), relied_on.begin(), relied_on.end());
    const std::uint64_t bytes = bench_->upload().counts().bytes_stored;
    packs_bytes_ += bytes;
    report_.counts.bytes_sent += bytes;
    report_.counts.round_trips += packs.size();
    return {};
  }

  Result<void> accept(const Decision& decision) {
    report_.result = decision.result;
    report_.version = head_record_.number;
    const bool is_base = decision.result == RoundResult::kNone && decision.tree == base_tree_;
    // Rows that turned out to be no change can go, which only the upper knows.
    if (is_base && snapshot_.contents.empty() && !snapshot_.has_origins) return {};
    store::BaseSwitch change;
    change.generation = sealed_.generation;
    change.snapshot = store::root_id(snapshot_.tree);
    change.base_root = store::root_id(decision.tree);
    change.base_version = head_record_.number;
    change.image_root = body_of(head_record_).image_root;
    change.contents = snapshot_.contents;
    for (const RelativePath& path : snapshot_.busy) change.busy.insert(path.text());
    change.travels = [this](const RelativePath& path, store::Kind kind) {
      return context_.rules.travels(path, kind);
    };
    // The upper will ask for both by id.
    if (context_.cache != nullptr) {
      SATCHEL_TRY(bench_->local_trees().put_root(decision.tree));
      SATCHEL_TRY(bench_->local_trees().put_root(snapshot_.tree));
    }
    SATCHEL_TRY(context_.upper.switch_base(change));
    context_.log.info("synced: user={} result={} version={} conflicts={}", options_.user,
                      to_text(report_.result), report_.version, report_.conflicts.size());
    SATCHEL_TRY(fault_point("round.switched"));
    return {};
  }

  const RoundContext& context_;
  const RoundOptions& options_;
  const store::RefName user_;
  std::unique_ptr<Workbench> bench_;
  store::SealedUpper sealed_;
  RefRecord base_record_;
  Root base_tree_;
  Snapshot snapshot_;
  RefRecord head_record_;
  Root server_tree_;
  std::vector<PackId> packs_;
  std::vector<PackId> relied_on_;
  std::uint64_t packs_bytes_ = 0;
  RoundReport report_;
};

}  // namespace

std::string_view to_text(RoundResult result) {
  switch (result) {
    case RoundResult::kNone:
      return "none";
    case RoundResult::kPushed:
      return "pushed";
    case RoundResult::kPulled:
      return "pulled";
    case RoundResult::kMerged:
      return "merged";
  }
  SATCHEL_ASSERT(false);
  return {};
}

Result<RoundReport> run_round(const RoundContext& context, const RoundOptions& options) {
  SATCHEL_ASSIGN(auto user, store::RefName::user(options.user));
  return Round(context, options, std::move(user)).run();
}

}  // namespace satchel::syncer
