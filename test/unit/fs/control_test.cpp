#include "fs/control.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "test/support/temp_dir.h"

namespace satchel::fs {

// Where doctest looks for it.
std::ostream& operator<<(std::ostream& out, const ControlRequest& request) {
  return out << encode_control_line(request);
}

namespace {

constexpr std::chrono::seconds kSilence{20};

ControlServer::Handler answers(const ControlFields& fields) {
  return [fields](const ControlRequest&) { return fields; };
}

}  // namespace

TEST_SUITE("fs/control") {
  TEST_CASE("a line says the same after coding and decoding") {
    const ControlRequest rows[] = {
        {"status", {}},
        {"sync", {{"message", "two words"}, {"empty", ""}, {"message", "again"}}},
        {"x", {{"bytes", std::string("\0\n\r%=\xff ", 7)}}},
    };
    for (const ControlRequest& row : rows) {
      const std::string line = encode_control_line(row);
      CHECK(line.find('\n') == line.size() - 1);
      const auto decoded = decode_control_line(std::string_view(line).substr(0, line.size() - 1));
      REQUIRE(decoded);
      CHECK(*decoded == row);
    }
  }

  TEST_CASE("lines that are not of the protocol are refused") {
    const std::string rows[] = {"",           " ",
                                "UPPER",      "a=b",
                                "verb key",   "verb =v",
                                "verb k=%",   "verb k=%4",
                                "verb k=%zz", "verb k=\"q\"",
                                "verb  k=v",  std::string(33, 'v'),
                                "verb k=v ",  std::string("verb k=\0", 8)};
    for (const std::string& row : rows) {
      CAPTURE(row);
      const auto decoded = decode_control_line(row);
      REQUIRE(!decoded);
      CHECK(decoded.error().code == EINVAL);
    }
  }

  TEST_CASE("a server answers several clients, with errors too") {
    const test::TempDir temp;
    const Log log = Log::to_nowhere();
    const HostPath socket = temp.path() / "control.sock";
    const Error failure{.code = ENETUNREACH,
                        .sat = Sat::kOffline,
                        .message = "away",
                        .path = "/a b",
                        .hint = "wait"};
    auto server = ControlServer::start(
        socket,
        {{"fields", answers({{"k", "v w"}, {"k", "2"}})},
         {"fail", [&](const ControlRequest&) -> Result<ControlFields> { return failure; }},
         {"echo", [](const ControlRequest& request) { return request.fields; }}},
        log);
    REQUIRE(server);
    struct stat stat {};
    REQUIRE(::stat(socket.c_str(), &stat) == 0);
    CHECK((stat.st_mode & 0777U) == 0600);
    auto one = ControlClient::connect(socket);
    auto two = ControlClient::connect(socket);
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->process() == ::getpid());
    CHECK(one->call({"fields", {}}, kSilence) == ControlFields{{"k", "v w"}, {"k", "2"}});
    CHECK(two->call({"fail", {}}, kSilence).error() == failure);
    CHECK(two->call({"nothing", {}}, kSilence).error().code == ENOSYS);
    const ControlFields large{{"text", std::string(4'000, '\n')}};
    CHECK(one->call({"echo", large}, kSilence) == large);
    const ControlFields beyond{{"text", std::string(kControlLineBytesMax, 'x')}};
    CHECK(one->call({"echo", beyond}, kSilence).error().code == EMSGSIZE);
    server->reset();
    CHECK(one->call({"fields", {}}, kSilence).error().sat == Sat::kTransport);
    CHECK(ControlClient::connect(socket).error().sat == Sat::kNotAMount);
  }

  TEST_CASE("an order is no silence, and status is answered meanwhile") {
    const test::TempDir temp;
    const Log log = Log::to_nowhere();
    const HostPath socket = temp.path() / "control.sock";
    auto server = ControlServer::start(socket,
                                       {{"slow",
                                         [](const ControlRequest&) -> Result<ControlFields> {
                                           std::this_thread::sleep_for(std::chrono::seconds(6));
                                           return ControlFields{};
                                         }},
                                        {"status", answers({})}},
                                       log);
    REQUIRE(server);
    std::thread waiter([&] {
      auto client = ControlClient::connect(socket);
      CHECK(client->call({"slow", {}}, std::chrono::milliseconds(5'500)));
    });
    auto other = ControlClient::connect(socket);
    CHECK(other->call({"status", {}}, std::chrono::seconds(4)));
    auto impatient = ControlClient::connect(socket);
    CHECK(impatient->call({"slow", {}}, std::chrono::milliseconds(50)).error().code == ETIMEDOUT);
    waiter.join();
  }

  TEST_CASE("a socket is found by the device, in a path of any length") {
    const test::TempDir temp;
    const Log log = Log::to_nowhere();
    std::string folder = temp.path().text;
    for (int i = 0; i < 5; ++i) {
      folder += "/" + std::string(50, 'd');
      REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
    }
    const HostPath socket{folder + "/control.sock"};
    auto server = ControlServer::start(socket, {{"status", answers({})}}, log);
    REQUIRE(server);
    const HostPath run = temp.path() / "run";
    CHECK(find_control_socket(run, "0:99").error().sat == Sat::kNotAMount);
    REQUIRE(register_mount(run, "0:99", temp.path() / "older"));
    REQUIRE(register_mount(run, "0:99", socket));
    const auto found = find_control_socket(run, "0:99");
    REQUIRE(found);
    CHECK(*found == socket);
    CHECK(ControlClient::connect(*found));
    REQUIRE(unregister_mount(run, "0:99", temp.path() / "older"));  // not the newer one's
    CHECK(find_control_socket(run, "0:99"));
    REQUIRE(unregister_mount(run, "0:99", socket));
    CHECK(!find_control_socket(run, "0:99"));
  }
}

}  // namespace satchel::fs
