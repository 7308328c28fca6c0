#include "cli/round_fields.h"

#include <doctest/doctest.h>

#include <string>

namespace satchel::cli {
namespace {

TEST_SUITE("cli/round_fields") {
  TEST_CASE("a report survives the way over the control socket") {
    syncer::RoundReport report;
    report.result = syncer::RoundResult::kMerged;
    report.version = 12;
    report.conflicts.push_back({*RelativePath::parse("home/a b\n"), syncer::ConflictKind::kContent,
                                syncer::LiveSide::kClient});
    report.busy.push_back(*RelativePath::parse("home/log"));
    report.counts = {.files_opened = 1,
                     .files_hashed = 2,
                     .pages_encoded = 3,
                     .chunks_new = 4,
                     .bytes_sent = 5,
                     .bytes_received = 6,
                     .round_trips = 7,
                     .seconds = 0.25};
    const std::string line = fs::encode_control_line({"ok", to_fields(report)});
    const auto decoded = fs::decode_control_line(line.substr(0, line.size() - 1));
    REQUIRE(decoded.has_value());
    const fs::ControlFields& fields = decoded->fields;
    CHECK(fs::find_field(fields, "result") == "merged");
    CHECK(find_number(fields, "version") == 12);
    CHECK(fs::find_field(fields, "conflict_path") == "/home/a b\n");
    CHECK(fs::find_field(fields, "conflict_kind") == "content");
    CHECK(fs::find_field(fields, "busy") == "/home/log");
    const Json last = last_round(fields);
    CHECK(last == Json{{"files_opened", 1},
                       {"files_hashed", 2},
                       {"pages_encoded", 3},
                       {"chunks_new", 4},
                       {"bytes_sent", 5},
                       {"bytes_received", 6},
                       {"round_trips", 7},
                       {"seconds", 0.25}});
  }

  TEST_CASE("without a round there is no last one") {
    CHECK(last_round({}).is_null());
    CHECK(find_number({{"x", "nonsense"}}, "x") == 0);
    CHECK(find_number({}, "x") == 0);
  }
}

}  // namespace
}  // namespace satchel::cli
