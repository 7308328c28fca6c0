#include "syncer/round.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/fault_point.h"
#include "store/content_id.h"
#include "store/content_reader.h"
#include "store/diff.h"
#include "store/directory.h"
#include "store/fsck.h"
#include "store/split.h"
#include "store/stack.h"
#include "syncer/publish.h"
#include "syncer/version_parts.h"
#include "test/support/child_process.h"
#include "test/unit/syncer/world.h"

namespace satchel::syncer {
namespace {

using store::Root;
using store::UserBody;
using test::MemoryUpper;

const std::string kLetter = "home/ada/Documents/letter";

/// Two devices of ada on one repository.
struct Pair {
  World world;
  PrefixRules rules = usual_rules();
  std::unique_ptr<Device> first;
  std::unique_ptr<Device> second;

  Pair() {
    world.add_workspace("ada");
    first = std::make_unique<Device>(world, "desk", "ada", rules);
    second = std::make_unique<Device>(world, "laptop", "ada", rules);
  }
  void check_repository() {
    const auto report = need(store::check_repository(world.repository(), {}));
    for (const auto& problem : report.problems) MESSAGE(problem.where << ": " << problem.what);
    CHECK(report.ok());
  }
};

std::string read_content(store::Repository& repository, const store::ContentId& id) {
  std::string bytes;
  if (id.is_empty()) return bytes;
  auto reader = need(store::ContentReader::open(repository, id));
  for (std::uint64_t leaf = 0; leaf < reader.leaves(); ++leaf) {
    bytes += as_text(need(reader.read_leaf(leaf)).bytes);
  }
  return bytes;
}

/// Every file in the conflicts tree of the head, with its bytes.
std::map<std::string, std::string> losers(World& world, const std::string& user) {
  std::map<std::string, std::string> found;
  const store::RefRecord head = world.head(user);
  const store::RootId id = std::get<UserBody>(head.body).conflicts;
  if (id.is_none()) return found;
  store::RepositoryTreeStore trees(world.repository(), nullptr, nullptr);
  need(store::walk_tree(trees, need(trees.get_root(id)),
                        [&](const RelativePath& path, const store::Entry& entry) -> Result<void> {
                          if (entry.kind == store::Kind::kFile) {
                            found[path.text()] = read_content(world.repository(), entry.content);
                          }
                          return {};
                        }));
  return found;
}

TEST_SUITE("syncer/round") {
  TEST_CASE("a first sync with nothing changed commits nothing and encodes nothing") {
    Pair pair;
    const RoundReport report = need(pair.first->sync());
    CHECK(report.result == RoundResult::kNone);
    CHECK(report.version == 1);
    CHECK(report.counts.pages_encoded == 0);
    CHECK(report.counts.files_opened == 0);
    CHECK(report.counts.bytes_sent == 0);
    CHECK(pair.world.head("ada").number == 1);
    CHECK(pair.first->view().switches() == 0);
  }

  TEST_CASE("push, then pull: both devices show the same") {
    Pair pair;
    MemoryUpper& view = pair.first->view();
    view.write(kLetter, "dear friend");
    view.write("usr/bin/new", "program");
    view.rename("usr/share", "usr/moved");
    view.link("usr/bin/tool", "usr/bin/tool2");
    view.remove("etc/motd");
    view.set_mode("home/ada", 0700);
    const RoundReport pushed = need(pair.first->sync());
    CHECK(pushed.result == RoundResult::kPushed);
    CHECK(pushed.version == 2);
    CHECK(pushed.counts.files_hashed == 2);
    CHECK(pushed.counts.chunks_new == 2);
    check_parts(pair.world, "ada");
    const RoundReport pulled = need(pair.second->sync());
    CHECK(pulled.result == RoundResult::kPulled);
    CHECK(pulled.version == 2);
    CHECK(pulled.counts.bytes_sent == 0);
    CHECK(pair.second->view().listing() == pair.first->view().listing());
    CHECK(pair.second->view().base_root() == pair.first->view().base_root());
    CHECK(need(pair.first->sync()).result == RoundResult::kNone);
    CHECK(need(pair.second->sync()).result == RoundResult::kNone);
    pair.check_repository();
  }

  TEST_CASE("changes on both sides are merged, and nothing is a conflict that is none") {
    Pair pair;
    pair.first->view().write("home/ada/one", "1");
    pair.second->view().write("home/ada/two", "2");
    pair.second->view().rename("home/ada/Documents", "home/ada/Papers");
    CHECK(need(pair.first->sync()).result == RoundResult::kPushed);
    const RoundReport merged = need(pair.second->sync());
    CHECK(merged.result == RoundResult::kMerged);
    CHECK(merged.conflicts.empty());
    CHECK(need(pair.first->sync()).result == RoundResult::kPulled);
    CHECK(pair.first->view().listing() == pair.second->view().listing());
    CHECK(pair.first->view().exists("home/ada/Papers/letter"));
    check_parts(pair.world, "ada");
    pair.check_repository();
  }

  TEST_CASE("the same change on both sides is one version") {
    Pair pair;
    for (Device* const device : {pair.first.get(), pair.second.get()}) {
      device->view().write(kLetter, "the same");
    }
    need(pair.first->sync());
    const RoundReport report = need(pair.second->sync());
    CHECK(report.conflicts.empty());
    CHECK(pair.second->view().content(kLetter) == pair.first->view().content(kLetter));
  }

  TEST_CASE("two contents for one file: the committed one is live, the other is kept") {
    Pair pair;
    pair.first->view().write(kLetter, "from the desk");
    pair.second->view().write(kLetter, "from the laptop");
    need(pair.first->sync());
    const RoundReport report = need(pair.second->sync());
    REQUIRE(report.conflicts.size() == 1);
    CHECK(report.conflicts[0].path.text() == kLetter);
    CHECK(report.conflicts[0].kind == ConflictKind::kContent);
    need(pair.first->sync());
    CHECK(pair.first->view().listing() == pair.second->view().listing());
    CHECK(read_content(pair.world.repository(), pair.first->view().content(kLetter)) ==
          "from the desk");
    const auto kept = losers(pair.world, "ada");
    REQUIRE(kept.size() == 1);
    CHECK(kept.begin()->first == "laptop-2023-11-14T22:13:20Z/" + kLetter);
    CHECK(kept.begin()->second == "from the laptop");
    pair.check_repository();
  }

  TEST_CASE("losers stay thirty days, and go with the next version after that") {
    Pair pair;
    pair.first->view().write(kLetter, "from the desk");
    pair.second->view().write(kLetter, "from the laptop");
    need(pair.first->sync());
    need(pair.second->sync());
    const std::int64_t day = 24 * 60 * 60;
    pair.world.clock.advance_seconds(29 * day);
    pair.second->view().write("home/ada/later", "x");
    need(pair.second->sync());
    CHECK(losers(pair.world, "ada").size() == 1);
    pair.world.clock.advance_seconds(2 * day);
    pair.second->view().write("home/ada/later", "y");
    need(pair.second->sync());
    CHECK(losers(pair.world, "ada").empty());
    CHECK(std::get<UserBody>(pair.world.head("ada").body).conflicts.is_none());
  }

  TEST_CASE("a file deleted on one side and changed on the other stays") {
    Pair pair;
    pair.first->view().remove(kLetter);
    pair.second->view().write(kLetter, "still needed");
    need(pair.first->sync());
    const RoundReport report = need(pair.second->sync());
    REQUIRE(report.conflicts.size() == 1);
    CHECK(report.conflicts[0].kind == ConflictKind::kDeleted);
    need(pair.first->sync());
    CHECK(read_content(pair.world.repository(), pair.first->view().content(kLetter)) ==
          "still needed");
    CHECK(losers(pair.world, "ada").empty());
  }

  TEST_CASE(
      "a row written after the seal keeps its origin, so a later push is no blind overwrite") {
    Pair pair;
    pair.first->view().write(kLetter, "from the desk");
    need(pair.first->sync());
    MemoryUpper& view = pair.second->view();
    view.write(kLetter, "first words");
    view.write("home/ada/zzz", "hashed after the letter");
    int looks = 0;
    view.on_look = [&](store::UpperId /*id*/) {
      if (++looks == 2) view.write(kLetter, "second words");
    };
    CHECK(need(pair.second->sync()).conflicts.size() == 1);
    view.on_look = nullptr;
    CHECK(view.content(kLetter) == store::content_id_of(as_bytes("second words")));
    CHECK(losers(pair.world, "ada").size() == 1);

    // The head is the base version, yet the second words were not written over the desk's.
    const RoundReport report = need(pair.second->sync());
    REQUIRE(report.conflicts.size() == 1);
    CHECK(report.conflicts[0].kind == ConflictKind::kContent);
    CHECK(view.content(kLetter) == store::content_id_of(as_bytes("from the desk")));
    std::vector<std::string> kept;
    for (const auto& [path, bytes] : losers(pair.world, "ada")) kept.push_back(bytes);
    std::ranges::sort(kept);
    CHECK(kept == std::vector<std::string>{"first words", "second words"});
  }

  TEST_CASE("devices that commit at once both get in, one after the other") {
    Pair pair;
    for (int round = 0; round < 3; ++round) {
      const std::string number = std::to_string(round);
      pair.first->view().write("home/ada/desk" + number, "d");
      pair.second->view().write("home/ada/laptop" + number, "l");
      Result<RoundReport> first = Error{};
      Result<RoundReport> second = Error{};
      std::thread one([&] { first = pair.first->sync(); });
      std::thread two([&] { second = pair.second->sync(); });
      one.join();
      two.join();
      need(std::move(first));
      need(std::move(second));
    }
    need(pair.first->sync());
    need(pair.second->sync());
    CHECK(pair.first->view().listing() == pair.second->view().listing());
    CHECK(pair.world.head("ada").number == 7);
    check_parts(pair.world, "ada");
    pair.check_repository();
  }

  // The other device commits after this one has looked at the head: the certain form of the race.
  TEST_CASE("a lost race is mediated anew, and its packs are not sent twice") {
    Pair pair;
    pair.first->view().write("home/ada/big", std::string(300'000, 'x'));
    pair.first->view().write("home/ada/hook", "hook");
    bool is_first = true;
    pair.first->view().on_look = [&](store::UpperId /*id*/) {
      if (!std::exchange(is_first, false)) return;
      pair.second->view().write("home/ada/other", "o");
      need(pair.second->sync());
    };
    const RoundReport report = need(pair.first->sync());
    CHECK(report.result == RoundResult::kMerged);
    CHECK(report.version == 3);
    need(pair.second->sync());
    CHECK(pair.first->view().listing() == pair.second->view().listing());
  }

  TEST_CASE("after a kill at any point the next round converges, and sends nothing twice") {
    for (const std::string point :
         {"round.sealed", "round.snapshot", "round.uploaded", "round.committed"}) {
      CAPTURE(point);
      Pair pair;
      pair.first->view().write("home/ada/big", std::string(300'000, 'b'));
      pair.first->view().write(kLetter, "changed");
      const ::pid_t child = test::fork_when_quiet();
      REQUIRE(child >= 0);
      if (child == 0) {
        (void)set_fault_point(point + ":1:kill");
        (void)pair.first->sync();
        ::_exit(0);
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      REQUIRE(WIFSIGNALED(status));
      const std::uint64_t bytes = pair.world.pack_bytes();
      const RoundReport report = need(pair.first->sync());
      const bool was_committed = point == "round.committed";
      CHECK(report.result == (was_committed ? RoundResult::kPulled : RoundResult::kPushed));
      CHECK(report.conflicts.empty());
      CHECK(report.version == 2);
      if (point == "round.uploaded" || was_committed) {
        CHECK(report.counts.chunks_new == 0);
        CHECK(pair.world.pack_bytes() - bytes < 4096);
      }
      CHECK(need(pair.first->sync()).result == RoundResult::kNone);
      need(pair.second->sync());
      CHECK(pair.first->view().listing() == pair.second->view().listing());
      pair.check_repository();
    }
  }

  TEST_CASE("an error on the way changes nothing, and the next round goes on") {
    Pair pair;
    pair.first->view().write(kLetter, "changed");
    for (const std::string point : {"round.sealed", "round.snapshot", "round.uploaded"}) {
      REQUIRE(set_fault_point(point + ":1:eio").has_value());
      const auto report = pair.first->sync();
      REQUIRE(set_fault_point("").has_value());
      REQUIRE(!report.has_value());
      CHECK(report.error().sat == Sat::kIo);
      CHECK(pair.world.head("ada").number == 1);
      CHECK(pair.first->view().base_version() == 1);
    }
    CHECK(need(pair.first->sync()).result == RoundResult::kPushed);
  }

  TEST_CASE("a round that would delete most of a tree stops, and says how to go on") {
    Pair pair;
    for (int i = 0; i < 60; ++i) {
      pair.first->view().write("home/ada/Documents/f" + std::to_string(i), std::to_string(i));
    }
    need(pair.first->sync());
    need(pair.second->sync());
    pair.first->view().remove("home/ada/Documents");
    const auto refused = pair.first->sync();
    REQUIRE(!refused.has_value());
    CHECK(refused.error().sat == Sat::kDeleteBrake);
    CHECK(pair.world.head("ada").number == 2);
    pair.first->options.ignore_delete_brake = true;
    CHECK(need(pair.first->sync()).result == RoundResult::kPushed);
    const auto not_here = pair.second->sync();
    REQUIRE(!not_here.has_value());
    CHECK(not_here.error().sat == Sat::kDeleteBrake);
    CHECK(pair.second->view().exists("home/ada/Documents"));
  }

  TEST_CASE("renaming a directory of many files is no deletion") {
    Pair pair;
    for (int i = 0; i < 60; ++i) {
      pair.first->view().write("home/ada/Documents/f" + std::to_string(i), std::to_string(i));
    }
    need(pair.first->sync());
    pair.first->view().rename("home/ada/Documents", "home/ada/Archive");
    CHECK(need(pair.first->sync()).result == RoundResult::kPushed);
    CHECK(need(pair.second->sync()).result == RoundResult::kPulled);
  }

  TEST_CASE("the machine's own files stay with each machine, and both are in the version") {
    Pair pair;
    pair.first->view().write("etc/machine/hostname", "desk");
    pair.second->view().write("etc/machine/hostname", "laptop");
    pair.second->view().write("etc/machine/key", "of the laptop");
    pair.second->view().write("home/ada/note", "shared");
    need(pair.first->sync());
    const RoundReport merged = need(pair.second->sync());
    CHECK(merged.conflicts.empty());
    need(pair.first->sync());
    const auto text = [&](Device& device, const std::string& path) {
      return read_content(pair.world.repository(), device.view().content(path));
    };
    CHECK(text(*pair.first, "etc/machine/hostname") == "desk");
    CHECK(text(*pair.second, "etc/machine/hostname") == "laptop");
    CHECK(!pair.first->view().exists("etc/machine/key"));
    CHECK(pair.first->view().exists("home/ada/note"));
    CHECK(std::get<UserBody>(pair.world.head("ada").body).machines.size() == 2);
    check_parts(pair.world, "ada");

    // A third one starts with what is shared, and a new store of the laptop with the laptop's.
    Device third(pair.world, "tablet", "ada", pair.rules);
    CHECK(text(third, "etc/machine/hostname") == "golden");
    Device again(pair.world, "laptop", "ada", pair.rules);
    CHECK(again.view().listing() == pair.second->view().listing());
    CHECK(again.view().base_root() == pair.second->view().base_root());

    // Work goes on over a machine's layer: push from one, pull on the other, back to the golden
    // file.
    pair.second->view().write("etc/shared.conf", "beside the machine's directory");
    pair.second->view().remove("etc/machine/key");
    CHECK(need(pair.second->sync()).result == RoundResult::kPushed);
    CHECK(need(pair.first->sync()).result == RoundResult::kPulled);
    CHECK(text(*pair.first, "etc/machine/hostname") == "desk");
    CHECK(pair.first->view().exists("etc/shared.conf"));
    check_parts(pair.world, "ada");
    pair.check_repository();
  }

  // DESIGN section 5: two devices with different rules for a path lose nothing.
  TEST_CASE("different rules for a path on two devices delete nothing anywhere") {
    using Fate = PrefixRules::Fate;
    struct Row {
      std::string what;
      Fate fate;
    };
    for (const Row& row : {Row{"local on the second", Fate::kLocal},
                           Row{"the machine's on the second", Fate::kMachine},
                           Row{"of another area on the second", Fate::kApp}}) {
      CAPTURE(row.what);
      World world;
      world.add_workspace("ada");
      const PrefixRules first_rules({{"home", Fate::kData}});
      const PrefixRules second_rules({{"home", Fate::kData}, {"home/ada/project/build", row.fate}});
      Device first(world, "desk", "ada", first_rules);
      Device second(world, "laptop", "ada", second_rules);
      first.view().make_directory("home/ada/project");
      first.view().make_directory("home/ada/project/build");
      first.view().write("home/ada/project/build/out", "from the desk");
      first.view().write("home/ada/project/source", "s");
      need(first.sync());
      need(second.sync());
      CHECK(second.view().exists("home/ada/project/build/out"));

      // The second edits beside it, under it, and removes it: none of that is a deletion for the
      // first.
      second.view().write("home/ada/project/source", "edited");
      need(second.sync());
      second.view().write("home/ada/project/build/own", "from the laptop");
      second.view().write("home/ada/project/build/out", "changed on the laptop");
      need(second.sync());
      need(first.sync());
      const bool is_shared = row.fate == Fate::kApp;
      const auto text = [&](Device& device, const std::string& path) {
        return read_content(world.repository(), device.view().content(path));
      };
      CHECK(text(first, "home/ada/project/build/out") ==
            (is_shared ? "changed on the laptop" : "from the desk"));
      CHECK(first.view().exists("home/ada/project/build/own") == is_shared);
      CHECK(second.view().exists("home/ada/project/build/own"));
      check_parts(world, "ada");

      second.view().remove("home/ada/project/build");
      need(second.sync());
      need(first.sync());
      CHECK(first.view().exists("home/ada/project/build/out") == !is_shared);
      CHECK(first.view().exists("home/ada/project/source"));

      // And the first's own changes still arrive everywhere.
      first.view().write("home/ada/project/source", "again");
      need(first.sync());
      need(second.sync());
      CHECK(text(second, "home/ada/project/source") == "again");
      check_parts(world, "ada");
      CHECK(need(store::check_repository(world.repository(), {})).ok());
    }
  }

  TEST_CASE("a workspace that moved to another image keeps its work and gets the image's changes") {
    Pair pair;
    pair.first->view().write(kLetter, "mine");
    pair.first->view().write("usr/bin/tool", "patched by ada");
    need(pair.first->sync());
    const auto number = pair.world.add_image("lab", [](MemoryUpper& view) {
      make_small_system(view);
      view.write("usr/share/big", "a security fix");
      view.write("usr/bin/extra", "new in the image");
    });
    REQUIRE(number == 2);
    {
      // What a golden upgrade will do: the same layers over the new image.
      store::Repository& repository = pair.world.repository();
      const auto user = need(store::RefName::user("ada"));
      const auto image = need(repository.read_ref(need(store::RefName::image("lab")), 2));
      store::RefRecord record = pair.world.head("ada");
      auto& body = std::get<UserBody>(record.body);
      store::Upload upload(repository);
      store::RepositoryTreeStore trees(repository, nullptr, &upload);
      std::vector<Root> parts;
      for (const store::RootId& id : {body.app, body.sysdata, body.data}) {
        if (!id.is_none()) parts.push_back(need(trees.get_root(id)));
      }
      body.image_number = 2;
      body.image_root = std::get<store::ImageBody>(image.body).composed;
      const std::vector<Root> layers{need(trees.get_root(body.image_root)),
                                     need(store::join(trees, parts))};
      body.composed = need(trees.put_root(need(store::compose(trees, layers))));
      need(upload.finish());
      record.number += 1;
      need(repository.commit(user, record, upload.relied_on()));
    }
    pair.second->view().write("home/ada/unsynced", "only here");
    CHECK(need(pair.second->sync()).result == RoundResult::kMerged);
    need(pair.first->sync());
    CHECK(pair.first->view().listing() == pair.second->view().listing());
    const auto text = [&](const std::string& path) {
      return read_content(pair.world.repository(), pair.first->view().content(path));
    };
    CHECK(text("usr/share/big") == "a security fix");
    CHECK(text("usr/bin/tool") == "patched by ada");
    CHECK(text(kLetter) == "mine");
    CHECK(pair.first->view().exists("home/ada/unsynced"));
    CHECK(std::get<UserBody>(pair.world.head("ada").body).image_number == 2);
    check_parts(pair.world, "ada");
    pair.check_repository();
  }

  TEST_CASE("a repository that has gone back is refused, never read as deletion") {
    Pair pair;
    pair.first->view().write(kLetter, "changed");
    need(pair.first->sync());
    std::filesystem::remove(pair.world.path().text + "/refs/users/ada/2");
    pair.first->view().write(kLetter, "changed again");
    const auto report = pair.first->sync();
    REQUIRE(!report.has_value());
    CHECK(report.error().sat == Sat::kWrongRepository);
    CHECK(read_content(pair.world.repository(), pair.second->view().content(kLetter)) == "dear");
    CHECK(pair.first->view().exists(kLetter));
  }

  TEST_CASE("a file that never rests is reported and synced when it does") {
    Pair pair;
    pair.first->view().write(kLetter, "a");
    int count = 0;
    pair.first->view().on_look = [&](store::UpperId /*id*/) {
      pair.first->view().write(kLetter, "moving " + std::to_string(++count % 5));
    };
    const RoundReport busy = need(pair.first->sync());
    REQUIRE(busy.busy.size() == 1);
    CHECK(busy.busy[0].text() == kLetter);
    pair.first->view().on_look = nullptr;
    pair.first->view().write(kLetter, "at rest");
    need(pair.first->sync());
    need(pair.second->sync());
    CHECK(read_content(pair.world.repository(), pair.second->view().content(kLetter)) == "at rest");
  }
}

}  // namespace
}  // namespace satchel::syncer
