// Everything that a tree needs in the packs: what fsck looks for and gc must keep.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/page.h"
#include "store/recipe.h"
#include "store/repository.h"

namespace satchel::store {

/// A set of pack entries, one bit each.
class EntryMarks {
 public:
  /// Whether it was not marked before.
  bool mark(const EntryLocation& location);
  [[nodiscard]] bool is_marked(const PackId& pack, std::size_t ordinal) const;

 private:
  std::unordered_map<PackId, std::vector<bool>> marks_;
};

/// Walks roots, pages, xattr sets, recipes and chunks, each entry once however many trees share it.
/// Reads metadata and checks that its parts fit together; of chunks it only looks that they are
/// there. Iterative: memory follows the width of one directory at each depth. Not thread-safe.
class ReachabilityWalk {
 public:
  /// What is wrong, and the place: "users/ada@3:/home/ada/x".
  using Report = std::function<void(const std::string& where, const Error& error)>;
  /// `repository` is borrowed, and its index must be fresh: what it does not know counts as
  /// missing.
  ReachabilityWalk(Repository& repository, Report report)
      : repository_(repository), report_(std::move(report)) {}

  /// Chunks whose bytes were found wrong; each use of one is reported.
  void expect_damaged(std::unordered_set<EntryKey> damaged) { damaged_ = std::move(damaged); }
  /// `where` is what `root` belongs to. What is wrong is reported and the walk goes on. Errors:
  /// ENETUNREACH (kOffline).
  Result<void> walk(const RootId& root, const std::string& where);
  [[nodiscard]] const EntryMarks& marks() const { return marks_; }

 private:
  /// What an entry should be, as far as whoever refers to it says so.
  struct Expected {
    bool is_top = true;
    std::uint8_t level = 0;   ///< pages below the top
    std::string last_key;     ///< pages below the top
    PageSummary summary;      ///< pages; of a top only subdirectories and marked
    std::uint64_t bytes = 0;  ///< recipes: size of the content; recipe pages: their span
    LeafHash subtree{};       ///< recipe pages
  };
  struct Task {
    EntryKey key;
    std::string where;
    Expected expected;
  };

  Result<void> visit(const Task& task);
  /// Reads the entry's parts and puts what it refers to on the list.
  Result<void> visit_parts(const Task& task, Bytes raw);
  Result<void> visit_root(const Task& task, Bytes raw);
  Result<void> visit_directory_page(const Task& task, Bytes raw);
  Result<void> visit_link_page(const Task& task, Bytes raw);
  Result<void> visit_recipe(const Task& task, Bytes raw);
  Result<void> visit_recipe_page(const Task& task, Bytes raw);
  void expect_directory(const DirectoryRef& directory, const std::string& where);
  void expect_children(EntryType type, const std::vector<IndexItem>& children, std::uint8_t level,
                       const std::string& where);
  void expect_xattrs(const XattrsRef& xattrs, const std::string& where);
  Result<void> expect_content(const ContentId& content, const std::string& where);
  Result<void> expect_body(const RecipeBody& body, std::uint64_t span_bytes,
                           const std::string& where);
  Result<void> expect_chunk(const ChunkId& id, std::uint64_t bytes_min, const std::string& where);
  Result<void> report(const std::string& where, const Error& error);

  Repository& repository_;
  Report report_;
  EntryMarks marks_;
  std::unordered_set<EntryKey> damaged_;
  std::unordered_set<EntryKey> missing_;  ///< reported already
  std::vector<Task> tasks_;
};

}  // namespace satchel::store
