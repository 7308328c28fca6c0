#include "cli/reference.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::cli {
namespace {

TEST_SUITE("cli/reference") {
  TEST_CASE("a reference is a name, perhaps a version, perhaps a path") {
    struct Row {
      std::string text, name;
      std::optional<store::VersionNumber> number;
      std::optional<std::string> path;
    };
    const Row rows[] = {
        {"ada@7", "ada", 7, {}},
        {"ada", "ada", {}, {}},
        {"ada@main", "ada", {}, {}},
        {"os/debian12@1:etc/motd", "os/debian12", 1, "etc/motd"},
        {"lab@2:/", "lab", 2, "/"},
        {"lab:with:colon@home", "lab", {}, "with:colon@home"},
        {"users/ada@3:", "users/ada", 3, ""},
    };
    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto reference = parse_reference(row.text);
      REQUIRE(reference.has_value());
      CHECK(reference->name == row.name);
      CHECK(reference->number == row.number);
      CHECK(reference->path == row.path);
    }
  }

  TEST_CASE("what stands after @ must be a version") {
    for (const std::string text : {"ada@", "ada@0", "ada@x", "ada@1x", "ada@-1", "ada@ 1",
                                   "ada@99999999999999999999", "ada@1@2"}) {
      CAPTURE(text);
      const auto reference = parse_reference(text);
      REQUIRE(!reference.has_value());
      CHECK(reference.error().sat == Sat::kUsage);
    }
  }

  TEST_CASE("a layer or image for a recipe has a number and no path") {
    CHECK(parse_layer_version("os/debian12@3")->number == 3);
    CHECK(parse_image_version("lab@1")->name.text() == "lab");
    CHECK(parse_layer_version("os/debian12").error().sat == Sat::kUsage);
    CHECK(parse_layer_version("os/debian12@3:etc").error().sat == Sat::kUsage);
    CHECK(parse_layer_version("planet/x@1").error().sat == Sat::kBadName);
    CHECK(parse_image_version("Lab@1").error().sat == Sat::kBadName);
  }
}

}  // namespace
}  // namespace satchel::cli
