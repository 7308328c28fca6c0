#include "fs/fuse_listing.h"

#include <memory>
#include <vector>

namespace satchel::fs {
namespace {

struct DirectoryItems {
  std::shared_ptr<Listing> listing;
  std::vector<View::DirectoryItem> items;  ///< with the kernel's offsets
};

/// The items from `offset` on that fit into `size` bytes, each taking what `bytes_of` says.
Result<DirectoryItems> items_that_fit(fuse_req_t req, NodeId directory, off_t kernel_offset,
                                      std::size_t size,
                                      std::size_t (*bytes_of)(fuse_req_t, const char*)) {
  const auto offset = static_cast<std::uint64_t>(kernel_offset);
  DirectoryItems found;
  SATCHEL_ASSIGN(found.listing, served(req).listings.at(directory, offset));
  std::size_t used = 0;
  SATCHEL_TRY(served(req).view.read_directory(
      found.listing->handle(), Listing::from_kernel(offset), [&](const View::DirectoryItem& item) {
        used += bytes_of(req, item.name.c_str());
        if (used > size) return false;
        found.items.push_back(item);
        found.items.back().next_offset = found.listing->to_kernel(item.next_offset);
        return true;
      }));
  if (found.items.empty()) served(req).listings.end(*found.listing);
  return found;
}

struct stat to_stat(const View::DirectoryItem& item) {
  struct stat stat {};
  stat.st_ino = item.ino;
  stat.st_mode = item.type;
  return stat;
}

bool is_dot(const std::string& name) {
  return name == "." || name == "..";
}

/// What the kernel is told of `item`: its node if it is still there, else type and number only.
Result<fuse_entry_param> entry_param_of(fuse_req_t req, NodeId directory,
                                        const View::DirectoryItem& item,
                                        std::vector<NodeId>& nodes) {
  fuse_entry_param plain{};
  plain.attr = to_stat(item);
  if (is_dot(item.name)) return plain;
  const auto found = served(req).view.lookup(directory, Name::checked(item.name));
  if (!found && found.error().code == ENOENT) return plain;
  SATCHEL_TRY(found);
  nodes.push_back(found->node);
  return to_entry_param(req, *found);
}

Result<DirectoryPlusReply> read_directory_plus(fuse_req_t req, NodeId directory, std::size_t size,
                                               off_t offset) {
  SATCHEL_ASSIGN(const auto found,
                 items_that_fit(req, directory, offset, size, [](fuse_req_t r, const char* name) {
                   return fuse_add_direntry_plus(r, nullptr, 0, name, nullptr, 0);
                 }));
  const std::span<char> buffer = reply_buffer(req, size);
  DirectoryPlusReply reply;
  reply.entries.bytes = buffer.data();
  for (const auto& item : found.items) {
    const auto param = entry_param_of(req, directory, item, reply.nodes);
    if (!param) {
      if (reply.entries.size > 0) break;  // the error comes with the next request
      return param.error();
    }
    reply.entries.size += fuse_add_direntry_plus(
        req, buffer.data() + reply.entries.size, buffer.size() - reply.entries.size,
        item.name.c_str(), &*param, static_cast<off_t>(item.next_offset));
  }
  return reply;
}

}  // namespace

void answer_readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                    fuse_file_info* /*info*/) {
  answer(req, "readdir", [&]() -> Result<BytesReply> {
    SATCHEL_ASSIGN(
        const auto found,
        items_that_fit(req, NodeId{ino}, offset, size, [](fuse_req_t r, const char* name) {
          return fuse_add_direntry(r, nullptr, 0, name, nullptr, 0);
        }));
    const std::span<char> buffer = reply_buffer(req, size);
    std::size_t used = 0;
    for (const auto& item : found.items) {
      const struct stat stat = to_stat(item);
      used += fuse_add_direntry(req, buffer.data() + used, buffer.size() - used, item.name.c_str(),
                                &stat, static_cast<off_t>(item.next_offset));
    }
    return BytesReply{buffer.data(), used};
  });
}

void answer_readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                        fuse_file_info* /*info*/) {
  answer(req, "readdirplus", [&] { return read_directory_plus(req, NodeId{ino}, size, offset); });
}

}  // namespace satchel::fs
