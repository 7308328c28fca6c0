#include "cli/progress_line.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::cli {
namespace {

TEST_SUITE("cli/progress_line") {
  TEST_CASE("rate and time left are said where they are known") {
    const std::chrono::seconds elapsed{10};
    CHECK(to_text("importing", {.files = 3, .bytes = 10 << 20, .bytes_total = 0}, elapsed) ==
          "importing  3 files  10.0 MiB  1.0 MiB/s");
    CHECK(
        to_text("importing", {.files = 3, .bytes = 10 << 20, .bytes_total = 100 << 20}, elapsed) ==
        "importing  3 files  10.0 MiB of 100.0 MiB  (10 %)  1.0 MiB/s  1:30 left");
    CHECK(to_text("importing", {.files = 0, .bytes = 0, .bytes_total = 5}, elapsed) ==
          "importing  0 files  0 B of 5 B  (0 %)  0 B/s");
    CHECK(to_text("importing", {.files = 9, .bytes = 7, .bytes_total = 5}, elapsed) ==
          "importing  9 files  7 B of 5 B  (100 %)  0 B/s");
  }

  TEST_CASE("a quiet command shows none") {
    CHECK(progress_style(true) == ProgressLine::Style::kNone);
  }
}

}  // namespace
}  // namespace satchel::cli
