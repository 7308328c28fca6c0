// How a case says that this machine cannot run it. `packaging/check.sh` counts that as a failure.
#pragma once

#include <cstdio>

/// Ends the test case as skipped: SATCHEL_SKIP("no /dev/fuse");
#define SATCHEL_SKIP(reason)                                  \
  do {                                                        \
    (void)std::fprintf(stderr, "SATCHEL-SKIP: " reason "\n"); \
    return;                                                   \
  } while (false)
