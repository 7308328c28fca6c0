#include "fs/fuse_listing.h"

#include <memory>
#include <vector>

namespace satchel::fs {
namespace {

struct stat to_stat(const View::DirectoryItem& item) {
  struct stat stat {};
  stat.st_ino = item.ino;
  stat.st_mode = item.type;
  return stat;
}

Result<BytesReply> read_directory(fuse_req_t req, NodeId directory, std::size_t size,
                                  std::uint64_t offset) {
  SATCHEL_ASSIGN(const auto listing, served(req).listings.at(directory, offset));
  const std::span<char> buffer = reply_buffer(req, size);
  std::size_t used = 0;
  SATCHEL_TRY(served(req).view.read_directory(
      listing->handle(), Listing::from_kernel(offset), [&](const View::DirectoryItem& item) {
        const struct stat stat = to_stat(item);
        const std::size_t left = buffer.size() - used;
        const std::size_t bytes =
            fuse_add_direntry(req, buffer.data() + used, left, item.name.c_str(), &stat,
                              static_cast<off_t>(listing->to_kernel(item.next_offset)));
        if (bytes > left) return false;  // and has written nothing
        used += bytes;
        return true;
      }));
  if (used == 0) served(req).listings.end(*listing);
  return BytesReply{buffer.data(), used};
}

Result<DirectoryPlusReply> read_directory_plus(fuse_req_t req, NodeId directory, std::size_t size,
                                               std::uint64_t offset) {
  SATCHEL_ASSIGN(const auto listing, served(req).listings.at(directory, offset));
  const std::span<char> buffer = reply_buffer(req, size);
  DirectoryPlusReply reply;
  reply.entries.bytes = buffer.data();
  std::size_t& used = reply.entries.size;
  const auto has_room = [&](const View::DirectoryItem& item) {
    return used + fuse_add_direntry_plus(req, nullptr, 0, item.name.c_str(), nullptr, 0) <=
           buffer.size();
  };
  const auto visit = [&](const View::DirectoryItem& item, const NodeReply* found) {
    fuse_entry_param entry{};
    entry.attr = to_stat(item);
    if (found != nullptr) {
      reply.nodes.push_back(found->node);
      entry = to_entry_param(req, *found);
    }
    used +=
        fuse_add_direntry_plus(req, buffer.data() + used, buffer.size() - used, item.name.c_str(),
                               &entry, static_cast<off_t>(listing->to_kernel(item.next_offset)));
  };
  const auto read = served(req).view.read_directory_plus(
      listing->handle(), Listing::from_kernel(offset), {.has_room = has_room, .visit = visit});
  if (!read && used == 0) return read.error();  // else it comes with the next request
  if (used == 0) served(req).listings.end(*listing);
  return reply;
}

}  // namespace

void answer_readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                    fuse_file_info* /*info*/) {
  answer(req, "readdir", [&] {
    return read_directory(req, NodeId{ino}, size, static_cast<std::uint64_t>(offset));
  });
}

void answer_readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                        fuse_file_info* /*info*/) {
  answer(req, "readdirplus", [&] {
    return read_directory_plus(req, NodeId{ino}, size, static_cast<std::uint64_t>(offset));
  });
}

}  // namespace satchel::fs
