#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "fs/interruption.h"
#include "fs/view_state.h"

namespace satchel::fs {
namespace {

using std::chrono::milliseconds;
constexpr NodeId kFile{7};
constexpr NodeId kOther{8};

}  // namespace

TEST_SUITE("fs/copy_up_queue") {
  TEST_CASE("one copies a file, the next waits for it, other files go on") {
    CopyUpQueue queue;
    REQUIRE(queue.enter(kFile));
    REQUIRE(queue.enter(kOther));
    queue.leave(kOther);
    auto next = std::async(std::launch::async, [&] { return queue.enter(kFile); });
    CHECK(next.wait_for(milliseconds(50)) == std::future_status::timeout);
    queue.leave(kFile);
    CHECK(next.get());
    queue.leave(kFile);
  }

  // Who wanted to write to a file while it was copied from a slow repository waited for the end of
  // that, minutes perhaps, and kill -9 did not end it either.
  TEST_CASE("whoever waits for a copy leaves when it is interrupted") {
    CopyUpQueue queue;
    REQUIRE(queue.enter(kFile));
    std::atomic<bool> interrupted = true;
    const InterruptionScope scope(
        [](void* context) { return static_cast<std::atomic<bool>*>(context)->load(); },
        &interrupted);
    CHECK(queue.enter(kFile).error().code == EINTR);
    queue.leave(kFile);
    // A turn that is free is given all the same.
    CHECK(queue.enter(kFile));
    queue.leave(kFile);
  }
}

}  // namespace satchel::fs
