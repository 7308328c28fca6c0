#include "cli/output.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::cli {
namespace {

TEST_SUITE("cli/output") {
  TEST_CASE("bytes are base64 as RFC 4648 says") {
    struct Row {
      std::string bytes, text;
    };
    const Row rows[] = {{"", ""},
                        {"f", "Zg=="},
                        {"fo", "Zm8="},
                        {"foo", "Zm9v"},
                        {"foob", "Zm9vYg=="},
                        {"fooba", "Zm9vYmE="},
                        {"foobar", "Zm9vYmFy"},
                        {std::string("\xff\x00\xfe", 3), "/wD+"}};
    for (const Row& row : rows) CHECK(to_base64(row.bytes) == row.text);
  }

  TEST_CASE("a text that is not UTF-8 stands in base64 under a name of its own") {
    Json object;
    set_text(object, "path", "/home/\xc3\xa4");
    set_text(object, "other", "/home/\xff");
    CHECK(object["path"] == "/home/\xc3\xa4");
    CHECK(!object.contains("other"));
    CHECK(object["other_b64"] == to_base64("/home/\xff"));
    CHECK(is_utf8("plain"));
    CHECK(!is_utf8("\xc3"));
    CHECK(!is_utf8("\xed\xa0\x80"));
  }

  TEST_CASE("sizes are IEC with one digit") {
    CHECK(to_size(0) == "0 B");
    CHECK(to_size(1023) == "1023 B");
    CHECK(to_size(1024) == "1.0 KiB");
    CHECK(to_size(4 * 1024 * 1024 + 200 * 1024) == "4.2 MiB");
    CHECK(to_size(5ULL << 40U) == "5.0 TiB");
    CHECK(to_size(5000ULL << 40U) == "5000.0 TiB");
  }

  TEST_CASE("times in JSON keep their nanoseconds") {
    CHECK(to_time({.seconds = 1'700'000'000, .nanoseconds = 7}) ==
          "2023-11-14T22:13:20.000000007Z");
  }

  TEST_CASE("an interruption is an envelope like every other error") {
    Session session;
    CHECK(interruption_text(session, "import").empty());
    session.is_json = true;
    const Json document = Json::parse(interruption_text(session, "import"));
    CHECK(document["satchel"] == 1);
    CHECK(document["command"] == "import");
    CHECK(document["ok"] == false);
    CHECK(document["error"]["code"] == "SAT-0901");
    CHECK(document["error"]["exit"] == 130);
  }
}

}  // namespace
}  // namespace satchel::cli
