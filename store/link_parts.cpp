#include "store/link_parts.h"

#include <algorithm>

#include "base/sha256.h"

namespace satchel::store {
namespace {

using Part = std::vector<const std::pair<const std::string, Entry>*>;

/// In order of their first paths.
std::vector<Part> parts_of(const std::map<std::string, Entry>& names) {
  std::vector<Part> parts;
  std::map<std::vector<std::byte>, std::size_t> by_fields;
  for (const auto& name : names) {
    if (!name.second.linked) {
      parts.push_back({&name});
      continue;
    }
    Entry fields = name.second;  // all but the name, and the file id that is the same for all
    fields.name = Entry().name;
    fields.file_id.reset();
    ByteWriter encoded;
    encode_entry(fields, encoded);
    const auto [place, is_new] = by_fields.emplace(encoded.take(), parts.size());
    if (is_new) parts.emplace_back();
    parts[place->second].push_back(&name);
  }
  return parts;
}

}  // namespace

FileId split_file_id(const FileId& file_id, std::string_view path) {
  Sha256 hash;
  hash.update(as_bytes("satchel-split-0")).update(file_id.bytes).update(as_bytes(path));
  const Sha256Value value = hash.finish();
  FileId id;
  std::copy_n(value.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

void LinkRepair::part(const FileId& file_id, const std::map<std::string, Entry>& names,
                      FirstPart first_part) {
  bool keeps_id = first_part == FirstPart::kKeepsId;
  for (const Part& part : parts_of(names)) {
    const FileId new_id = keeps_id ? file_id : split_file_id(file_id, part.front()->first);
    for (const auto* name : part) {
      change(file_id, new_id, name->first, name->second, part.size() > 1);
    }
    keeps_id = false;
  }
}

void LinkRepair::change(const FileId& old_id, const FileId& new_id, const std::string& path,
                        const Entry& old_entry, bool is_linked) {
  if (new_id == old_id && is_linked == old_entry.linked) return;
  Entry entry = old_entry;
  if (new_id != old_id) entry.file_id = new_id;
  entry.linked = is_linked;
  edits_.insert_or_assign(path, std::move(entry));
  if (old_entry.linked) gone_.insert({old_id, path});
  if (is_linked) come_.insert({new_id, path});
}

Result<Root> LinkRepair::apply(TreeStore& trees, const Root& root) const {
  SATCHEL_ASSIGN(Root repaired, edit_tree(trees, root, edits_));
  SATCHEL_ASSIGN(repaired.links, edit_links(trees, root.links, gone_, come_));
  return repaired;
}

}  // namespace satchel::store
