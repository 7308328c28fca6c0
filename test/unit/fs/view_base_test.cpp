#include <doctest/doctest.h>
#include <fcntl.h>

#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

TEST_SUITE("fs/view: the base") {
  TEST_CASE("a view without changes shows its base") {
    PlainDirectory plain;
    fill(plain);
    Workspace workspace(plain.fd());
    CHECK(differences(plain.list(), workspace.list()) == "");
  }

  TEST_CASE("every read only operation leaves the base and the upper as they are") {
    PlainDirectory plain;
    fill(plain);
    Workspace workspace(plain.fd());
    (void)workspace.list();
    CHECK(workspace.view().counts()->dirty_files == 0);
    CHECK(workspace.view().seal()->nodes.size() == 1);
  }

  TEST_CASE("a view without an upper refuses every change with EROFS") {
    PlainDirectory plain;
    fill(plain);
    Workspace workspace(plain.fd());
    satchel::test::ManualClock clock;
    satchel::test::SeededRandom random(1);
    const Log log = Log::to_nowhere();
    TestRouter router;
    const auto opened = View::open({.trees = workspace.trees(),
                                    .contents = workspace.contents(),
                                    .router = router,
                                    .clock = clock,
                                    .random = random,
                                    .log = log},
                                   workspace.base(), nullptr);
    REQUIRE(opened.has_value());
    View& view = **opened;
    const auto file = view.lookup(kRootNode, Name::checked("file"));
    REQUIRE(file.has_value());
    CHECK(view.make_directory(kRootNode, Name::checked("new"), 0755, {}).error().code == EROFS);
    CHECK(view.unlink(kRootNode, Name::checked("file")).error().code == EROFS);
    CHECK(view.open_file(file->node, O_RDWR).error().code == EROFS);
    CHECK(view.link(file->node, kRootNode, Name::checked("l")).error().code == EROFS);
    CHECK(view.set_xattr(file->node, "user.x", "1", XattrMode::kAny).error().code == EROFS);
    CHECK(view.seal().error().code == EROFS);
    const auto a3 = view.lookup(kRootNode, Name::checked("a3"));
    CHECK(a3->stat.nlink == 3);
  }

  TEST_CASE("names of one linked base file are one node with all its names counted") {
    PlainDirectory plain;
    fill(plain);
    Workspace workspace(plain.fd());
    const auto first = workspace.view().lookup(kRootNode, Name::checked("a3"));
    const auto other = workspace.find("dir/a");
    CHECK(first->node == other->node);
    CHECK(first->stat.nlink == 3);
    workspace.view().forget(first->node, 1);
  }

  TEST_CASE("what is forgotten is unknown, what is absent is ENOENT") {
    Workspace workspace;
    CHECK(workspace.view().get_attributes(NodeId{77}).error().code == ESTALE);
    CHECK(workspace.find("absent").error().code == ENOENT);
  }

  TEST_CASE("inode numbers are the same after closing and opening again") {
    PlainDirectory plain;
    fill(plain);
    Workspace workspace(plain.fd());
    CHECK(workspace.make_file("new", 0644) == 0);
    const auto base_ino = workspace.stat("dir/b").ino;
    const auto new_ino = workspace.stat("new").ino;
    CHECK(workspace.append("dir/b", "more") == 0);
    CHECK(workspace.rename("dir/b", "moved", 0) == 0);
    workspace.reopen();
    CHECK(workspace.stat("moved").ino == base_ino);
    CHECK(workspace.stat("new").ino == new_ino);
  }
}

}  // namespace
}  // namespace satchel::fs::test
