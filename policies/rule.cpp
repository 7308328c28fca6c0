#include "policies/rule.h"

#include <ostream>

namespace satchel::policies {

std::string_view to_text(Action action) {
  switch (action) {
    case Action::kSync:
      return "sync";
    case Action::kMachine:
      return "machine";
    case Action::kLocal:
      return "local";
    case Action::kDiscard:
      return "discard";
    case Action::kImage:
      return "image";
    case Action::kDeny:
      return "deny";
  }
  SATCHEL_ASSERT(false);
  return {};
}

std::string_view to_text(DataClass data_class) {
  switch (data_class) {
    case DataClass::kData:
      return "data";
    case DataClass::kSysdata:
      return "sysdata";
    case DataClass::kApp:
      return "app";
  }
  SATCHEL_ASSERT(false);
  return {};
}

std::string_view to_text(Merge merge) {
  switch (merge) {
    case Merge::kByPolicy:
      return "by-policy";
    case Merge::kFile:
      return "file";
    case Merge::kText:
      return "text";
    case Merge::kIni:
      return "ini";
    case Merge::kJson:
      return "json";
    case Merge::kLinesUnion:
      return "lines-union";
    case Merge::kSqlite:
      return "sqlite";
    case Merge::kKeyring:
      return "keyring";
    case Merge::kOurs:
      return "ours";
    case Merge::kTheirs:
      return "theirs";
  }
  SATCHEL_ASSERT(false);
  return {};
}

std::string_view to_text(Prefer prefer) {
  switch (prefer) {
    case Prefer::kByPolicy:
      return "by-policy";
    case Prefer::kClient:
      return "client";
    case Prefer::kServer:
      return "server";
  }
  SATCHEL_ASSERT(false);
  return {};
}

std::ostream& operator<<(std::ostream& out, const Decision& decision) {
  out << to_text(decision.action) << " class=" << to_text(decision.data_class);
  if (!decision.attributes.group.empty()) {
    out << " group=" << decision.attributes.group << "@" << decision.group_root_names;
  }
  return out << " (" << decision.rule << ", " << decision.origin << ")";
}

RelativePath group_root_of(const RelativePath& path, const Decision& decision) {
  RelativePath root;
  std::size_t names_left = decision.group_root_names;
  for (const Name& name : path.names()) {
    if (names_left-- == 0) break;
    root = root / name;
  }
  return root;
}

}  // namespace satchel::policies
