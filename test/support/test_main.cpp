// main() of every doctest program.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
/// TSan cannot see the atomics inside a library that was built without it: what RocksDB orders
/// itself looks like a race there, also where rows that a scan shows are read in its memory. The
/// name is the sanitizer's.
extern "C" const char* __tsan_default_suppressions();
const char* __tsan_default_suppressions() {
  return "race:librocksdb.so\nrace:satchel::store::MetadataDb::scan\n";
}
#endif
