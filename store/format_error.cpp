#include "store/format_error.h"

#include <string>

namespace satchel::store {

Error contradiction(std::string_view why) {
  return {.code = EUCLEAN, .sat = Sat::kContradiction, .message = std::string(why)};
}

Error corrupted(std::string_view why) {
  return {.code = EBADMSG, .sat = Sat::kCorrupted, .message = std::string(why)};
}

Error newer_format(std::string_view what) {
  return {.code = ENOTSUP,
          .sat = Sat::kNewerFormat,
          .message = "unknown " + std::string(what),
          .hint = "a newer version of Satchel may know it"};
}

Error beyond_limit(std::string_view what) {
  return {.code = E2BIG, .sat = Sat::kLimit, .message = std::string(what)};
}

}  // namespace satchel::store
