#include "fs/fuse_caller.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "fs/fuse_reply.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kGroupsMax = 65'536;  // NGROUPS_MAX

bool is_in_group(fuse_req_t req, gid_t gid) {
  if (fuse_req_ctx(req)->gid == gid) return true;
  std::vector<gid_t> groups(64);
  for (;;) {
    const int count = fuse_req_getgroups(req, static_cast<int>(groups.size()), groups.data());
    if (count < 0) return false;  // then sgid goes: too often is safe
    const auto total = static_cast<std::size_t>(count);
    if (total <= groups.size() || groups.size() >= kGroupsMax) {
      groups.resize(std::min(total, groups.size()));
      return std::ranges::find(groups, gid) != groups.end();
    }
    groups.resize(std::min(total, kGroupsMax));
  }
}

// In a user namespace of its own a capability says nothing of our files.
bool shares_user_namespace(pid_t thread) {
  struct stat its {};
  struct stat ours {};
  return ::stat(fmt::format("/proc/{}/ns/user", thread).c_str(), &its) == 0 &&
         ::stat("/proc/self/ns/user", &ours) == 0 && its.st_ino == ours.st_ino;
}

bool has_capability(pid_t thread, unsigned capability) {
  constexpr std::string_view kEffective = "CapEff:\t";
  std::ifstream status(fmt::format("/proc/{}/status", thread));
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kEffective)) continue;
    const auto all = std::strtoull(line.c_str() + kEffective.size(), nullptr, 16);
    return (all >> capability & 1U) != 0;
  }
  return false;
}

}  // namespace

Caller caller_of(fuse_req_t req) {
  const fuse_ctx* const context = fuse_req_ctx(req);
  return {.uid = context->uid, .gid = context->gid, .pid = context->pid, .umask = context->umask};
}

bool is_administrator(fuse_req_t req) {
  const fuse_ctx* const context = fuse_req_ctx(req);
  if (context->uid == 0) return true;
  return has_capability(context->pid, CAP_SYS_ADMIN) && shares_user_namespace(context->pid);
}

Result<void> drop_lone_sgid(fuse_req_t req, NodeId node, std::optional<HandleId> handle) {
  const Caller caller = caller_of(req);
  if (caller.uid == 0) return {};
  SATCHEL_ASSIGN(const NodeStat stat, served(req).view.get_attributes(node));
  const bool is_lone = S_ISREG(stat.mode) && (stat.mode & (S_ISGID | S_IXGRP)) == S_ISGID;
  if (!is_lone || is_in_group(req, stat.gid)) return {};
  AttributeChange change;
  change.mode = stat.mode & 07777U & ~mode_t{S_ISGID};
  SATCHEL_TRY(served(req).view.set_attributes(node, handle, change, caller));
  return {};
}

Result<void> kill_suid_of_others(fuse_req_t req, NodeId node, HandleId handle) {
  SATCHEL_TRY(drop_lone_sgid(req, node, handle));
  const Caller caller = caller_of(req);
  if (caller.uid == 0) return {};
  SATCHEL_ASSIGN(const NodeStat stat, served(req).view.get_attributes(node));
  if ((stat.mode & (S_ISUID | S_ISGID)) == 0) return {};
  AttributeChange change;
  change.kill_suid = true;
  SATCHEL_TRY(served(req).view.set_attributes(node, handle, change, caller));
  return {};
}

Result<void> drop_sgid_after_acl(fuse_req_t req, NodeId node) {
  const Caller caller = caller_of(req);
  if (caller.uid == 0) return {};
  SATCHEL_ASSIGN(const NodeStat stat, served(req).view.get_attributes(node));
  if ((stat.mode & S_ISGID) == 0 || is_in_group(req, stat.gid)) return {};
  AttributeChange change;
  change.mode = stat.mode & 07777U & ~mode_t{S_ISGID};
  SATCHEL_TRY(served(req).view.set_attributes(node, std::nullopt, change, caller));
  return {};
}

}  // namespace satchel::fs
