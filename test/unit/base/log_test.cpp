#include "base/log.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <string>

#include "base/digest.h"
#include "base/file_io.h"
#include "test/support/temp_dir.h"

namespace satchel {
namespace {

std::string text_of(const test::TempDir& directory, std::string_view name) {
  const auto bytes = read_file(directory.fd(), Name::checked(name), 100U << 20U);
  REQUIRE(bytes);
  return std::string(as_text(*bytes));
}

TEST_SUITE("base/log") {
  TEST_CASE("a line is time, level, event and keys; lower levels are left out") {
    const test::TempDir directory;
    const Result<Log> log = Log::to_file(directory.path() / "satchel.log", LogLevel::kInfo);
    REQUIRE(log);
    log->debug("hidden");
    log->info("mounted user={} version={}", "ada", 7);
    log->warn("slow");
    log->error("lost");
    log->flush();
    const std::string text = text_of(directory, "satchel.log");
    CHECK(text.find("hidden") == std::string::npos);
    CHECK(text.find(" info mounted user=ada version=7\n") != std::string::npos);
    CHECK(text.find(" warning slow\n") != std::string::npos);
    CHECK(text.find(" error lost\n") != std::string::npos);
    CHECK(text.substr(0, 2) == "20");
  }

  TEST_CASE("a name with a line break or braces stays one line, as it is") {
    const test::TempDir directory;
    const Result<Log> log = Log::to_file(directory.path() / "satchel.log", LogLevel::kDebug);
    REQUIRE(log);
    log->debug("lookup name={}", "a\nb{}\n");
    log->flush();
    CHECK(text_of(directory, "satchel.log").find("name=a\\nb{}\\n\n") != std::string::npos);
  }

  TEST_CASE("what the level leaves out is not even formatted") {
    CHECK(Log::to_stderr(LogLevel::kWarn).enabled(LogLevel::kError));
    CHECK_FALSE(Log::to_stderr(LogLevel::kWarn).enabled(LogLevel::kInfo));
    CHECK_FALSE(Log::to_stderr(LogLevel::kOff).enabled(LogLevel::kError));
    CHECK_FALSE(Log::to_stderr(LogLevel::kDebug).enabled(LogLevel::kOff));
    const Log nowhere = Log::to_nowhere();
    CHECK_FALSE(nowhere.enabled(LogLevel::kError));
    nowhere.error("goes nowhere");
    nowhere.flush();
  }

  TEST_CASE("a full log file is rotated and three old ones are kept") {
    const test::TempDir directory;
    const Result<Log> log = Log::to_file(directory.path() / "satchel.log", LogLevel::kInfo);
    REQUIRE(log);
    const std::string line(1U << 20U, 'x');
    for (int i = 0; i < 55; ++i) log->info("{}", line);
    log->flush();
    for (const std::string name :
         {"satchel.log", "satchel.1.log", "satchel.2.log", "satchel.3.log"}) {
      CAPTURE(name);
      CHECK(::access((directory.path() / name).c_str(), F_OK) == 0);
      CHECK(text_of(directory, name).size() <= 10U << 20U);
    }
    CHECK(::access((directory.path() / "satchel.4.log").c_str(), F_OK) != 0);
  }

  TEST_CASE("a log file that cannot be opened is an error with its path") {
    const test::TempDir directory;
    REQUIRE(write_file_durably(directory.fd(), Name::checked("file"), {}, 0600));
    const Result<Log> below_file =
        Log::to_file(directory.path() / "file/satchel.log", LogLevel::kInfo);
    REQUIRE_FALSE(below_file);
    CHECK(below_file.error().code == ENOTDIR);
    CHECK(below_file.error().path == directory.path().text + "/file/satchel.log");
  }
}

}  // namespace
}  // namespace satchel
