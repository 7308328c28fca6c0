// Groups of a view: what belongs to one, and whether it is quiet.
#pragma once

#include "fs/view.h"
#include "store/live_groups.h"

namespace satchel::fs {

/// Borrows the view and the rules by which paths belong to groups. Thread-safe.
class ViewGroups final : public store::LiveGroups {
 public:
  ViewGroups(View& view, const redirector::Router& router) : view_(view), router_(router) {}

  [[nodiscard]] std::optional<store::PathGroup> find_group(const RelativePath& path,
                                                           store::Kind kind) const override;
  Result<std::vector<store::GroupMember>> list_members(const store::PathGroup& group) override;
  Result<std::vector<store::Unrest>> find_unrest(const store::PathGroup& group,
                                                 const store::QuietTerms& terms) override;

 private:
  [[nodiscard]] bool is_member(const store::PathGroup& group, const RelativePath& path,
                               store::Kind kind) const;
  View& view_;
  const redirector::Router& router_;
};

}  // namespace satchel::fs
