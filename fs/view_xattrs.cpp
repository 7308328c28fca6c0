// Extended attributes, POSIX ACLs among them.

#include <sys/stat.h>
#include <sys/xattr.h>

#include "fs/change.h"
#include "fs/posix_acl.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kValueBytesMax = 65536;
/// What the mount's process says of a path, in the form of attributes.
constexpr std::string_view kExplained = "user.satchel.";
/// Of SELinux, which keeps the labels of such mounts itself: here it is a value like others.
constexpr std::string_view kLabel = "security.selinux";

Result<store::Xattrs> xattrs_of(ViewState& view, Node& node) {
  if (node.inode) return node.inode->row.xattrs;
  SATCHEL_ASSIGN(const auto located, view.base_entry(node));
  if (located.entry.attributes.xattrs.is_empty()) return store::Xattrs{};
  return view.base->xattrs(located.entry);
}

bool is_acl(std::string_view name) {
  return name == kAccessAclXattr || name == kDefaultAclXattr;
}

Result<void> check_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return errno_answer(ERANGE);
  for (const std::string_view prefix : {"user.", "trusted.", "security."}) {
    if (name == prefix) return errno_answer(EINVAL);
    if (name.starts_with(prefix)) return {};
  }
  if (is_acl(name)) return {};
  return errno_answer(EOPNOTSUPP);
}

Result<std::string> explained(ViewState& view, NodeId id, std::string_view key) {
  RelativePath path;
  NodeStat stat;
  {
    const std::shared_lock lock(view.names);
    SATCHEL_ASSIGN(const NodeRef node, view.require(id));
    SATCHEL_ASSIGN(path, view.seen_path_of(*node));
    SATCHEL_ASSIGN(stat, view.stat_of(*node));
  }
  SATCHEL_ASSIGN(std::string text, view.explainer(path, stat, key));
  if (text.empty()) return errno_answer(ENODATA);
  return text;
}

/// Sets an ACL, and with the access ACL the mode; an ACL that the mode says all of is not kept.
Result<void> set_acl(InodeRow& row, const std::string& name, std::string_view value) {
  SATCHEL_ASSIGN(const Acl acl, decode_acl(value));
  if (name == kDefaultAclXattr) {
    if (row.kind != store::Kind::kDirectory) return errno_answer(EACCES);
    if (acl.empty()) {
      row.xattrs.erase(name);
    } else {
      row.xattrs[name] = encode_acl(acl);
    }
    return {};
  }
  if (row.kind == store::Kind::kSymlink) return errno_answer(EOPNOTSUPP);
  if (acl.empty()) {
    row.xattrs.erase(name);
    return {};
  }
  const AclMode mode = mode_of_acl(acl);
  row.mode = static_cast<std::uint16_t>((row.mode & 07000) | mode.mode);
  if (mode.is_all) {
    row.xattrs.erase(name);
  } else {
    row.xattrs[name] = encode_acl(acl);
  }
  return {};
}

}  // namespace

Result<std::string> View::get_xattr(NodeId id, const std::string& name) {
  if (state_->explainer && name.starts_with(kExplained)) {
    return explained(*state_, id, std::string_view(name).substr(kExplained.size()));
  }
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  SATCHEL_ASSIGN(auto xattrs, xattrs_of(*state_, *node));
  const auto found = xattrs.find(name);
  if (found == xattrs.end()) {
    SATCHEL_TRY(check_name(name));
    // ls(1) asks for a label at each name of a filesystem that could have one.
    return errno_answer(name == kLabel ? EOPNOTSUPP : ENODATA);
  }
  return std::move(found->second);
}

Result<std::vector<std::string>> View::list_xattrs(NodeId id) {
  const std::shared_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  SATCHEL_ASSIGN(const auto xattrs, xattrs_of(*state_, *node));
  std::vector<std::string> found;
  found.reserve(xattrs.size());
  for (const auto& [name, value] : xattrs) found.push_back(name);
  return found;
}

Result<void> View::set_xattr(NodeId id, const std::string& name, std::string_view value,
                             XattrMode mode) {
  SATCHEL_TRY(state_->require_writable());
  SATCHEL_TRY(check_name(name));
  if (state_->explainer && name.starts_with(kExplained)) return errno_answer(EPERM);
  if (value.size() > kValueBytesMax) return errno_answer(E2BIG);
  const std::unique_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  SATCHEL_TRY(state_->check_change(*node));
  SATCHEL_ASSIGN(const auto existing, xattrs_of(*state_, *node));
  const bool is_new = mode == XattrMode::kCreate || mode == XattrMode::kNever;
  if (is_new && existing.contains(name)) return errno_answer(EEXIST);
  const bool is_old = mode == XattrMode::kReplace || mode == XattrMode::kNever;
  if (is_old && !existing.contains(name)) return errno_answer(ENODATA);
  Change change(*state_);
  change.takes_space();
  SATCHEL_ASSIGN(Change::Edit * edit, change.edit(*node));
  if (is_acl(name)) {
    SATCHEL_TRY(set_acl(edit->row, name, value));
  } else {
    edit->row.xattrs[name] = value;
    if (store::encode_xattrs(edit->row.xattrs).size() > store::XattrsRef::kObjectBytesMax) {
      return errno_answer(ENOSPC);
    }
  }
  edit->row.own_attributes = true;
  edit->ctime = change.now();
  return change.commit();
}

Result<void> View::remove_xattr(NodeId id, const std::string& name) {
  SATCHEL_TRY(state_->require_writable());
  SATCHEL_TRY(check_name(name));
  if (state_->explainer && name.starts_with(kExplained)) return errno_answer(EPERM);
  const std::unique_lock lock(state_->names);
  SATCHEL_ASSIGN(const NodeRef node, state_->require(id));
  SATCHEL_TRY(state_->check_change(*node));
  SATCHEL_ASSIGN(const auto existing, xattrs_of(*state_, *node));
  if (!existing.contains(name)) {
    // An ACL that says no more than the mode is as good as none, so to remove it is no fault.
    if (is_acl(name)) return {};
    return errno_answer(ENODATA);
  }
  Change change(*state_);
  SATCHEL_ASSIGN(Change::Edit * edit, change.edit(*node));
  edit->row.xattrs.erase(name);
  edit->row.own_attributes = true;
  edit->ctime = change.now();
  return change.commit();
}

}  // namespace satchel::fs
