#include "fs/local_filesystem.h"

#include <doctest/doctest.h>

namespace satchel::fs {

TEST_SUITE("fs/local_filesystem") {
  TEST_CASE("memory is on this machine, and what is not known counts as far away") {
    CHECK(is_on_this_machine({"/dev/shm"}).value());
    CHECK_FALSE(is_on_this_machine({"/proc"}).value());
    CHECK(is_on_this_machine({"/dev/shm/no/such/place"}).error().code == ENOENT);
  }
}

}  // namespace satchel::fs
