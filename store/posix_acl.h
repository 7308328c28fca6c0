// POSIX access control lists as the kernel keeps them in the xattrs system.posix_acl_access and
// system.posix_acl_default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace satchel::store {

inline constexpr std::string_view kAccessAclXattr = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAclXattr = "system.posix_acl_default";

/// Values are the kernel's, which also sorts entries by them.
enum class AclTag : std::uint16_t {
  kOwner = 0x01,
  kUser = 0x02,
  kOwningGroup = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

struct AclEntry {
  AclTag tag = AclTag::kOwner;
  std::uint32_t id = 0;           ///< of kUser and kGroup, else 0
  std::uint16_t permissions = 0;  ///< rwx as 4, 2, 1
  friend auto operator<=>(const AclEntry&, const AclEntry&) = default;
};

/// The xattr's value, entries in the kernel's order.
std::string encode_acl(std::vector<AclEntry> entries);

/// The permission bits of a mode that belong to an access list: the group's are those of the mask.
std::uint16_t mode_of_acl(const std::vector<AclEntry>& entries);

}  // namespace satchel::store
