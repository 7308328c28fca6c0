// FUSE requests as calls of the view.
#pragma once

#include "fs/fuse_reply.h"

namespace satchel::fs {

/// The handlers; the session's user data is a ServedView.
const fuse_lowlevel_ops& fuse_operations();

}  // namespace satchel::fs
