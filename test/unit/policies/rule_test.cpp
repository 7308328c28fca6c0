#include "policies/rule.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace satchel::policies {
namespace {

TEST_SUITE("policies/rule") {
  TEST_CASE("every action has a word of its own, and three of them travel") {
    struct Row {
      Action action;
      std::string word;
      bool travels;
    };
    const Row rows[] = {
        {Action::kSync, "sync", true},    {Action::kMachine, "machine", true},
        {Action::kLocal, "local", false}, {Action::kDiscard, "discard", false},
        {Action::kImage, "image", true},  {Action::kDeny, "deny", false},
    };
    for (const Row& row : rows) {
      CAPTURE(row.word);
      CHECK(to_text(row.action) == row.word);
      CHECK(Decision{.action = row.action}.travels() == row.travels);
    }
  }

  TEST_CASE("every class has a word of its own") {
    CHECK(to_text(DataClass::kData) == "data");
    CHECK(to_text(DataClass::kSysdata) == "sysdata");
    CHECK(to_text(DataClass::kApp) == "app");
  }
}

}  // namespace
}  // namespace satchel::policies
