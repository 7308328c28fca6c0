#include "test/model/laws.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "test/model/random_tree.h"

namespace satchel::model {
namespace {

Verdict differ(const std::string& law, const Layer& expected, const Layer& actual) {
  if (expected == actual) return {};
  return law + "\nexpected\n" + dump(expected) + "actual\n" + dump(actual);
}

/// The first of several verdicts that is not empty.
class Findings {
 public:
  void add(Verdict verdict) {
    if (first_.empty()) first_ = std::move(verdict);
  }
  void require(bool holds, const std::string& law) {
    if (!holds) add(law);
  }
  [[nodiscard]] Verdict first() const { return first_; }

 private:
  Verdict first_;
};

std::map<std::string, Place> by_path(const Layer& layer) {
  std::map<std::string, Place> places;
  for (const Place& place : list_places(layer)) places.emplace(place.path, place);
  return places;
}

std::string child_of(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "/" + name;
}

bool equal_but_children(Node a, Node b) {
  a.children.clear();
  b.children.clear();
  return a == b;
}

enum class Marks { kAny, kWays, kNone };

bool is_marked(const Node& node, Marks allowed) {
  const bool way = node.inherit && !node.children.empty();
  return node.is_whiteout() || node.opaque || (node.inherit && !(way && allowed == Marks::kWays));
}

/// Marks stand only where `allowed`, and inside opaque directories only those that `inside_opaque`
/// says.
Verdict check_marks(const Node& directory, const std::string& path, Marks allowed,
                    Marks inside_opaque) {
  for (const auto& [name, child] : directory.children) {
    const std::string here = child_of(path, name);
    if (name.empty() || name.size() > 255 || name == "." || name == ".." ||
        name.find_first_of(std::string("/\0", 2)) != std::string::npos) {
      return "no name: " + escape(here);
    }
    if (allowed != Marks::kAny && is_marked(child, allowed))
      return "a mark where none may be: " + escape(here);
    if (child.opaque && child.inherit) return "opaque and inherit: " + escape(here);
    if (child.is_whiteout() && child != whiteout())
      return "a whiteout with fields: " + escape(here);
    if (!child.is_directory() && (child.opaque || child.inherit || !child.children.empty())) {
      return "directory fields in another kind: " + escape(here);
    }
    if (child.is_directory() && child.linked) return "a linked directory: " + escape(here);
    if (child.linked && !child.file_id) return "a linked name without a file id: " + escape(here);
    Verdict verdict =
        check_marks(child, here, child.opaque ? inside_opaque : allowed, inside_opaque);
    if (!verdict.empty()) return verdict;
  }
  return {};
}

Verdict check_root(const Layer& layer, Marks inside_opaque) {
  const Node& root = layer.root;
  if (!root.is_directory() || root.file_id || root.linked) return "no root directory";
  if (root.opaque && root.inherit) return "opaque and inherit: the root";
  Node bare = root;
  bare.children.clear();
  if (root.inherit && bare != empty_layer().root)
    return "an inherit root with attributes of its own";
  return check_marks(root, "", root.opaque ? inside_opaque : Marks::kAny, inside_opaque);
}

/// diff(below, tree) is canonical; `below` and `layer` are directories of one file id.
Verdict check_canonical(const Node& below, const Node& tree, const Node& layer,
                        const std::string& path) {
  const Node* const nothing = nullptr;
  const auto in = [&](const Node& directory, const std::string& name) {
    const auto found = directory.children.find(name);
    return found == directory.children.end() ? nothing : &found->second;
  };
  for (const auto& [name, entry] : layer.children) {
    const std::string here = child_of(path, name);
    const Node* old_entry = in(below, name);
    const Node* new_entry = in(tree, name);
    if (entry.is_whiteout()) {
      if (old_entry == nullptr) return "a whiteout for an absent name: " + escape(here);
      if (new_entry != nullptr) return "a whiteout for a name that is there: " + escape(here);
      continue;
    }
    if (new_entry == nullptr) return "an entry for no name: " + escape(here);
    if (old_entry != nullptr && *old_entry == *new_entry) {
      return "an entry for what is equal: " + escape(here);
    }
    const bool both_directories =
        old_entry != nullptr && old_entry->is_directory() && entry.is_directory();
    const bool replaced = both_directories && old_entry->file_id != new_entry->file_id;
    if (entry.opaque != replaced) return "opaque iff the file id changed: " + escape(here);
    if (!both_directories || replaced) {
      if (entry.inherit) return "inherit, and nothing below: " + escape(here);
      continue;
    }
    Node old_attributes = *old_entry;
    old_attributes.file_id = entry.file_id;
    old_attributes.inherit = entry.inherit;
    if (equal_but_children(old_attributes, entry) != entry.inherit) {
      return "own iff attributes differ: " + escape(here);
    }
    if (entry.inherit && entry.children.empty()) return "a change without any: " + escape(here);
    Verdict verdict = check_canonical(*old_entry, *new_entry, entry, here);
    if (!verdict.empty()) return verdict;
  }
  return {};
}

/// What a name holds, so that it can be sought in another tree. Empty for directories.
std::string holding(const Node* node) {
  if (node == nullptr || node->is_directory()) return {};
  Node bare;
  bare.kind = node->kind;
  bare.content = node->content;
  bare.content.bytes.clear();
  bare.target = node->target;
  bare.device_major = node->device_major;
  bare.device_minor = node->device_minor;
  Layer layer = empty_tree();
  layer.root.children.emplace("x", bare);
  return dump(layer);
}

const Node* node_in(const std::map<std::string, Place>& places, const std::string& path) {
  const auto found = places.find(path);
  return found == places.end() ? nullptr : found->second.node;
}

/// Mode, owner or an xattr that `entry` has and `old_entry` has not is nowhere among `kept`.
bool lost_attribute(const Node& entry, const Node& old_entry,
                    const std::vector<const Node*>& kept) {
  const auto lost = [&](auto field) {
    return field(entry) != field(old_entry) &&
           std::none_of(kept.begin(), kept.end(),
                        [&](const Node* node) { return field(*node) == field(entry); });
  };
  if (lost([](const Node& node) { return node.mode; })) return true;
  if (lost([](const Node& node) { return node.uid; })) return true;
  if (lost([](const Node& node) { return node.gid; })) return true;
  return std::any_of(entry.xattrs.begin(), entry.xattrs.end(), [&](const auto& xattr) {
    return lost([&](const Node& node) {
      const auto found = node.xattrs.find(xattr.first);
      return found == node.xattrs.end() ? std::optional<std::string>()
                                        : std::optional(found->second);
    });
  });
}

/// What `side` wrote since `base` is at its path in `merged` or in `losers`.
Verdict check_nothing_lost(const Tree& base, const Tree& side, const Mediation& mediation,
                           const std::string& side_name) {
  const auto base_places = by_path(base);
  const auto merged = by_path(mediation.merged);
  const auto losers = by_path(mediation.losers);
  for (const Place& place : list_places(side)) {
    const Node* old_entry = node_in(base_places, place.path);
    const Node* in_merged = node_in(merged, place.path);
    const Node* in_losers = node_in(losers, place.path);
    std::vector<const Node*> kept;
    if (in_merged != nullptr) kept.push_back(in_merged);
    if (in_losers != nullptr) kept.push_back(in_losers);
    // Of a directory that the other side removed, and in which nothing else was changed, nothing
    // stays.
    if (old_entry != nullptr && !kept.empty() && lost_attribute(*place.node, *old_entry, kept)) {
      return "lost attribute of the " + side_name + ": " + escape(place.path);
    }
    if (place.node->is_directory()) {
      if (old_entry != nullptr) continue;
      const bool found = (in_merged != nullptr && in_merged->is_directory()) ||
                         (in_losers != nullptr && in_losers->is_directory());
      if (!found) return "lost directory of the " + side_name + ": " + escape(place.path);
      continue;
    }
    const std::string held = holding(place.node);
    if (held == holding(old_entry)) continue;
    if (held != holding(in_merged) && held != holding(in_losers)) {
      return "lost, written by the " + side_name + ": " + escape(place.path);
    }
  }
  return {};
}

/// Mode, owner and xattrs of each name in `merged` come from a side, at that path.
Verdict check_nothing_invented(const Tree& client, const Tree& server, const Tree& merged) {
  const auto clients = by_path(client);
  const auto servers = by_path(server);
  for (const Place& place : list_places(merged)) {
    const Node* c = node_in(clients, place.path);
    const Node* s = node_in(servers, place.path);
    const auto from_a_side = [&](auto field) {
      return (c != nullptr && field(*c) == field(*place.node)) ||
             (s != nullptr && field(*s) == field(*place.node));
    };
    const bool known =
        from_a_side([](const Node& node) { return node.kind; }) &&
        from_a_side([](const Node& node) { return node.mode; }) &&
        from_a_side([](const Node& node) { return node.uid; }) &&
        from_a_side([](const Node& node) { return node.gid; }) &&
        from_a_side([](const Node& node) { return std::pair(node.mtime_s, node.mtime_ns); }) &&
        from_a_side([](const Node& node) { return holding(&node); });
    if (!known) return "from neither side: " + escape(place.path);
  }
  return {};
}

/// One side removed what the other did not touch, in directories that all three have: it is gone.
Verdict check_deletions(const Node& b, const Node& c, const Node& s, const Node& merged,
                        const std::string& path) {
  for (const auto& [name, entry] : b.children) {
    const std::string here = child_of(path, name);
    const auto in_c = c.children.find(name);
    const auto in_s = s.children.find(name);
    const auto in_merged = merged.children.find(name);
    const bool c_deleted = in_c == c.children.end();
    const bool s_deleted = in_s == s.children.end();
    const bool gone = (c_deleted && (s_deleted || in_s->second == entry)) ||
                      (s_deleted && (c_deleted || in_c->second == entry));
    if (gone && in_merged != merged.children.end()) return "came back: " + escape(here);
    if (c_deleted || s_deleted || in_merged == merged.children.end()) continue;
    const bool all_directories = entry.is_directory() && in_c->second.is_directory() &&
                                 in_s->second.is_directory() && in_merged->second.is_directory();
    if (!all_directories || in_c->second.file_id != entry.file_id) continue;
    Verdict verdict = check_deletions(entry, in_c->second, in_s->second, in_merged->second, here);
    if (!verdict.empty()) return verdict;
  }
  return {};
}

bool key_may_close(const std::string& key, unsigned level) {
  std::array<unsigned char, 32> h{};
  if (EVP_Digest(key.data(), key.size(), h.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  const unsigned at = 2 * (level % 16);
  return (static_cast<unsigned>(h.at(at)) + 256U * h.at(at + 1)) % 128 == 0;
}

std::uint64_t bytes_of(const std::vector<PageItem>& page) {
  std::uint64_t bytes = 0;
  for (const PageItem& item : page) bytes += item.bytes;
  return bytes;
}

}  // namespace

Functions model_functions(Bug bug) {
  return {
      .stack = [bug](const Layer& lower, const Layer& upper) { return stack(lower, upper, bug); },
      .flatten = [bug](const Layer& layer) { return flatten(layer, bug); },
      .compose = [bug](const std::vector<Layer>& layers) { return compose(layers, bug); },
      .diff = [bug](const Tree& below, const Tree& tree) { return diff(below, tree, bug); },
      .split = [bug](const Layer& layer,
                     const AreaOf& area_of) { return split(layer, area_of, bug); },
      .join = [bug](const std::vector<Layer>& parts) { return join(parts, bug); },
      .mediate = [bug](const Tree& base, const Tree& client, const Tree& server,
                       Side live) { return mediate(base, client, server, live, bug); },
      .page_cut = [bug](const std::vector<PageItem>& items,
                        unsigned level) { return page_cut(items, level, bug); },
  };
}

Verdict check_layer(const Layer& layer) {
  return check_root(layer, Marks::kNone);
}

Verdict check_tree(const Tree& tree) {
  if (!is_tree(tree)) return "marks in a tree\n" + dump(tree);
  Findings findings;
  findings.add(check_layer(tree));
  std::map<FileId, std::vector<Place>> linked;
  for (const Place& place : list_places(tree)) {
    if (place.node->linked) linked[place.file_id].push_back(place);
  }
  for (const auto& [id, places] : linked) {
    findings.require(places.size() > 1, "a link without another: " + escape(places[0].path));
    for (const Place& place : places) {
      Node other = *place.node;
      other.file_id = places[0].node->file_id;
      findings.require(other == *places[0].node, "links that differ: " + escape(place.path));
    }
  }
  return findings.first();
}

Verdict check_distinct_tree(const Tree& tree) {
  Findings findings;
  findings.add(check_tree(tree));
  std::map<FileId, Place> seen;
  for (const Place& place : list_places(tree)) {
    const auto [before, is_new] = seen.emplace(place.file_id, place);
    findings.require(is_new || (place.node->linked && before->second.node->linked),
                     "one file id, two files: " + escape(place.path) + " and " +
                         escape(before->second.path) + "\n" + dump(tree));
  }
  return findings.first();
}

Verdict check_stack(const Functions& f, const Layer& a, const Layer& b, const Layer& c) {
  Findings findings;
  const Layer bc = f.stack(b, c);
  const Layer all = f.stack(a, bc);
  findings.add(check_layer(bc));
  findings.add(check_layer(all));
  findings.add(differ("stack is associative", f.stack(f.stack(a, b), c), all));
  findings.add(differ("the empty layer changes nothing", a, f.stack(a, empty_layer())));
  findings.add(differ("a layer on the empty layer", a, f.stack(empty_layer(), a)));
  const Tree tree = f.flatten(all);
  findings.add(check_tree(tree));
  findings.add(differ("flatten does no more the second time", tree, f.flatten(tree)));
  findings.add(differ("compose is flatten of stack", tree, f.compose({a, b, c})));

  // What a directory over a whiteout or file hides, stays hidden whatever comes below.
  Layer onto_a_tree = f.flatten(a);
  const Tree expected = f.flatten(f.stack(onto_a_tree, bc));
  findings.add(differ("compose onto a tree", expected, f.compose({onto_a_tree, b, c})));
  return findings.first();
}

Verdict check_diff(const Functions& f, const Tree& below, const Tree& tree) {
  Findings findings;
  const Layer layer = f.diff(below, tree);
  findings.add(check_layer(layer));
  findings.add(
      differ("compose(below, diff(below, tree)) is tree", tree, f.compose({below, layer})));
  findings.add(differ("diff(tree, tree) is empty", empty_layer(), f.diff(tree, tree)));
  findings.add(check_canonical(below.root, tree.root, layer.root, ""));
  Node old_root = below.root;
  Node new_root = tree.root;
  old_root.children.clear();
  new_root.children.clear();
  findings.require(layer.root.inherit == (old_root == new_root), "own root iff attributes differ");
  if (findings.first().empty()) return {};
  return findings.first() + "\nbelow\n" + dump(below) + "tree\n" + dump(tree) + "diff\n" +
         dump(layer);
}

Verdict check_split(const Functions& f, const Layer& layer, const AreaOf& area_of,
                    std::uint64_t seed) {
  Findings findings;
  const Parts parts = f.split(layer, area_of);
  Rng rng(seed);
  std::vector<Layer> order(parts.begin(), parts.end());
  for (int i = 0; i < 3; ++i) {
    for (std::size_t k = order.size() - 1; k > 0; --k) std::swap(order[k], order[rng.below(k + 1)]);
    try {
      findings.add(differ("join(split(layer)) is layer", layer, f.join(order)));
    } catch (const std::invalid_argument& error) {
      findings.add(std::string("join refuses what split gave: ") + error.what());
    }
  }
  std::map<std::string, unsigned> owners;
  const auto places = by_path(layer);
  for (std::size_t i = 0; i < kAreas; ++i) {
    findings.add(check_root(parts[i], Marks::kWays));
    for (const Place& place : list_places(parts[i])) {
      const bool way = place.node->inherit && !place.node->children.empty();
      const Node* whole = node_in(places, place.path);
      findings.require(whole != nullptr, "split invents a name: " + escape(place.path));
      if (whole == nullptr) break;
      findings.require(whole->file_id == place.node->file_id,
                       "file id changed: " + escape(place.path));
      if (way) continue;
      ++owners[place.path];
      findings.require(equal_but_children(*whole, *place.node),
                       "split changes: " + escape(place.path));
      findings.require(area_of(place.path, place.node->kind) == static_cast<Area>(i),
                       "in the wrong area: " + escape(place.path));
    }
  }
  for (const auto& [path, place] : places) {
    const bool way = place.node->inherit && !place.node->children.empty();
    findings.require(owners[path] == (way ? 0 : 1), "not in exactly one part: " + escape(path));
  }
  if (findings.first().empty()) return {};
  return findings.first() + "\nlayer\n" + dump(layer);
}

Verdict check_mediation(const Functions& f, const Tree& base, const Tree& client,
                        const Tree& server) {
  Findings findings;
  const auto check_equal = [&](const std::string& law, const Mediation& expected,
                               const Mediation& actual) {
    if (expected == actual) return;
    findings.add(law + "\nexpected\n" + dump(expected) + "actual\n" + dump(actual));
  };
  findings.add(check_only_one_changed(f, base, client));
  findings.add(check_only_one_changed(f, base, server));
  for (const Side live : {Side::kServer, Side::kClient}) {
    const Mediation result = f.mediate(base, client, server, live);
    findings.add(check_distinct_tree(result.merged));
    findings.add(check_tree(result.losers));
    check_equal("mediate is deterministic", result, f.mediate(base, client, server, live));

    Mediation mirrored = f.mediate(base, server, client, other(live));
    for (Conflict& conflict : mirrored.conflicts) conflict.loser = other(conflict.loser);
    check_equal("mediate mirrors", result, mirrored);

    findings.add(check_nothing_lost(base, client, result, "client"));
    findings.add(check_nothing_lost(base, server, result, "server"));
    findings.add(check_nothing_invented(client, server, result.merged));
    findings.add(check_deletions(base.root, client.root, server.root, result.merged.root, ""));
    for (const Conflict& conflict : result.conflicts) {
      findings.require(conflict.kind == ConflictKind::kDeleted || conflict.loser == other(live),
                       "the live side lost: " + escape(conflict.path));
    }
    findings.add(differ("to_client leads to merged", result.merged,
                        f.compose({client, f.diff(client, result.merged)})));
    findings.add(differ("to_server leads to merged", result.merged,
                        f.compose({server, f.diff(server, result.merged)})));
  }
  if (findings.first().empty()) return {};
  return findings.first() + "\nbase\n" + dump(base) + "client\n" + dump(client) + "server\n" +
         dump(server) + dump(f.mediate(base, client, server, Side::kServer));
}

Verdict check_only_one_changed(const Functions& f, const Tree& base, const Tree& changed) {
  for (const Side live : {Side::kServer, Side::kClient}) {
    const Mediation expected{changed, {}, empty_tree()};
    for (const Mediation& actual :
         {f.mediate(base, base, changed, live), f.mediate(base, changed, base, live),
          f.mediate(base, changed, changed, live)}) {
      if (actual == expected) continue;
      return "only one change\nexpected\n" + dump(expected) + "actual\n" + dump(actual);
    }
  }
  return {};
}

Verdict check_page_cut(const Functions& f, const std::vector<PageItem>& items, unsigned level) {
  const Pages pages = f.page_cut(items, level);
  if (pages.empty()) return "no page at all";
  std::vector<PageItem> all;
  for (const auto& page : pages) all.insert(all.end(), page.begin(), page.end());
  if (all != items) return "pages do not hold the items in order";
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto& page = pages[i];
    const std::string where = "page " + std::to_string(i) + " of " + std::to_string(pages.size());
    if (page.empty() && !items.empty()) return where + " is empty";
    if (page.size() > 1024) return where + " has " + std::to_string(page.size()) + " items";
    if (page.size() > 1 && bytes_of(page) > 262144) return where + " is too long";
    for (std::size_t k = 1; k + 1 < page.size(); ++k) {
      if (key_may_close(page[k].key, level)) return where + " goes on after a closing key";
    }
    if (i + 1 == pages.size()) continue;
    const bool closed = page.size() >= 2 && key_may_close(page.back().key, level);
    const bool full = page.size() == 1024 || bytes_of(page) + pages[i + 1].front().bytes > 262144;
    if (!closed && !full) return where + " ends too early";
  }
  return {};
}

Verdict check_random_pages(const Functions& f, std::uint64_t seed) {
  Rng rng(seed);
  Findings findings;
  const auto level = static_cast<unsigned>(rng.below(20));
  for (const Keys keys : {Keys::kAny, Keys::kClosingNone}) {
    for (const std::size_t count : {0U, 1U, 2U, 3U, 300U, 1023U, 1024U, 1025U, 2049U}) {
      findings.add(check_page_cut(f, page_items(rng, count, 50, level, keys), level));
    }
    // Near 256 KiB: one byte under, exactly, and over.
    for (const std::uint64_t bytes : {4095U, 4096U, 4097U, 65536U, 65600U}) {
      findings.add(check_page_cut(f, page_items(rng, 150, bytes, level, keys), level));
    }
  }
  return findings.first();
}

Verdict check_random_case(const Functions& f, std::uint64_t seed) {
  Rng rng(seed);
  RandomShape shape;
  shape.names = 2 + static_cast<unsigned>(rng.below(6));
  shape.depth_max = 1 + static_cast<unsigned>(rng.below(5));
  shape.entries_max = 2 + static_cast<unsigned>(rng.below(4));
  Findings findings;

  const Layer a = random_layer(rng, shape);
  const Layer b = random_layer(rng, shape);
  const Layer c = random_layer(rng, shape);
  findings.add(check_stack(f, a, b, c));
  findings.add(check_split(f, b, random_rules(seed), seed));
  findings.add(check_diff(f, f.flatten(a), f.flatten(b)));

  TreeEditor base(empty_tree(), rng);
  base.edit_randomly(20 + static_cast<unsigned>(rng.below(25)), shape);
  TreeEditor client(base.tree(), rng);
  client.edit_randomly(static_cast<unsigned>(rng.below(10)), shape);
  TreeEditor server(base.tree(), rng);
  server.edit_randomly(static_cast<unsigned>(rng.below(10)), shape);
  findings.add(check_diff(f, base.tree(), client.tree()));
  findings.add(check_split(f, f.diff(base.tree(), server.tree()), random_rules(seed), seed));
  findings.add(check_mediation(f, base.tree(), client.tree(), server.tree()));
  // Composed trees may hold a file id at two names; what only one side changed still comes out as
  // it is.
  findings.add(check_only_one_changed(f, f.flatten(a), f.flatten(b)));
  if (findings.first().empty()) return {};
  return "seed " + std::to_string(seed) + ": " + findings.first();
}

}  // namespace satchel::model
