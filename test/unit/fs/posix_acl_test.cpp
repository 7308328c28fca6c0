#include "fs/posix_acl.h"

#include <doctest/doctest.h>

namespace satchel::fs {
namespace {

constexpr std::uint32_t kNoId = UINT32_MAX;

Acl minimal(std::uint16_t user, std::uint16_t group, std::uint16_t other) {
  return {{AclEntry::kUserObject, user, kNoId},
          {AclEntry::kGroupObject, group, kNoId},
          {AclEntry::kOther, other, kNoId}};
}

Acl with_named_user(std::uint16_t permissions, std::uint16_t mask) {
  return {{AclEntry::kUserObject, 7, kNoId},
          {AclEntry::kUser, permissions, 1000},
          {AclEntry::kGroupObject, 5, kNoId},
          {AclEntry::kMask, mask, kNoId},
          {AclEntry::kOther, 5, kNoId}};
}

TEST_SUITE("fs/posix_acl") {
  TEST_CASE("an ACL is the same after encoding and decoding") {
    const Acl acl = with_named_user(6, 7);
    CHECK((decode_acl(encode_acl(acl)).value() == acl));
  }

  TEST_CASE("bytes that are no ACL are refused") {
    CHECK(decode_acl("").error().code == EINVAL);
    CHECK(decode_acl(std::string(12, '\1')).error().code == EOPNOTSUPP);
    CHECK(decode_acl(encode_acl(minimal(7, 5, 5)) + "x").error().code == EINVAL);
    Acl without_mask = with_named_user(6, 7);
    without_mask.erase(without_mask.begin() + 3);
    CHECK(decode_acl(encode_acl(without_mask)).error().code == EINVAL);
    Acl twice = minimal(7, 5, 5);
    twice.push_back({AclEntry::kOther, 5, kNoId});
    CHECK(decode_acl(encode_acl(twice)).error().code == EINVAL);
    Acl too_much = minimal(8, 5, 5);
    CHECK(decode_acl(encode_acl(too_much)).error().code == EINVAL);
  }

  TEST_CASE("the group bits of the mode are the mask, if there is one") {
    CHECK(mode_of_acl(minimal(7, 5, 1)).mode == 0751);
    CHECK(mode_of_acl(minimal(7, 5, 1)).is_all);
    CHECK(mode_of_acl(with_named_user(6, 6)).mode == 0765);
    CHECK_FALSE(mode_of_acl(with_named_user(6, 6)).is_all);
  }

  TEST_CASE("what is made in a directory with a default ACL gets it instead of the umask") {
    const InheritedAcl plain = inherit_acl(minimal(7, 5, 0), 0666);
    CHECK(plain.mode == 0640);
    CHECK_FALSE(plain.access.has_value());
    const InheritedAcl named = inherit_acl(with_named_user(7, 7), 02644);
    CHECK(named.mode == 02644);
    REQUIRE(named.access.has_value());
    CHECK((*named.access)[3].permissions == 4);  // the mask, cut to the group bits
    CHECK((*named.access)[1].permissions == 7);
  }

  TEST_CASE("chmod changes the mask and not what the owning group has") {
    store::Xattrs xattrs{{std::string(kAccessAclXattr), encode_acl(with_named_user(6, 7))}};
    apply_mode_to_acl(0640, xattrs);
    const Acl acl = decode_acl(xattrs.begin()->second).value();
    CHECK(mode_of_acl(acl).mode == 0640);
    CHECK(acl[2].permissions == 5);
  }
}

}  // namespace
}  // namespace satchel::fs
