#include "fs/client_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "test/support/child_process.h"
#include "test/support/temp_dir.h"

namespace satchel::fs {
namespace {

constexpr std::chrono::milliseconds kEnds{400};

struct Fixture {
  test::TempDir folder;
  StoreSlot slot = StoreSlot::workspace(store::RefName::user("ada").value());
  HostPath root = folder.path() / "store";

  Result<std::unique_ptr<ClientStore>> open() { return ClientStore::open(root, slot, {}); }
};

bool has_state(pid_t process, char state) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(stat, text);
  const auto at = text.rfind(')');
  return at != std::string::npos && text.at(at + 2) == state;
}

/// A process that holds `path` and says so. Its first thread is gone when this returns, and it
/// itself after kEnds.
pid_t start_holder(const std::string& path) {
  const pid_t holder = test::fork_when_quiet();
  if (holder == 0) {
    const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const std::string pid = std::to_string(::getpid());
    if (::flock(lock, LOCK_EX) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) ::_exit(1);
    std::thread([] {
      std::this_thread::sleep_for(kEnds);
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  while (!has_state(holder, 'Z')) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holder;
}

}  // namespace

TEST_SUITE("fs/client_store") {
  TEST_CASE_FIXTURE(Fixture, "a slot belongs to one process at a time") {
    const auto first = open();
    REQUIRE(first);
    const auto second = open();
    REQUIRE_FALSE(second);
    CHECK(second.error().sat == Sat::kStoreInUse);
    CHECK(second.error().message == "in use by process " + std::to_string(::getpid()));
  }

  TEST_CASE_FIXTURE(Fixture, "whoever wants a slot waits for a holder that is mounted no more") {
    auto first = open();
    REQUIRE(first);
    const auto give_up_later = [&] {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      first->reset();
    };
    SUBCASE("for it is not in the mount table") {
      REQUIRE((*first)->note_mounted("0:0"));
    }
    SUBCASE("for it says so") {
      REQUIRE((*first)->note_unmounted());
    }
    std::thread end(give_up_later);
    CHECK(open());
    end.join();
  }

  TEST_CASE_FIXTURE(Fixture, "a slot is free as soon as the process that was killed has ended") {
    if (!test::kChildMayStartThreads) return;
    REQUIRE(open());
    const pid_t holder = start_holder(root.text + "/ws/ada/lock");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(open());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(9));
    CHECK(::waitpid(holder, nullptr, 0) == holder);
  }
}

}  // namespace satchel::fs
