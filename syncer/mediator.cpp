#include "syncer/mediator.h"

#include <algorithm>
#include <ostream>
#include <tuple>

#include "store/format_error.h"
#include "store/links.h"
#include "store/page_merge.h"
#include "store/stack.h"
#include "store/tree_walk.h"
#include "syncer/entry_merge.h"
#include "syncer/merged_identity.h"

namespace satchel::syncer {
namespace {

using store::Entry;
using store::FileId;
using store::KeyBound;
using store::PageBuilder;
using store::PageId;
using store::PageList;
using store::PageMerge;
using store::Root;

constexpr std::size_t kBase = 0;
constexpr std::size_t kClient = 1;
constexpr std::size_t kServer = 2;

/// What the three trees have at one name.
struct Sides {
  std::optional<Entry> base;
  std::optional<Entry> client;
  std::optional<Entry> server;
};

/// What becomes of one name.
struct Decision {
  std::optional<Entry> merged = std::nullopt;
  bool is_undisputed = false;      ///< both sides agree, or one did nothing
  bool mediates_contents = false;  ///< `merged` is a directory whose contents are yet to be decided
  bool has_base = false;           ///< and base's contents are the third leg of that
  std::optional<ConflictKind> conflict = std::nullopt;
};

/// A directory whose contents are mediated.
struct Frame {
  PageMerge names;
  PageBuilder<Entry> merged;
  PageBuilder<Entry> losers;
  Entry entry;  // what it becomes, save for its contents
  std::optional<Entry>
      loser;           // the losing side's, save for its contents; absent if that deleted it
  bool loses = false;  // an attribute of it lost
  bool is_on_both_sides = true;
  FileId merged_id;
  FileId client_id;
  FileId server_id;
  std::string path;
};

class TreeMediation {
 public:
  TreeMediation(store::TreeStore& trees, const MediatedTrees& roots, LiveSide live)
      : trees_(trees), roots_(roots), live_(live) {}

  Result<Mediation> mediate();

 private:
  Result<bool> take_common_pages(Frame& frame);
  Result<void> take_run(Frame& frame);
  Result<void> take_name(Frame& frame);
  Result<Decision> decide(const Sides& sides) const;
  Result<Decision> decide_deletion(const Sides& sides) const;
  Result<Decision> merge(const Sides& sides) const;
  void note_identity(const Frame& frame, const Decision& decision, const std::string& path);
  void note_conflict(const Sides& sides, ConflictKind kind, const std::string& path);
  Result<void> enter(const Sides& sides, Decision decision, std::string path);
  Result<void> put_loser(Frame& frame, const Entry& loser, const std::string& path);
  Result<void> leave();
  Result<Mediation> finish();

  [[nodiscard]] LiveSide losing_side() const {
    return live_ == LiveSide::kServer ? LiveSide::kClient : LiveSide::kServer;
  }
  /// The one of the side that is not live.
  template <typename T>
  [[nodiscard]] const T& losing(const T& of_client, const T& of_server) const {
    return live_ == LiveSide::kServer ? of_client : of_server;
  }

  store::TreeStore& trees_;
  const MediatedTrees roots_;
  const LiveSide live_;
  std::vector<Frame> frames_;
  std::vector<Conflict> conflicts_;
  MergedNames noticed_;
  std::set<store::LinkItem> loser_links_;
  store::Subtrees loser_directories_;
};

Entry with_contents(const Entry& directory, const PageList& list) {
  Entry entry = directory;
  entry.directory = {list.page, list.summary.subdirectories, list.summary.marked};
  return entry;
}

PageMerge::Cursor contents_of(store::TreeStore& trees, const std::optional<Entry>& entry) {
  if (!entry || !entry->is_directory()) return {trees, PageId{}};
  return {trees, entry->directory};
}

std::optional<Entry> copy_of(const Entry* entry) {
  return entry != nullptr ? std::optional(*entry) : std::nullopt;
}

Result<Mediation> TreeMediation::mediate() {
  const Sides sides{roots_.base.as_entry(), roots_.client.as_entry(), roots_.server.as_entry()};
  SATCHEL_ASSIGN(const Decision decision, merge(sides));
  if (decision.conflict) note_conflict(sides, *decision.conflict, "");
  SATCHEL_TRY(enter(sides, decision, ""));
  for (;;) {
    Frame& frame = frames_.back();
    SATCHEL_ASSIGN(const bool is_taken, take_common_pages(frame));
    if (is_taken) continue;
    SATCHEL_ASSIGN(const PageMerge::Step step, frame.names.step());
    if (step == PageMerge::Step::kRun) SATCHEL_TRY(take_run(frame));
    if (step == PageMerge::Step::kNames) SATCHEL_TRY(take_name(frame));
    if (step != PageMerge::Step::kEnd) continue;
    if (frames_.size() == 1) return finish();
    SATCHEL_TRY(leave());
  }
}

/// A page that two of the trees share where all three stand: the three-way rule for all its names
/// at once. What the third has in its place counts, unless the third is base.
Result<bool> TreeMediation::take_common_pages(Frame& frame) {
  struct Pair {
    std::size_t first;
    std::size_t second;
    std::size_t taken;
  };
  static constexpr Pair kPairs[] = {
      {kServer, kClient, kClient}, {kBase, kClient, kServer}, {kBase, kServer, kClient}};
  for (const Pair& pair : kPairs) {
    const auto common =
        find_common_page(frame.names.list(pair.first), frame.names.list(pair.second));
    if (!common) continue;
    const store::IndexItem* said = frame.names.list(pair.first).index_item(common->first_depth);
    const std::string last_key = said != nullptr ? said->last_key : std::string();
    const KeyBound bound = said != nullptr ? KeyBound::through(last_key) : KeyBound::none();
    for (const std::size_t side : {kBase, kClient, kServer}) {
      PageMerge::Cursor& list = frame.names.list(side);
      SATCHEL_TRY(side == pair.taken ? copy_items(list, frame.merged, bound)
                                     : skip_items(list, bound));
    }
    return true;
  }
  return false;
}

/// Names that only one of the trees has: deleted on both sides, or added on one.
Result<void> TreeMediation::take_run(Frame& frame) {
  PageMerge::Cursor& runner = frame.names.list(frame.names.runner());
  return frame.names.runner() == kBase ? skip_items(runner, frame.names.bound())
                                       : copy_items(runner, frame.merged, frame.names.bound());
}

Result<void> TreeMediation::take_name(Frame& frame) {
  const Sides sides{copy_of(frame.names.entry(kBase)), copy_of(frame.names.entry(kClient)),
                    copy_of(frame.names.entry(kServer))};
  frame.names.pass_names();
  SATCHEL_ASSIGN(Decision decision, decide(sides));
  if (!decision.merged) return {};
  SATCHEL_ASSIGN(std::string path, store::path_in(frame.path, decision.merged->name));
  if (decision.conflict) note_conflict(sides, *decision.conflict, path);
  if (decision.mediates_contents) return enter(sides, std::move(decision), std::move(path));

  note_identity(frame, decision, path);
  if (decision.conflict && *decision.conflict != ConflictKind::kDeleted) {
    SATCHEL_TRY(put_loser(frame, *losing(sides.client, sides.server), path));
  }
  return frame.merged.append(*std::move(decision.merged));
}

/// The table of docs/mediation.md, row by row.
Result<Decision> TreeMediation::decide(const Sides& sides) const {
  const auto& [base, client, server] = sides;
  if (client == server) return Decision{.merged = client, .is_undisputed = true};
  if (client == base) return Decision{.merged = server, .is_undisputed = true};
  if (server == base) return Decision{.merged = client, .is_undisputed = true};
  if (!client || !server) return decide_deletion(sides);
  const std::optional<Entry>& live = live_ == LiveSide::kServer ? server : client;
  if (client->kind != server->kind) {
    return Decision{.merged = live, .conflict = ConflictKind::kKind};
  }
  const bool has_base = base && base->kind == client->kind;
  const bool both_hold_new =
      !hold_the_same(*client, *server) &&
      (!has_base || (!hold_the_same(*base, *client) && !hold_the_same(*base, *server)));
  if (both_hold_new) return Decision{.merged = live, .conflict = ConflictKind::kContent};
  return merge(sides);
}

/// One side deleted what the other changed.
Result<Decision> TreeMediation::decide_deletion(const Sides& sides) const {
  const std::optional<Entry>& kept = sides.client ? sides.client : sides.server;
  const bool is_same_directory =
      kept->is_directory() && sides.base->is_directory() && sides.base->file_id == kept->file_id;
  if (!is_same_directory) return Decision{.merged = kept, .conflict = ConflictKind::kDeleted};
  return Decision{.merged = kept, .mediates_contents = true, .has_base = true};
}

/// Both sides have the name, as the same kind of thing.
Result<Decision> TreeMediation::merge(const Sides& sides) const {
  const auto& [base, client, server] = sides;
  const Entry* comparable = base && base->kind == client->kind ? &*base : nullptr;
  SATCHEL_ASSIGN(MergedEntry merged, merge_fields(trees_, comparable, *client, *server, live_));
  Decision decision{.merged = std::move(merged.entry)};
  if (merged.clashes) decision.conflict = ConflictKind::kAttributes;
  decision.mediates_contents = client->is_directory();
  decision.has_base = comparable != nullptr && (comparable->file_id == client->file_id ||
                                                comparable->file_id == server->file_id);
  return decision;
}

/// A name that does not come with its page may be one of a file that has more.
void TreeMediation::note_identity(const Frame& frame, const Decision& decision,
                                  const std::string& path) {
  if (decision.is_undisputed && !decision.merged->linked) return;
  const FileId file_id = decision.merged->effective_file_id(frame.merged_id);
  if (decision.merged->linked) noticed_.linked.insert(file_id);
  if (decision.is_undisputed) return;
  noticed_.decided.push_back({file_id, path});
  if (decision.merged->is_directory()) noticed_.taken_whole.insert(path);
}

void TreeMediation::note_conflict(const Sides& sides, ConflictKind kind, const std::string& path) {
  LiveSide loser = losing_side();
  if (!sides.client) loser = LiveSide::kClient;
  if (!sides.server) loser = LiveSide::kServer;
  conflicts_.push_back({*RelativePath::parse(path), kind, loser});
}

Result<void> TreeMediation::enter(const Sides& sides, Decision decision, std::string path) {
  SATCHEL_TRY(store::check_depth(frames_.size()));
  const auto& [base, client, server] = sides;
  const auto id_of = [&](const std::optional<Entry>& entry, FileId Frame::*parent_id) {
    if (!entry) return FileId{};
    return entry->effective_file_id(frames_.empty() ? FileId{} : frames_.back().*parent_id);
  };
  Frame frame{PageMerge({contents_of(trees_, decision.has_base ? base : std::nullopt),
                         contents_of(trees_, client), contents_of(trees_, server)}),
              PageBuilder<Entry>(trees_),
              PageBuilder<Entry>(trees_),
              *decision.merged,
              losing(client, server),
              decision.conflict.has_value(),
              client.has_value() && server.has_value(),
              id_of(decision.merged, &Frame::merged_id),
              id_of(client, &Frame::client_id),
              id_of(server, &Frame::server_id),
              std::move(path)};
  const bool is_rebased = (client && frame.client_id != frame.merged_id) ||
                          (server && frame.server_id != frame.merged_id);
  if (is_rebased) noticed_.rebased.insert(frame.path);
  noticed_.decided.push_back({frame.merged_id, frame.path});
  frames_.push_back(std::move(frame));
  return {};
}

Result<void> TreeMediation::put_loser(Frame& frame, const Entry& loser, const std::string& path) {
  if (loser.is_directory()) loser_directories_.add(path);
  if (loser.linked) {
    const FileId& parent = losing(frame.client_id, frame.server_id);
    loser_links_.insert({loser.effective_file_id(parent), path});
  }
  return frame.losers.append(loser);
}

/// Puts the innermost directory into the one around it.
Result<void> TreeMediation::leave() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  Frame& parent = frames_.back();
  SATCHEL_ASSIGN(const PageList losers, frame.losers.finish());
  if (frame.loses || losers.summary.entries > 0) {
    SATCHEL_TRY(parent.losers.append(with_contents(*frame.loser, losers)));
  }
  SATCHEL_ASSIGN(const PageList merged, frame.merged.finish());
  // What one side deleted is kept for what is in it alone.
  const bool is_gone = !frame.is_on_both_sides && merged.summary.entries == 0;
  return is_gone ? Result<void>() : parent.merged.append(with_contents(frame.entry, merged));
}

Result<Mediation> TreeMediation::finish() {
  Frame& frame = frames_.back();
  Mediation mediation;
  SATCHEL_ASSIGN(const PageList merged, frame.merged.finish());
  const Root root = Root::from_entry(with_contents(frame.entry, merged), PageId{});
  SATCHEL_ASSIGN(mediation.merged, put_identity_right(trees_, roots_, root, noticed_));

  SATCHEL_ASSIGN(const PageList losers, frame.losers.finish());
  mediation.losers = store::empty_tree();
  if (frame.loses || losers.summary.entries > 0) {
    const Root& side = losing(roots_.client, roots_.server);
    SATCHEL_TRY(collect_links(trees_, side.links, loser_directories_, loser_links_));
    SATCHEL_ASSIGN(const PageId links,
                   store::build_links(trees_, {loser_links_.begin(), loser_links_.end()}));
    SATCHEL_ASSIGN(
        mediation.losers,
        store::flatten(trees_, Root::from_entry(with_contents(*frame.loser, losers), links)));
  }
  std::ranges::sort(conflicts_, {}, &Conflict::path);
  mediation.conflicts = std::move(conflicts_);
  return mediation;
}

}  // namespace

std::string_view to_text(ConflictKind kind) {
  switch (kind) {
    case ConflictKind::kContent:
      return "content";
    case ConflictKind::kAttributes:
      return "attributes";
    case ConflictKind::kDeleted:
      return "deleted";
    case ConflictKind::kKind:
      return "kind";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const Conflict& conflict) {
  return out << to_text(conflict.kind) << ' ' << conflict.path << " ("
             << (conflict.loser == LiveSide::kServer ? "server" : "client") << ')';
}

Result<Mediation> mediate(store::TreeStore& trees, const Root& base, const Root& client,
                          const Root& server, LiveSide live) {
  if (!base.is_tree() || !client.is_tree() || !server.is_tree()) {
    return store::contradiction("only trees can be mediated");
  }
  // Also what is put right below stays as it is where only one side changed anything.
  if (client == base) return Mediation{server, {}, store::empty_tree()};
  if (server == base || client == server) return Mediation{client, {}, store::empty_tree()};
  return TreeMediation(trees, {base, client, server}, live).mediate();
}

}  // namespace satchel::syncer
