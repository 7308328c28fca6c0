// Random layers, trees, and edits as people make them; a seed repeats them on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "test/model/reference_model.h"

namespace satchel::model {

/// A stream of numbers from a seed. std::mt19937_64 is exactly specified; the standard library's
/// distributions are not, so they are not used.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }
  /// 0…bound-1; `bound` is at least 1.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  /// True `percent` times in a hundred.
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T>
  const T& pick(const std::vector<T>& items) {
    return items[static_cast<std::size_t>(below(items.size()))];
  }

 private:
  std::mt19937_64 engine_;
};

/// The environment's `variable` as a number, else `otherwise`.
std::uint64_t number_from_environment(const char* variable, std::uint64_t otherwise);

struct RandomShape {
  unsigned names = 6;        ///< how many common names there are: few make collisions likely
  unsigned entries_max = 5;  ///< in one directory
  unsigned depth_max = 4;
  unsigned strange_percent = 8;  ///< names of odd bytes and lengths
  unsigned large_xattr_percent = 1;
};

/// 1…255 bytes; newlines, high bytes, leading dots, but never "." or "..".
std::string random_name(Rng& rng, const RandomShape& shape);
FileId random_file_id(Rng& rng);

/// Any layer that format.md section 4 allows: whiteouts, opaque and inherit directories, file ids
/// that collide, link flags with and without a partner. Meant for laws, so nothing in it makes
/// sense.
Layer random_layer(Rng& rng, const RandomShape& shape = {});

/// A tree as `edits` random edits leave it.
Tree random_tree(Rng& rng, unsigned edits = 25, const RandomShape& shape = {});

enum class Edit {
  kCreate,  ///< any kind; an id of its own, or sometimes the default as an import gives it
  kMakeDirectory,
  kWrite,  ///< new content, at all names of the file
  kUnlink,
  kRemoveTree,
  kRename,  ///< file or directory, over what is there if that may be
  kLink,    ///< a further name, often in another directory
  kChangeMode,
  kChangeOwner,
  kSetXattr,
  kRemoveXattr,
  kTouch,
  kChangeKind,        ///< removed, and something of another kind made under its name
  kReplaceDirectory,  ///< removed with all in it, and made anew
  kCount,
};
std::string to_text(Edit edit);

/// A tree under change, with the rules that a filesystem has: file ids follow renames and links,
/// what is done to one name of a file is done to all. What it leaves is always a tree as format.md
/// section 3 defines it: linked file ids have two or more equal names, and no others are shared.
/// Paths as in reference_model.h. Methods that cannot be done return false and change nothing.
class TreeEditor {
 public:
  TreeEditor(Tree tree, Rng& rng) : tree_(std::move(tree)), rng_(rng) {}
  [[nodiscard]] const Tree& tree() const { return tree_; }

  /// `entry` brings all but the file id, which is random, or the default where `imported`.
  enum class Identity { kMadeInView, kImported };
  bool create(const std::string& path, Node entry, Identity identity = Identity::kMadeInView);
  bool remove(const std::string& path);  ///< with all that is in it
  bool rename(const std::string& from, const std::string& to);
  bool link(const std::string& from, const std::string& to);
  /// Changes every name of the file by `change`, which leaves kind, identity and children alone.
  bool modify(const std::string& path, const std::function<void(Node&)>& change);

  [[nodiscard]] const Node* find(const std::string& path) const;
  [[nodiscard]] FileId file_id_of(const std::string& path) const;

  /// Does one random edit and says which; false if this one could not be done.
  bool edit(Edit edit, const RandomShape& shape = {});
  /// Tries `count` random edits. Returns what was done, one line each.
  std::vector<std::string> edit_randomly(unsigned count, const RandomShape& shape = {});

 private:
  Node* find_mutable(const std::string& path);
  void set_file_id(const std::string& path, const FileId& id);
  void set_link_flags();
  std::string random_path(bool directories, bool others);
  std::string random_new_path(const RandomShape& shape);
  Node random_entry(const RandomShape& shape, bool directory);

  Tree tree_;
  Rng& rng_;
  std::string last_;  ///< what the last edit did
};

enum class Keys {
  kAny,
  kClosingNone,  ///< no level 0 page ends after one of them, so only limits cut
};
/// `count` entries, to test pages at their limits.
Node wide_directory(Rng& rng, std::size_t count, Keys keys = Keys::kAny);
/// `count` items of `bytes` each, as of `level`.
std::vector<PageItem> page_items(Rng& rng, std::size_t count, std::uint64_t bytes, unsigned level,
                                 Keys keys = Keys::kAny);
/// Entries of about `entry_size` encoded bytes each (30…4,000), `total` or a little more together.
Node heavy_directory(Rng& rng, std::size_t entry_size, std::size_t total);
/// A chain of `depth` directories with one file at its end.
Tree deep_tree(Rng& rng, std::size_t depth);

/// An area for each path, from a seed; the same for the same path and kind.
AreaOf random_rules(std::uint64_t seed);

}  // namespace satchel::model
