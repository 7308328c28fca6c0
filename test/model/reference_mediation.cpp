// mediate(), one name at a time. docs/mediation.md.
#include <algorithm>
#include <set>

#include "test/model/reference_links.h"
#include "test/model/reference_model.h"

namespace satchel::model {
namespace {

/// An entry that may be absent: null.
using Maybe = const Node*;

bool equal(Maybe a, Maybe b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

std::optional<Node> copy(Maybe entry) {
  return entry == nullptr ? std::nullopt : std::optional<Node>(*entry);
}

std::string join_path(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

bool is_directory(Maybe entry) {
  return entry != nullptr && entry->is_directory();
}

bool hold_the_same(const Node& a, const Node& b) {
  return a.content == b.content && a.target == b.target && a.device_major == b.device_major &&
         a.device_minor == b.device_minor;
}

/// What becomes of one name.
struct Outcome {
  std::optional<Node> merged;
  std::optional<Node> loser;
};

class Mediator {
 public:
  Mediator(Side live, Bug bug, std::vector<Conflict>& conflicts)
      : live_(live), bug_(bug), conflicts_(conflicts) {}

  Outcome mediate_name(const std::string& path, Maybe b, Maybe c, Maybe s) {
    if (equal(c, s)) return {copy(c), {}};
    if (equal(c, b)) return {copy(s), {}};
    if (equal(s, b)) return {copy(bug_ == Bug::kMediateRevertsClient ? b : c), {}};
    if (c == nullptr) return mediate_deletion(path, b, *s, Side::kClient);
    if (s == nullptr) return mediate_deletion(path, b, *c, Side::kServer);
    if (c->kind != s->kind) return live_wins(path, *c, *s, ConflictKind::kKind);
    if (c->is_directory()) return mediate_directories(path, b, *c, *s);
    const Maybe base = b != nullptr && b->kind == c->kind ? b : nullptr;
    if (!hold_the_same(*c, *s) &&
        (base == nullptr || (!hold_the_same(*base, *c) && !hold_the_same(*base, *s)))) {
      return live_wins(path, *c, *s, ConflictKind::kContent);
    }
    return mediate_fields(path, base, *c, *s);
  }

 private:
  Outcome live_wins(const std::string& path, const Node& c, const Node& s, ConflictKind kind) {
    conflicts_.push_back({path, kind, other(live_)});
    Outcome outcome;
    outcome.merged = live_ == Side::kClient ? c : s;
    if (bug_ != Bug::kMediateLosesClientEdit) outcome.loser = live_ == Side::kClient ? s : c;
    return outcome;
  }

  /// `deleter` has no such name, and the other side has changed it to `kept`.
  Outcome mediate_deletion(const std::string& path, Maybe b, const Node& kept, Side deleter) {
    if (!(kept.is_directory() && is_directory(b) && b->file_id == kept.file_id)) {
      conflicts_.push_back({path, ConflictKind::kDeleted, deleter});
      if (bug_ == Bug::kMediateDeletesEdited) return {};
      return {kept, {}};
    }
    Outcome outcome{kept, {}};
    outcome.merged->children.clear();
    const Maybe c = deleter == Side::kClient ? nullptr : &kept;
    const Maybe s = deleter == Side::kServer ? nullptr : &kept;
    mediate_contents(path, b, c, s, outcome.merged->children, nullptr);
    if (outcome.merged->children.empty()) outcome.merged.reset();
    return outcome;
  }

  Outcome mediate_directories(const std::string& path, Maybe b, const Node& c, const Node& s) {
    const Maybe base = is_directory(b) ? b : nullptr;
    Outcome outcome = mediate_fields(path, base, c, s);
    const bool same_base =
        base != nullptr && (base->file_id == c.file_id || base->file_id == s.file_id);
    Node loser = live_ == Side::kClient ? s : c;
    loser.children.clear();
    outcome.merged->children.clear();
    mediate_contents(path, same_base ? base : nullptr, &c, &s, outcome.merged->children,
                     &loser.children);
    if (!loser.children.empty()) outcome.loser = loser;
    if (outcome.loser) outcome.loser->children = loser.children;
    return outcome;
  }

  /// Each of `b`, `c`, `s` is a directory or null.
  void mediate_contents(const std::string& path, Maybe b, Maybe c, Maybe s,
                        std::map<std::string, Node>& merged, std::map<std::string, Node>* losers) {
    std::set<std::string> names;
    for (const Maybe directory : {b, c, s}) {
      if (directory == nullptr) continue;
      for (const auto& [name, child] : directory->children) names.insert(name);
    }
    const auto in = [](Maybe directory, const std::string& name) -> Maybe {
      if (directory == nullptr) return nullptr;
      const auto found = directory->children.find(name);
      return found == directory->children.end() ? nullptr : &found->second;
    };
    for (const std::string& name : names) {
      const std::string child_path = join_path(path, name);
      Outcome outcome = mediate_name(child_path, in(b, name), in(c, name), in(s, name));
      if (outcome.merged) merged.emplace(name, *std::move(outcome.merged));
      // Where one side is absent nothing can lose.
      if (outcome.loser && losers != nullptr) losers->emplace(name, *std::move(outcome.loser));
    }
  }

  template <typename T>
  T pick(const T* b, const T& c, const T& s, bool& clash) const {
    if (c == s) return c;
    if (b != nullptr && c == *b) return s;
    if (b != nullptr && s == *b) return c;
    clash = true;
    return live_ == Side::kClient ? c : s;
  }

  /// `c` and `s` are of one kind; `b` is null or of that kind too. Says nothing about contents of
  /// directories.
  Outcome mediate_fields(const std::string& path, Maybe b, const Node& c, const Node& s) {
    Node merged = c;
    bool clash = false;
    merged.mode = pick(b != nullptr ? &b->mode : nullptr, c.mode, s.mode, clash);
    if (bug_ == Bug::kMediateClientWins && clash) merged.mode = c.mode;
    merged.uid = pick(b != nullptr ? &b->uid : nullptr, c.uid, s.uid, clash);
    merged.gid = pick(b != nullptr ? &b->gid : nullptr, c.gid, s.gid, clash);
    merged.xattrs = pick_xattrs(b, c, s, clash);

    const bool c_holds_new = b == nullptr || !hold_the_same(*b, c);
    const bool s_holds_new = b == nullptr || !hold_the_same(*b, s);
    const Node& holder = c_holds_new ? c : s;
    merged.content = holder.content;
    merged.target = holder.target;
    merged.device_major = holder.device_major;
    merged.device_minor = holder.device_minor;

    using Time = std::pair<std::int64_t, std::uint32_t>;
    const auto time_of = [](const Node& node) { return Time{node.mtime_s, node.mtime_ns}; };
    Time time = time_of(holder);
    if (c_holds_new == s_holds_new) {
      const std::optional<Time> base_time =
          b != nullptr ? std::optional(time_of(*b)) : std::nullopt;
      bool both_changed = false;
      time = pick(base_time ? &*base_time : nullptr, time_of(c), time_of(s), both_changed);
      if (both_changed) time = std::max(time_of(c), time_of(s));
    }
    merged.mtime_s = time.first;
    merged.mtime_ns = time.second;

    using Identity = std::pair<std::optional<FileId>, bool>;
    const auto identity_of = [](const Node& node) { return Identity{node.file_id, node.linked}; };
    const std::optional<Identity> base_identity =
        b != nullptr ? std::optional(identity_of(*b)) : std::nullopt;
    bool identity_clash = false;  // no conflict: nothing that a person wrote
    const Identity identity = pick(base_identity ? &*base_identity : nullptr, identity_of(c),
                                   identity_of(s), identity_clash);
    merged.file_id = identity.first;
    merged.linked = identity.second;

    Outcome outcome{merged, {}};
    if (clash) {
      conflicts_.push_back({path, ConflictKind::kAttributes, other(live_)});
      outcome.loser = live_ == Side::kClient ? s : c;
      outcome.loser->children.clear();
    }
    return outcome;
  }

  std::map<std::string, std::string> pick_xattrs(Maybe b, const Node& c, const Node& s,
                                                 bool& clash) const {
    using Value = std::optional<std::string>;
    const auto value_in = [](const Node& node, const std::string& name) -> Value {
      const auto found = node.xattrs.find(name);
      return found == node.xattrs.end() ? Value() : Value(found->second);
    };
    std::map<std::string, std::string> merged;
    std::set<std::string> names;
    for (const auto& [name, value] : c.xattrs) names.insert(name);
    for (const auto& [name, value] : s.xattrs) names.insert(name);
    for (const std::string& name : names) {
      const Value base = b != nullptr ? value_in(*b, name) : Value();
      const Value value =
          pick(b != nullptr ? &base : nullptr, value_in(c, name), value_in(s, name), clash);
      if (value) merged.emplace(name, *value);
    }
    return merged;
  }

  Side live_;
  Bug bug_;
  std::vector<Conflict>& conflicts_;
};

}  // namespace

Side other(Side side) {
  return side == Side::kClient ? Side::kServer : Side::kClient;
}

Mediation mediate(const Tree& base, const Tree& client, const Tree& server, Side live, Bug bug) {
  Mediation result;
  result.losers = empty_tree();
  if (client == base || server == base || client == server) {
    const Tree& unchanged = bug == Bug::kMediateRevertsClient ? base : client;
    result.merged = client == base ? server : unchanged;
    return result;
  }
  Mediator mediator(live, bug, result.conflicts);
  const Outcome outcome = mediator.mediate_name("", &base.root, &client.root, &server.root);
  result.merged.root = *outcome.merged;
  put_links_right(result.merged,
                  bug == Bug::kMediateKeepsDoubleId ? Doubles::kLeave : Doubles::kTellApart);
  if (outcome.loser) result.losers = {*outcome.loser};
  put_links_right(result.losers, Doubles::kLeave);
  std::sort(result.conflicts.begin(), result.conflicts.end());
  return result;
}

}  // namespace satchel::model
