#include "base/error.h"

#include <doctest/doctest.h>

#include <set>
#include <sstream>
#include <string>

namespace satchel {
namespace {

TEST_SUITE("base/error") {
  TEST_CASE("each number has its own description and the exit code that scripts rely on") {
    struct Row {
      Sat number;
      int exit_code;
    };
    const Row rows[] = {
        {Sat::kNone, 1},           {Sat::kInternal, 1},
        {Sat::kUsage, 2},          {Sat::kBadName, 2},
        {Sat::kDenied, 8},         {Sat::kRuleSyntax, 2},
        {Sat::kNotFound, 9},       {Sat::kAlreadyExists, 1},
        {Sat::kNotARepository, 9}, {Sat::kWrongRepository, 7},
        {Sat::kStoreInUse, 6},     {Sat::kMountPoint, 9},
        {Sat::kNotAMount, 13},     {Sat::kNoSpace, 10},
        {Sat::kReadOnly, 1},       {Sat::kIo, 1},
        {Sat::kMissingFeature, 1}, {Sat::kTransport, 13},
        {Sat::kOffline, 5},        {Sat::kTimeout, 124},
        {Sat::kCorrupted, 7},      {Sat::kContradiction, 7},
        {Sat::kMissingContent, 7}, {Sat::kBadArchive, 7},
        {Sat::kNewerFormat, 12},   {Sat::kLimit, 7},
        {Sat::kConflicts, 4},      {Sat::kDeleteBrake, 3},
        {Sat::kLostRace, 1},       {Sat::kBusyFile, 3},
        {Sat::kInterrupted, 130},
    };
    std::set<std::string> titles;
    for (const Row& row : rows) {
      CAPTURE(static_cast<int>(row.number));
      const SatDescription& description = describe(row.number);
      CHECK(description.number == row.number);
      CHECK(description.exit_code == row.exit_code);
      CHECK(titles.insert(std::string(description.title)).second);
      CHECK_FALSE(description.title.empty());
      CHECK_FALSE(description.title.ends_with('.'));
      CHECK(exit_code_of({.code = EIO, .sat = row.number}) == row.exit_code);
    }
  }

  TEST_CASE("an unknown number is described as a bug") {
    CHECK(describe(static_cast<Sat>(999)).number == Sat::kInternal);
  }

  TEST_CASE("an error without a number gets its exit code from errno") {
    struct Row {
      int code;
      int exit_code;
    };
    const Row rows[] = {{ENOENT, 9},    {ENOSPC, 10},     {EDQUOT, 10}, {EACCES, 8},
                        {EPERM, 8},     {EBADMSG, 7},     {EUCLEAN, 7}, {ENETUNREACH, 5},
                        {ENOTCONN, 13}, {ETIMEDOUT, 124}, {EEXIST, 1},  {EIO, 1}};
    for (const Row& row : rows) {
      CAPTURE(row.code);
      CHECK(exit_code_of({.code = row.code}) == row.exit_code);
    }
  }

  TEST_CASE("the text names path, reason and next step, in that order") {
    CHECK(to_text({.code = ENOENT, .path = "/a/b"}) == "/a/b: No such file or directory");
    CHECK(to_text({.code = ENOENT,
                   .message = "no such image",
                   .path = "lab@3",
                   .hint = "run `satchel image ls`"}) ==
          "lab@3: no such image (No such file or directory); run `satchel image ls`");
    CHECK(to_text({.code = 4095}) == "error 4095");
  }

  TEST_CASE("a path cannot forge lines or colours in an error's text") {
    const std::string text = to_text({.code = ENOENT, .path = "a\nerror: \x1b[31mb"});
    CHECK(text == "a\\nerror: \\033[31mb: No such file or directory");
  }

  TEST_CASE("errno is taken at once, and a zero errno is still an error") {
    errno = EACCES;
    const Error error = errno_error("/x", "cannot open");
    CHECK(error == Error{.code = EACCES, .message = "cannot open", .path = "/x"});
    errno = 0;
    CHECK(errno_error("/x").code == EIO);
  }

  TEST_CASE("an error shows itself in tests and logs") {
    std::ostringstream shown;
    shown << Error{.code = EBADMSG, .sat = Sat::kCorrupted, .path = "p"};
    CHECK(shown.str() == "Error{74, SAT-0603, p: Bad message}");
  }
}

}  // namespace
}  // namespace satchel
