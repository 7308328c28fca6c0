// READDIR and READDIRPLUS.
#pragma once

#include "fs/fuse_reply.h"

namespace satchel::fs {

void answer_readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                    fuse_file_info* info);
/// Each name comes with its node and attributes, and counts as looked up.
void answer_readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                        fuse_file_info* info);

}  // namespace satchel::fs
