#include "cli/group_report.h"

namespace satchel::cli {

Result<fs::ControlFields> describe_group(store::LiveGroups& groups, const store::PathGroup& group) {
  fs::ControlFields fields{{"group", group.name + "@" + group.root.absolute()}};
  SATCHEL_ASSIGN(const auto members, groups.list_members(group));
  fields.emplace_back("members", std::to_string(members.size()));
  for (const store::GroupMember& member : members) {
    if (fields.size() >= kGroupMembersNamed) break;
    fields.emplace_back("member", member.path.absolute());
  }
  SATCHEL_ASSIGN(const auto unrest, groups.find_unrest(group, {.unchanged_for = kGroupSettles}));
  for (const store::Unrest& moving : unrest) {
    const bool is_open = moving.cause == store::Unrest::Cause::kOpenForWriting;
    fields.emplace_back(is_open ? "open" : "changed", moving.path.absolute());
  }
  return fields;
}

}  // namespace satchel::cli
