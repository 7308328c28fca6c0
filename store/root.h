// The root record: what the id of a tree or layer names. docs/format.md, section 3.
#pragma once

#include <vector>

#include "store/entry.h"

namespace satchel::store {

/// A whole tree or layer. A value.
struct Root {
  Attributes attributes;
  DirectoryMark mark = DirectoryMark::kNone;
  DirectoryRef directory;
  PageId links;  ///< top page of the link table; none if nothing is linked

  /// The root's own entry, as stack and diff treat it ("?" as name, root_file_id() as id).
  [[nodiscard]] Entry as_entry() const;
  static Root from_entry(const Entry& entry, const PageId& links);
  /// No marks at all: a tree, not a layer that only happens to be readable as one.
  [[nodiscard]] bool is_tree() const {
    return mark == DirectoryMark::kNone && !directory.marked_below;
  }
  friend bool operator==(const Root&, const Root&) = default;
};

/// The layer that changes nothing.
Root empty_layer();
/// A directory 0755 of root without entries.
Root empty_tree();

std::vector<std::byte> encode_root(const Root& root);
/// Takes any bytes. Errors: EUCLEAN, newer format.
Result<Root> decode_root(Bytes bytes);
/// The id that encode_root(root) has.
RootId root_id(const Root& root);

}  // namespace satchel::store
