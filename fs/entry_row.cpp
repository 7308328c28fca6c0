#include "fs/entry_row.h"

namespace satchel::fs {

LiveFields live_fields_of(const store::Entry& entry) {
  LiveFields live;
  if (entry.kind == store::Kind::kFile) live.size = entry.content.size;
  if (entry.kind == store::Kind::kSymlink) live.size = entry.target.size();
  if (entry.is_directory()) live.size = kDirectoryBytes;
  if (entry.kind != store::Kind::kSymlink) {
    live.blocks = (live.size + kBlockBytes - 1) / kBlockBytes;
  }
  live.atime = entry.attributes.mtime;
  live.mtime = entry.attributes.mtime;
  live.ctime = entry.attributes.mtime;
  return live;
}

Result<InodeRow> row_of_entry(const BaseTree& base, const store::LocatedEntry& located) {
  const store::Entry& entry = located.entry;
  InodeRow row;
  row.kind = entry.kind;
  row.file_id = located.file_id;
  row.mode = entry.attributes.mode;
  row.uid = entry.attributes.uid;
  row.gid = entry.attributes.gid;
  SATCHEL_ASSIGN(row.xattrs, base.xattrs(entry));
  row.target = entry.target;
  row.device = entry.device;
  row.btime = entry.attributes.mtime;
  row.live = live_fields_of(entry);
  row.subdirectories = entry.directory.subdirectories;
  if (entry.kind == store::Kind::kFile) row.content = entry.content;
  return row;
}

}  // namespace satchel::fs
