#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "store/fsck.h"
#include "syncer/round.h"
#include "test/support/seeded_random.h"
#include "test/unit/syncer/world.h"

namespace satchel::syncer {
namespace {

using test::MemoryUpper;

TEST_SUITE("syncer/round") {
  TEST_CASE("random work on three devices converges, and every version recomposes") {
    const std::uint64_t seed = test::test_seed(77);
    MESSAGE("seed " << seed);
    test::SeededRandom random(seed);
    World world;
    world.add_workspace("ada");
    const PrefixRules rules = usual_rules();
    std::vector<std::unique_ptr<Device>> devices;
    for (const char* const name : {"desk", "laptop", "tablet"}) {
      devices.push_back(std::make_unique<Device>(world, name, "ada", rules));
      devices.back()->options.ignore_delete_brake = true;
    }
    for (int step = 0; step < 120; ++step) {
      Device& device = *devices[random.below(devices.size())];
      MemoryUpper& view = device.view();
      const auto directories = view.directories();
      const auto files = view.files();
      const std::string& directory = directories[random.below(directories.size())];
      const std::string path = (directory.empty() ? "" : directory + "/") +
                               std::string(1, static_cast<char>('a' + random.below(5)));
      CAPTURE(step);
      switch (random.below(7)) {
        case 0:
          if (!view.exists(path)) view.make_directory(path);
          break;
        case 1:
          if (!files.empty()) {
            const std::string& file = files[random.below(files.size())];
            if (!view.exists(path)) view.rename(file, path);
          }
          break;
        case 2:
          if (!directory.empty() && !view.exists(path) && path.find(directory + "/") != 0) {
            view.rename(directory, path);
          }
          break;
        case 3:
          if (view.exists(path)) view.remove(path);
          break;
        case 4:
          if (!files.empty() && !view.exists(path)) {
            view.link(files[random.below(files.size())], path);
          }
          break;
        case 5: {
          const auto report = device.sync();
          CAPTURE(to_text(report ? Error{} : report.error()));
          REQUIRE(report.has_value());
          check_parts(world, "ada");
          break;
        }
        default:
          if (!view.exists(path)) view.write(path, std::to_string(random.below(50)));
      }
    }
    for (int round = 0; round < 2; ++round) {
      for (const auto& device : devices) need(device->sync());
    }
    for (const auto& device : devices) {
      CHECK(need(device->sync()).result == RoundResult::kNone);
      CHECK(device->view().base_version() == world.head("ada").number);
    }
    CHECK(need(store::check_repository(world.repository(), {})).ok());
  }
}

}  // namespace
}  // namespace satchel::syncer
