// What entries and root records encode alike: flags, ownership and xattrs. docs/format.md,
// section 3.
#pragma once

#include <cstdint>

#include "store/entry.h"

namespace satchel::store {

inline constexpr std::uint64_t kFlagFileId = 1;
inline constexpr std::uint64_t kFlagLinked = 2;
inline constexpr std::uint64_t kFlagXattrs = 4;
inline constexpr std::uint64_t kFlagXattrObject = 8;
inline constexpr std::uint64_t kFlagOpaque = 16;
inline constexpr std::uint64_t kFlagInherit = 32;
inline constexpr std::uint64_t kFlagMarkedBelow = 64;
inline constexpr std::uint64_t kFlagHasLinks = 128;  ///< root records only

/// The flags that say where `xattrs` are.
std::uint64_t flags_of(const XattrsRef& xattrs);
/// The flags of a directory: its mark, and whether marks stand below.
std::uint64_t flags_of(DirectoryMark mark, const DirectoryRef& directory);
/// Errors: EUCLEAN (opaque and inherit at once).
Result<DirectoryMark> mark_of(std::uint64_t flags);

/// Mode, uid, gid and mtime.
void encode_ownership(const Attributes& attributes, ByteWriter& out);
/// Leaves `xattrs` alone. Errors: EUCLEAN.
Result<void> decode_ownership(ByteReader& in, Attributes& attributes);

void encode_xattrs_ref(const XattrsRef& xattrs, ByteWriter& out);
/// `flags` say what follows. Errors: EUCLEAN.
Result<XattrsRef> decode_xattrs_ref(ByteReader& in, std::uint64_t flags);

}  // namespace satchel::store
