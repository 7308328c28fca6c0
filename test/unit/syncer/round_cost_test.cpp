#include <doctest/doctest.h>

#include <string>
#include <variant>

#include "syncer/round.h"
#include "test/unit/syncer/world.h"

// What a round costs: packs, pages and files that are opened follow the change, not the tree.

namespace satchel::syncer {
namespace {

using store::UserBody;
using test::MemoryUpper;

TEST_SUITE("syncer/round_cost") {
  TEST_CASE("fifty workspaces of one image store it once") {
    World world;
    const std::uint64_t image = world.pack_bytes();
    const PrefixRules rules = usual_rules();
    test::SeededRandom random(1);
    for (int person = 0; person < 50; ++person) {
      const std::string user = "pupil" + std::to_string(person);
      world.add_workspace(user);
      Device device(world, "seat" + std::to_string(person), user, rules);
      std::string own(20'000, ' ');
      random.fill(std::as_writable_bytes(std::span(own)));
      device.view().write("home/ada/own", own);
      CHECK(need(device.sync()).result == RoundResult::kPushed);
    }
    const std::uint64_t own_bytes = world.pack_bytes() - image;
    CHECK(own_bytes < 50 * (20'000 + 3'000));
  }

  TEST_CASE("pages follow the change over a whole round, parts and machine's layer included") {
    World world;
    world.add_image("wide", [](MemoryUpper& view) {
      make_small_system(view);
      for (int top = 0; top < 10; ++top) {
        const std::string directory = "home/ada/d" + std::to_string(top);
        view.make_directory(directory);
        for (int sub = 0; sub < 10; ++sub) {
          const std::string deeper = directory + "/s" + std::to_string(sub);
          view.make_directory(deeper);
          for (int file = 0; file < 30; ++file) {
            view.write(deeper + "/f" + std::to_string(file), "x");
          }
        }
      }
    });
    world.add_workspace("ada", "wide");
    const PrefixRules rules = usual_rules();
    Device device(world, "desk", "ada", rules);
    for (const bool has_machine_layer : {false, true}) {
      CAPTURE(has_machine_layer);
      if (has_machine_layer) {
        device.view().write("etc/machine/hostname", "desk");
        need(device.sync());
      }
      const std::string word = has_machine_layer ? "again" : "once";
      for (int i = 0; i < 10; ++i) {
        const std::string number = std::to_string(i);
        device.view().write("home/ada/d" + number + "/s3/f7", word);
      }
      const RoundReport report = need(device.sync());
      CHECK(report.result == RoundResult::kPushed);
      constexpr std::uint64_t kAncestors = 3 + 10 + 10;  // root, home, ada; d…; s3
      CHECK(report.counts.pages_encoded <= 2 * kAncestors + 20);
      CHECK(report.counts.files_opened == 10);
      const RoundReport again = need(device.sync());
      CHECK(again.result == RoundResult::kNone);
      CHECK(again.counts.pages_encoded == 0);
      CHECK(again.counts.files_opened == 0);
    }
  }

  TEST_CASE("counters say what packs and record say") {
    World world;
    world.add_workspace("ada");
    const PrefixRules rules = usual_rules();
    Device device(world, "desk", "ada", rules);
    const std::uint64_t before = world.pack_bytes();
    device.view().write("home/ada/letter", std::string(100'000, 'q') + "end");
    const RoundReport report = need(device.sync());
    const std::uint64_t grown = world.pack_bytes() - before;
    const store::RefRecord head = world.head("ada");
    const auto& body = std::get<UserBody>(head.body);
    CHECK(body.bytes_new == grown);
    CHECK(report.counts.bytes_sent > grown);
    CHECK(report.counts.bytes_sent < grown + 4096);
    CHECK(body.packs.size() == 2);
    CHECK(report.counts.files_opened == 1);
    CHECK(report.counts.seconds > 0);
    CHECK(world.head("ada").device == "desk");
  }
}

}  // namespace
}  // namespace satchel::syncer
