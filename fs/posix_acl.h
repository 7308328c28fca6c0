// POSIX ACLs as xattrs: how they and the mode bits follow each other. Pure. See acl(5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/entry.h"

namespace satchel::fs {

inline constexpr std::string_view kAccessAclXattr = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAclXattr = "system.posix_acl_default";
inline constexpr std::string_view kCapabilityXattr = "security.capability";

/// One line of an ACL, with the kernel's numbers.
struct AclEntry {
  enum Tag : std::uint16_t {
    kUserObject = 0x01,
    kUser = 0x02,
    kGroupObject = 0x04,
    kGroup = 0x08,
    kMask = 0x10,
    kOther = 0x20,
  };
  std::uint16_t tag = 0;
  std::uint16_t permissions = 0;
  std::uint32_t id = 0;
  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};
using Acl = std::vector<AclEntry>;

/// The kernel's xattr format. Errors: EINVAL (also an ACL that breaks acl(5)'s rules), EOPNOTSUPP
/// (unknown version).
Result<Acl> decode_acl(std::string_view value);
std::string encode_acl(const Acl& acl);

/// The mode bits that `acl` stands for, and whether they say all of it.
struct AclMode {
  std::uint16_t mode = 0;  ///< 0777
  bool is_all = true;
};
AclMode mode_of_acl(const Acl& acl);

/// What a new inode gets in a directory with the default ACL `directory_default`.
struct InheritedAcl {
  std::uint16_t mode = 0;     ///< `mode` restricted by the ACL, in place of the umask
  std::optional<Acl> access;  ///< if the mode does not say all of it
};
InheritedAcl inherit_acl(Acl directory_default, std::uint16_t mode);

/// chmod(2): the access ACL in `xattrs`, if there is one, follows `mode`.
void apply_mode_to_acl(std::uint16_t mode, store::Xattrs& xattrs);

}  // namespace satchel::fs
