// Base switches in which the other side has changed things too.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

/// A workspace whose next base is what `server`, a plain directory, holds.
struct TwoSides {
  TwoSides() {
    fill(server);
    workspace = std::make_unique<Workspace>(server.fd());
  }
  View& view() { return workspace->view(); }

  /// Ends with the base that the server has now.
  void pull(store::BaseSwitch change) {
    change.base_root = workspace->import(server.fd());
    REQUIRE(view().switch_base(change).has_value());
    CHECK(view().base_root() == change.base_root);
    CHECK(view().base_version() == change.base_version);
  }
  void pull() { pull(workspace->seal()); }

  const store::UpperNode::Child* sealed_child(const store::SealedUpper& sealed,
                                              const std::string& path) {
    const store::UpperNode* node = &sealed.nodes[0];
    const store::UpperNode::Child* found = nullptr;
    for (const Name& name : RelativePath::parse(path)->names()) {
      const auto child = std::find_if(node->children.begin(), node->children.end(),
                                      [&](const auto& c) { return c.name == name; });
      if (child == node->children.end()) return nullptr;
      found = &*child;
      if (child->node) node = &sealed.nodes[*child->node];
    }
    return found;
  }
  const store::UpperNode* sealed_node(const store::SealedUpper& sealed, const std::string& path) {
    const store::UpperNode::Child* const child = sealed_child(sealed, path);
    return child != nullptr && child->node ? &sealed.nodes[*child->node] : nullptr;
  }
  /// rm -r dir, but for dir/sub/deep, which is moved out before.
  void remove_dir() {
    REQUIRE(workspace->rename("dir/sub/deep", "deep", 0) == 0);
    for (const std::string path : {"sub/c", "sub/a2", "a", "b", "setuid", "link", "fifo"}) {
      REQUIRE(workspace->unlink("dir/" + path) == 0);
    }
    for (const std::string path : {"dir/sub", "dir"}) {
      REQUIRE(workspace->remove_directory(path) == 0);
    }
  }
  bool was_told_of(const std::string& name) {
    const auto& told = workspace->notifier().entries;
    return std::find(told.begin(), told.end(), name) != told.end();
  }

  PlainDirectory server;
  std::unique_ptr<Workspace> workspace;
};

TEST_SUITE("fs/view: base switch") {
  TEST_CASE_FIXTURE(TwoSides, "a pull shows what the server has and tells of nothing else") {
    const auto untouched = view().lookup(kRootNode, Name::checked("void")).value();
    server.write("file", 0, "server");
    server.unlink("dir/b");
    server.make_file("dir/new", 0640);
    server.change_mode("dir/sub", 0711);
    pull();
    CHECK(differences(server.list(), workspace->list()) == "");
    CHECK(was_told_of("file") == true);
    CHECK(was_told_of("void") == false);
    CHECK(view().get_attributes(untouched.node)->ino == untouched.stat.ino);
    CHECK(view().lookup(kRootNode, Name::checked("void"))->node == untouched.node);
  }

  TEST_CASE_FIXTURE(TwoSides, "who has a file open keeps its content, the name has the new one") {
    const auto file = view().lookup(kRootNode, Name::checked("file")).value();
    const auto open = view().open_file(file.node, O_RDONLY).value();
    server.write("file", 0, "SERVER");
    pull();
    std::string text(64, '\0');
    text.resize(view().read(open.handle, 0, std::as_writable_bytes(std::span(text))).value());
    CHECK(text == "content of file\n");
    CHECK(view().get_attributes(file.node)->size == 16);
    const auto now = view().lookup(kRootNode, Name::checked("file")).value();
    CHECK(now.node != file.node);
    CHECK(now.stat.ino == file.stat.ino);
    CHECK(workspace->read("file") == "SERVERt of file\n");
    view().release(open.handle);
  }

  TEST_CASE_FIXTURE(TwoSides,
                    "committed bytes are kept as a content and open descriptors read on") {
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    const auto file = view().lookup(kRootNode, Name::checked("file")).value();
    const auto open = view().open_file(file.node, O_RDONLY).value();
    std::string text(64, '\0');
    CHECK(view().read(open.handle, 0, std::as_writable_bytes(std::span(text))).value() == 16);
    workspace->commit();
    CHECK(workspace->contents().adopted() == 1);
    CHECK(view().lookup(kRootNode, Name::checked("file"))->node == file.node);
    CHECK(view().read(open.handle, 0, std::as_writable_bytes(std::span(text))).value() == 16);
    CHECK(text.substr(0, 6) == "CLIENT");
    // A later write has a copy of its own and is seen through the old descriptor too.
    CHECK(workspace->write("file", 0, "LATER!") == 0);
    CHECK(view().read(open.handle, 0, std::as_writable_bytes(std::span(text))).value() == 16);
    CHECK(text.substr(0, 6) == "LATER!");
    CHECK(workspace->contents().get(workspace->contents().add("CLIENTt of file\n")) ==
          "CLIENTt of file\n");
    view().release(open.handle);
    CHECK(view().seal()->nodes.size() == 2);
  }

  TEST_CASE_FIXTURE(TwoSides, "a file that is open for writing stays in the upper") {
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    const auto file = view().lookup(kRootNode, Name::checked("file")).value();
    const auto open = view().open_file(file.node, O_RDWR).value();
    workspace->commit();
    CHECK(workspace->contents().adopted() == 0);
    CHECK(view().write(open.handle, 0, as_bytes("AGAIN!"), false, false).has_value());
    view().release(open.handle);
    CHECK(workspace->read("file") == "AGAIN!t of file\n");
    workspace->commit();
    CHECK(view().seal()->nodes.size() == 1);
    CHECK(workspace->read("file") == "AGAIN!t of file\n");
  }

  TEST_CASE_FIXTURE(TwoSides,
                    "a change after the seal stays, with what it was made to as its origin") {
    auto sealed = workspace->seal();
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    CHECK(workspace->make_file("both", 0600) == 0);
    server.write("file", 0, "SERVER");
    server.make_file("both", 0644);
    server.write("both", 0, "server's");
    pull(std::move(sealed));
    CHECK(workspace->read("file") == "CLIENTt of file\n");
    CHECK(workspace->read("both") == "");
    const auto again = view().seal().value();
    const auto* file = sealed_child(again, "file");
    REQUIRE(file != nullptr);
    REQUIRE(file->origin != nullptr);
    CHECK(workspace->contents().get(file->origin->content) == "content of file\n");
    const auto* both = sealed_child(again, "both");
    REQUIRE(both->origin != nullptr);
    CHECK(both->origin->is_whiteout());
    workspace->reopen();
    CHECK(workspace->read("file") == "CLIENTt of file\n");
  }

  // Else the other side's file, which nobody here has seen, would go without a word.
  TEST_CASE_FIXTURE(TwoSides, "the origin of a change stays with the name") {
    auto sealed = workspace->seal();
    for (const std::string path : {"removed", "moved", "replaced"}) {
      CHECK(workspace->make_file(path, 0644) == 0);
      server.make_file(path, 0600);
    }
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    server.write("file", 0, "SERVER");
    pull(std::move(sealed));
    CHECK(workspace->make_file("other", 0644) == 0);
    CHECK(workspace->unlink("removed") == 0);
    CHECK(workspace->rename("moved", "elsewhere", 0) == 0);
    CHECK(workspace->rename("other", "replaced", 0) == 0);
    CHECK(workspace->rename("file", "replaced", RENAME_EXCHANGE) == 0);
    workspace->reopen();
    const auto again = view().seal().value();
    for (const std::string path : {"removed", "moved", "replaced"}) {
      CAPTURE(path);
      REQUIRE(sealed_child(again, path) != nullptr);
      REQUIRE(sealed_child(again, path)->origin != nullptr);
      CHECK(sealed_child(again, path)->origin->is_whiteout());
    }
    CHECK(sealed_child(again, "elsewhere")->origin == nullptr);
    const auto origin = sealed_child(again, "file")->origin;
    REQUIRE(origin != nullptr);
    CHECK(workspace->contents().get(origin->content) == "content of file\n");
  }

  TEST_CASE_FIXTURE(TwoSides, "fields that only one side changed end as that side has them") {
    auto sealed = workspace->seal();
    CHECK(workspace->change_mode("file", 0600) == 0);          // here: mode
    CHECK(workspace->set_xattr("dir/b", "user.c", "1") == 0);  // here: an xattr
    CHECK(workspace->change_owner("dir/sub", 5, 6) == 0);
    server.write("file", 0, "SERVER");  // there: content
    server.change_mode("dir/b", 0755);  // there: mode
    server.set_xattr("dir/b", "user.s", "2");
    server.change_mode("dir/sub", 0770);
    pull(std::move(sealed));
    CHECK(workspace->read("file") == "SERVERt of file\n");
    CHECK(workspace->stat("file").mode == (S_IFREG | 0600));
    CHECK(workspace->stat("dir/b").mode == (S_IFREG | 0755));
    const auto listing = workspace->list();
    CHECK(listing.at("dir/b").xattrs == "user.c=1;user.s=2;");
    CHECK(listing.at("dir/sub").mode == (S_IFDIR | 0770));
    CHECK(listing.at("dir/sub").uid == 5);
  }

  TEST_CASE_FIXTURE(TwoSides,
                    "what was deleted here after the seal comes back if it was changed there") {
    auto sealed = workspace->seal();
    CHECK(workspace->unlink("file") == 0);
    CHECK(workspace->unlink("dir/b") == 0);
    server.write("file", 0, "SERVER");
    pull(std::move(sealed));
    CHECK(workspace->read("file") == "SERVERt of file\n");
    CHECK(workspace->find("dir/b").error().code == ENOENT);
  }

  TEST_CASE_FIXTURE(TwoSides, "a directory that both made is one directory") {
    auto sealed = workspace->seal();
    CHECK(workspace->make_directory("both", 0755) == 0);
    CHECK(workspace->make_file("both/client", 0644) == 0);
    server.make_directory("both", 0755);
    server.make_file("both/server", 0644);
    pull(std::move(sealed));
    auto names = workspace->names("both");
    std::sort(names.begin(), names.end());
    CHECK((names == std::vector<std::string>{"client", "server"}));
    // One identity too: the other side's, which the row gives up nothing of when it goes.
    const auto known = workspace->find("both").value();
    CHECK(workspace->unlink("both/client") == 0);
    workspace->commit();
    CHECK(sealed_node(view().seal().value(), "both") == nullptr);
    CHECK(workspace->find("both")->stat.ino == known.stat.ino);
  }

  TEST_CASE_FIXTURE(TwoSides, "what does not travel stays") {
    CHECK(workspace->append("local/x", "here only") == 0);
    CHECK(workspace->make_directory("local/d", 0700) == 0);
    CHECK(workspace->make_file("local/d/f", 0600) == 0);
    CHECK(workspace->write("file", 0, "TRAVEL") == 0);
    const auto before = workspace->list();
    workspace->commit();
    CHECK(differences(before, workspace->list()) == "");
    CHECK(sealed_node(view().seal().value(), "local/d/f") != nullptr);
    CHECK(sealed_node(view().seal().value(), "file") == nullptr);
    workspace->commit();
    CHECK(differences(before, workspace->list()) == "");
  }

  // It leaves the tree that is synced, so the next base does not have what was in it.
  TEST_CASE_FIXTURE(TwoSides,
                    "a base directory that was moved to where nothing travels stays whole") {
    CHECK(workspace->append("dir/sub/c", "changed") == 0);
    CHECK(workspace->rename("dir", "local/dir", 0) == 0);
    const auto before = workspace->list();
    const auto known = workspace->find("local/dir/sub/deep/d")->stat.ino;
    workspace->commit();
    const auto after = workspace->list();
    for (const auto& [path, found] : before) {
      CAPTURE(path);
      REQUIRE(after.contains(path));
      CHECK(after.at(path).bytes == found.bytes);
      CHECK(after.at(path).mode == found.mode);
    }
    CHECK(after.size() == before.size());
    CHECK(workspace->find("local/dir/sub/deep/d")->stat.ino == known);
    workspace->reopen();
    CHECK(differences(after, workspace->list()) == "");
  }

  // Where nothing travels the snapshot keeps what the base has, so the base's directory of the same
  // name must not come back into the one that hides it.
  TEST_CASE_FIXTURE(TwoSides,
                    "a directory made or moved over a removed one of the base hides it for good") {
    for (const std::string name : {"made", "target", "moved"}) {
      for (const std::string below : {"", "/sub"}) {
        CHECK(server.make_directory("local/" + name + below, 0755) == 0);
        CHECK(server.make_file("local/" + name + below + "/of-" + name, 0644) == 0);
      }
    }
    pull();
    for (const std::string name : {"made", "target"}) {
      CHECK(workspace->unlink("local/" + name + "/sub/of-" + name) == 0);
      CHECK(workspace->remove_directory("local/" + name + "/sub") == 0);
      CHECK(workspace->unlink("local/" + name + "/of-" + name) == 0);
      CHECK(workspace->remove_directory("local/" + name) == 0);
    }
    CHECK(workspace->make_directory("local/made", 0700) == 0);
    CHECK(workspace->make_directory("local/made/sub", 0700) == 0);
    CHECK(workspace->make_file("local/made/mine", 0600) == 0);
    CHECK(workspace->rename("local/moved", "local/target", 0) == 0);
    const auto names = [&] {
      std::string text;
      for (const auto& [path, found] : workspace->list()) {
        if (path.starts_with("local/") && S_ISREG(found.mode)) text += path + " ";
      }
      return text;
    };
    const std::string mine =
        "local/made/mine local/target/of-moved local/target/sub/of-moved local/x ";
    CHECK(names() == mine);
    for (int round = 0; round < 3; ++round) {
      CAPTURE(round);
      workspace->commit();
      CHECK(names() == mine);
      server.append("local/made/of-made", "more");
      server.make_file("local/made/new" + std::to_string(round), 0644);
      pull();
      CHECK(names() == mine);
      workspace->reopen();
      CHECK(names() == mine);
    }
  }

  // The kernel remembers names for a day. A row that stayed because of its attributes or names was
  // given a new node, and writes by a name that the kernel knew went to the old one and were lost.
  TEST_CASE_FIXTURE(TwoSides,
                    "a change of attributes or names after the seal leads nobody astray") {
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    CHECK(workspace->write("dir/b", 0, "CLIENT") == 0);
    CHECK(workspace->write("dir/sub/c", 0, "CLIENT") == 0);
    const auto file = workspace->hold("file");
    const auto linked = workspace->hold("dir/b");
    const auto moved = workspace->hold("dir/sub/c");
    auto sealed = workspace->seal();
    CHECK(workspace->change_mode("file", 0600) == 0);
    CHECK(workspace->link("dir/b", "second") == 0);
    CHECK(workspace->rename("dir/sub", "dir/elsewhere", 0) == 0);
    REQUIRE(view().switch_base(sealed).has_value());
    CHECK(workspace->contents().adopted() == 3);
    for (const NodeId node : {file, linked, moved}) {
      CHECK(view().get_attributes(node)->nlink == (node == linked ? 2 : 1));
      const auto open = view().open_file(node, O_WRONLY);
      REQUIRE(open.has_value());
      CHECK(view().write(open->handle, 0, as_bytes("LATER!"), false, false).has_value());
      view().release(open->handle);
    }
    workspace->reopen();
    CHECK(workspace->read("file") == "LATER!t of file\n");
    CHECK(workspace->stat("file").mode == (S_IFREG | 0600));
    CHECK(workspace->read("second") == "LATER!t of dir/b\n");
    CHECK(workspace->read("dir/elsewhere/c") == "LATER!t of dir/sub/c\n");
  }

  TEST_CASE_FIXTURE(TwoSides, "a directory that moves changes nothing of the files in it") {
    CHECK(workspace->write("dir/b", 0, "CLIENT") == 0);
    const auto known = workspace->hold("dir/b");
    auto sealed = workspace->seal();
    CHECK(workspace->rename("dir", "moved", 0) == 0);
    REQUIRE(view().switch_base(sealed).has_value());
    CHECK(sealed_node(view().seal().value(), "moved/b") == nullptr);
    CHECK(view().get_attributes(known)->nlink == 1);
  }

  TEST_CASE_FIXTURE(TwoSides, "a file with other bytes is looked up anew by each of its names") {
    const auto file = workspace->hold("file");
    (void)workspace->hold("dir");
    auto sealed = workspace->seal();
    CHECK(workspace->link("file", "dir/second") == 0);
    CHECK(workspace->change_mode("file", 0600) == 0);
    server.write("file", 0, "SERVER");
    pull(std::move(sealed));
    CHECK(was_told_of("file"));
    CHECK(was_told_of("second"));
    // Until the kernel has heard of it, it may come by the old node.
    CHECK(view().open_file(file, O_WRONLY).error().code == ESTALE);
    AttributeChange change;
    change.mode = 0640;
    CHECK(view().set_attributes(file, std::nullopt, change, {}).error().code == ESTALE);
    CHECK(view().link(file, kRootNode, Name::checked("third")).error().code == ESTALE);
    CHECK(workspace->read("dir/second") == "SERVERt of file\n");
  }

  TEST_CASE_FIXTURE(TwoSides, "who is in a directory that another side removed cannot name it") {
    const auto directory = workspace->hold("dir/sub/deep");
    server.unlink("dir/sub/deep/d");
    server.remove_directory("dir/sub/deep");
    pull();
    const Name name = Name::checked("new");
    CHECK(view().get_attributes(directory)->nlink == 0);
    CHECK(view().lookup(directory, name).error().code == ESTALE);
    CHECK(view().make_directory(directory, name, 0755, {}).error().code == ESTALE);
    CHECK(view().open_directory(directory).error().code == ESTALE);
  }

  // It came back whole: rm -r during a sync had no effect, if somebody else had touched one file.
  TEST_CASE_FIXTURE(TwoSides,
                    "of a directory that is removed during a sync, what others changed is shown") {
    const auto sealed = workspace->seal();
    const auto directory = workspace->hold("dir/sub");
    remove_dir();
    std::vector<std::string> names{"sub"};
    server.write("dir/sub/c", 0, "SERVER");
    server.write("dir/sub/deep/d", 0, "SERVER");
    SUBCASE("a file") {}
    SUBCASE("a file and a new one") {
      server.make_file("dir/new", 0640);
      names = {"new", "sub"};
    }
    pull(sealed);
    const auto check = [&] {
      CHECK(workspace->names("dir") == names);
      CHECK(workspace->names("dir/sub") == std::vector<std::string>{"c"});
      CHECK(workspace->names("deep") == std::vector<std::string>{"d"});
      CHECK(workspace->read("dir/sub/c") == "SERVERt of dir/sub/c\n");
      CHECK(workspace->read("deep/d") == "SERVERt of dir/sub/deep/d\n");
      CHECK(workspace->stat("dir").nlink == 3);
      CHECK(workspace->stat("dir/sub").nlink == 2);
      CHECK(workspace->stat("a3").nlink == 1);
    };
    check();
    CHECK(was_told_of("dir"));
    CHECK(view().get_attributes(directory)->nlink == 0);
    workspace->reopen(/*crash=*/true);
    check();
    workspace->commit();
    check();
    CHECK(view().seal()->nodes.size() == 1);
  }

  TEST_CASE_FIXTURE(
      TwoSides, "a directory that is removed during a sync stays removed if nothing is new in it") {
    const auto sealed = workspace->seal();
    remove_dir();
    server.write("dir/sub/deep/d", 0, "SERVER");  // shown where it was moved to
    server.change_mode("dir/sub", 0711);
    server.unlink("dir/b");
    pull(sealed);
    CHECK_FALSE(workspace->find("dir").has_value());
    CHECK(workspace->read("deep/d") == "SERVERt of dir/sub/deep/d\n");
    workspace->reopen();
    CHECK_FALSE(workspace->find("dir").has_value());
    const auto next = view().seal().value();
    REQUIRE(sealed_child(next, "dir") != nullptr);
    CHECK(sealed_child(next, "dir")->origin == nullptr);  // seen, and removed
  }

  // Beside where it was moved to, dir/sub/deep was shown in its old place too, and its rows became
  // those of both.
  TEST_CASE_FIXTURE(TwoSides,
                    "what nobody has seen of a directory that is removed during a sync is shown") {
    auto sealed = workspace->seal();
    REQUIRE(workspace->write("dir/sub/c", 0, "CLIENT") == 0);
    server.write("dir/sub/c", 0, "SERVER");
    pull(std::move(sealed));
    sealed = workspace->seal();
    remove_dir();
    server.write("dir/b", 0, "SERVER");
    server.write("dir/sub/deep/d", 0, "SERVER");
    std::vector<std::string> in_dir{"b", "sub"};
    std::vector<std::string> in_sub{"c"};
    SUBCASE("as the round has said") {}
    SUBCASE("as the round could not say") {
      sealed.busy = {"dir/sub/c"};
      in_dir = {"a", "b", "fifo", "link", "setuid", "sub"};
      in_sub = {"a2", "c"};
    }
    pull(std::move(sealed));
    const auto sorted = [&](const std::string& path) {
      auto names = workspace->names(path);
      std::sort(names.begin(), names.end());
      return names;
    };
    CHECK(sorted("dir") == in_dir);
    CHECK(sorted("dir/sub") == in_sub);
    CHECK(workspace->read("dir/sub/c") == "SERVERt of dir/sub/c\n");
    CHECK(workspace->names("deep") == std::vector<std::string>{"d"});
    const auto again = view().seal().value();
    REQUIRE(sealed_child(again, "dir") != nullptr);
    CHECK(sealed_child(again, "dir")->origin == nullptr);  // all of it is seen from now on
  }

  // The next round took it for another device's at its old place, and put it there again.
  TEST_CASE_FIXTURE(TwoSides,
                    "a directory that is moved during a sync leaves nothing unseen behind") {
    const auto sealed = workspace->seal();
    REQUIRE(workspace->rename("dir/sub", "moved", 0) == 0);
    server.write("dir/sub/c", 0, "SERVER");
    pull(sealed);
    CHECK(workspace->read("moved/c") == "SERVERt of dir/sub/c\n");
    CHECK_FALSE(workspace->find("dir/sub").has_value());
    const auto next = view().seal().value();
    REQUIRE(sealed_child(next, "dir/sub") != nullptr);
    CHECK(sealed_child(next, "dir/sub")->origin == nullptr);
  }

  // One of its names went, and with it the node that the others led to.
  TEST_CASE_FIXTURE(TwoSides, "a file that loses one of its names elsewhere keeps the others") {
    const auto file = workspace->hold("dir/a");
    SUBCASE("as an entry of the base") {}
    SUBCASE("as a change that becomes one") {
      CHECK(workspace->write("a3", 0, "CLIENT") == 0);
      server.write("a3", 0, "CLIENT");
    }
    server.unlink("dir/a");
    pull();
    CHECK(view().get_attributes(file)->nlink == 2);
    const auto open = view().open_file(file, O_WRONLY);
    REQUIRE(open.has_value());
    CHECK(view().write(open->handle, 0, as_bytes("LATER!"), false, false).has_value());
    view().release(open->handle);
    workspace->reopen();
    CHECK(workspace->read("a3").substr(0, 6) == "LATER!");
    CHECK(workspace->read("dir/sub/a2").substr(0, 6) == "LATER!");
  }

  TEST_CASE_FIXTURE(TwoSides, "the kernel hears of names that others gained or brought back") {
    const auto file = workspace->hold("dir/a");
    const auto directory = workspace->hold("dir");
    server.link("dir/a", "dir/a4");
    pull();
    const auto& told = workspace->notifier().inodes;
    CHECK(std::find(told.begin(), told.end(), file) != told.end());
    CHECK(std::find(told.begin(), told.end(), directory) != told.end());
    CHECK(view().get_attributes(file)->nlink == 4);
  }

  TEST_CASE_FIXTURE(TwoSides, "a switch to a seal that is not the last one is refused") {
    const auto first = workspace->seal();
    const auto second = workspace->seal();
    CHECK(view().switch_base(first).error().code == ESTALE);
    CHECK(view().switch_base(second).has_value());
    CHECK(view().switch_base(second).error().code == ESTALE);
  }

  TEST_CASE_FIXTURE(TwoSides, "what was written after a seal is known to have changed") {
    CHECK(workspace->write("file", 0, "CLIENT") == 0);
    const auto sealed = view().seal().value();
    const auto id = sealed_node(sealed, "file")->id;
    CHECK(view().is_unchanged_since(id, sealed.generation).value());
    CHECK(workspace->change_mode("file", 0600) == 0);
    CHECK(view().is_unchanged_since(id, sealed.generation).value());
    CHECK(workspace->truncate("file", 3) == 0);
    CHECK_FALSE(view().is_unchanged_since(id, sealed.generation).value());
    CHECK(view().is_unchanged_since(9999, sealed.generation).error().code == ESTALE);
    CHECK(view().read(9999).error().code == ESTALE);
  }
}

}  // namespace
}  // namespace satchel::fs::test
