#include "base/digest.h"

#include <doctest/doctest.h>

#include <sstream>
#include <unordered_set>

namespace satchel {
namespace {

using ThingId = Digest<struct ThingTag>;

TEST_SUITE("base/digest") {
  TEST_CASE("an id survives the way through its hexadecimal form") {
    ThingId id;
    for (std::size_t i = 0; i < ThingId::kBytes; ++i) id.bytes[i] = static_cast<std::byte>(i * 9);
    const Result<ThingId> parsed = ThingId::from_hex(id.hex());
    REQUIRE(parsed);
    CHECK(*parsed == id);
    std::ostringstream shown;
    shown << id;
    CHECK(shown.str() == id.hex());
    CHECK(id.hex().substr(0, 8) == "0009121b");
  }

  TEST_CASE("what is not 64 lower-case hexadecimal digits is EINVAL") {
    const std::string good(64, 'a');
    const std::string rows[] = {"",
                                "a",
                                good.substr(1),
                                good + "a",
                                std::string(64, 'A'),
                                std::string(64, 'g'),
                                std::string(63, '0') + " ",
                                "0x" + std::string(62, '0'),
                                std::string(64, '\0')};
    for (const std::string& row : rows) {
      CAPTURE(row);
      const Result<ThingId> parsed = ThingId::from_hex(row);
      REQUIRE_FALSE(parsed);
      CHECK(parsed.error().code == EINVAL);
    }
  }

  TEST_CASE("only the zero id means none") {
    ThingId id;
    CHECK(id.is_none());
    id.bytes[31] = std::byte{1};
    CHECK_FALSE(id.is_none());
  }

  TEST_CASE("ids order bytewise and hash to different buckets") {
    ThingId low;
    ThingId high;
    low.bytes[31] = std::byte{0xFF};
    high.bytes[0] = std::byte{0x80};
    CHECK((low <=> high) < 0);
    const std::unordered_set<ThingId> set = {low, high, low};
    CHECK(set.size() == 2);
  }

  TEST_CASE("bytes and text are two looks at the same memory") {
    const std::string text("a\0b", 3);
    CHECK(as_text(as_bytes(text)) == text);
    CHECK(to_hex(as_bytes(text)) == "610062");
    CHECK(to_hex({}).empty());
  }
}

}  // namespace
}  // namespace satchel
