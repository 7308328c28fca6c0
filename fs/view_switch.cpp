// The base switch.

#include "fs/view_state.h"

namespace satchel::fs {

Result<void> View::switch_base(const store::BaseSwitch& /*change*/) {
  return Error{.code = ENOTSUP, .message = "not yet"};
}

}  // namespace satchel::fs
