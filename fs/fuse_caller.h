// Who sent a request, and what a file loses when that one changes it.
#pragma once

#include <optional>

#include "fs/fuse_reply.h"
#include "fs/view.h"

namespace satchel::fs {

Caller caller_of(fuse_req_t req);

/// Root, or with CAP_SYS_ADMIN where we are: then "trusted." xattrs are shown. Reads /proc for all
/// but root, who counts in any case: overlayfs asks as root for anybody, and /proc would tell of
/// that one.
bool is_administrator(fuse_req_t req);

// libfuse tells since 3.18.3 whether the kernel wants suid and sgid gone, which it decides by
// CAP_FSETID. Without that, everybody but root loses them: too often is safe.
template <typename Info>
bool must_kill_suid(fuse_req_t req, const Info& info) {
  if constexpr (requires { info.kill_suidgid; }) {
    return info.kill_suidgid != 0;
  } else {
    return fuse_req_ctx(req)->uid != 0;
  }
}

/// The sgid bit of a file that its group may not execute goes if somebody outside of that group
/// changes bytes or owner; View knows no groups, and clears what goes for everybody.
Result<void> drop_lone_sgid(fuse_req_t req, NodeId node, std::optional<HandleId> handle);
/// For requests that carry no kill flag though they change bytes.
Result<void> kill_suid_of_others(fuse_req_t req, NodeId node, HandleId handle);
/// As chmod(2): an ACL set by somebody outside of the file's group takes its sgid bit away. The
/// kernel leaves that to us.
Result<void> drop_sgid_after_acl(fuse_req_t req, NodeId node);

}  // namespace satchel::fs
