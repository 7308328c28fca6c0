// The row that a base entry gets when it is changed for the first time.
#pragma once

#include "fs/base_tree.h"
#include "fs/upper_rows.h"

namespace satchel::fs {

/// What a directory's size is said to be.
inline constexpr std::uint64_t kDirectoryBytes = 4096;
/// The unit of st_blocks.
inline constexpr std::uint64_t kBlockBytes = 512;

/// Times, size and blocks of a base entry: it has no ctime, so its mtime stands for it.
LiveFields live_fields_of(const store::Entry& entry);

/// A row with one name and the entry's attributes; a file's bytes stay where they are. What makes a
/// directory's row (place, base, subdirectories) is the caller's. Errors: those of the tree store.
Result<InodeRow> row_of_entry(const BaseTree& base, const store::LocatedEntry& located);

}  // namespace satchel::fs
