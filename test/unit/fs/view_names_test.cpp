#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/posix_acl.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {
namespace {

constexpr Caller kAda{.uid = 1000, .gid = 1000, .pid = 1, .umask = 022};

struct FilledDirectory : PlainDirectory {
  FilledDirectory() { fill(*this); }
};

struct Filled {
  FilledDirectory plain;
  Workspace workspace{plain.fd()};
  View& view = workspace.view();

  NodeReply get(const std::string& path) {
    // Kept known to the end: forgotten only by closing the view.
    NodeId node = kRootNode;
    NodeReply reply{.node = kRootNode, .stat = {}};
    for (const Name& name : RelativePath::parse(path)->names()) {
      reply = view.lookup(node, name).value();
      node = reply.node;
    }
    return reply;
  }
};

TEST_SUITE("fs/view: names") {
  TEST_CASE_FIXTURE(Filled, "what is made belongs to its caller, less the umask") {
    const auto made = view.make_directory(kRootNode, Name::checked("d"), 0777, kAda).value();
    CHECK(made.stat.mode == (S_IFDIR | 0755));
    CHECK(made.stat.uid == 1000);
    CHECK(made.stat.gid == 1000);
    CHECK(made.stat.nlink == 2);
    const auto link = view.make_symlink(kRootNode, Name::checked("l"), "target", kAda).value();
    CHECK(link.stat.mode == (S_IFLNK | 0777));
    CHECK(link.stat.size == 6);
    CHECK(view.read_link(link.node).value() == "target");
    const auto device =
        view.make_node(kRootNode, Name::checked("n"), S_IFCHR | 0600, makedev(1, 3), {}).value();
    CHECK(device.stat.rdev == makedev(1, 3));
  }

  TEST_CASE_FIXTURE(Filled, "a setgid directory hands its group down") {
    CHECK(workspace.change_owner("dir", 0, 500) == 0);
    CHECK(workspace.change_mode("dir", 02755) == 0);
    const NodeId dir = get("dir").node;
    CHECK(view.make_directory(dir, Name::checked("d"), 0755, kAda)->stat.mode == (S_IFDIR | 02755));
    const auto file = view.create(dir, Name::checked("f"), 0644, O_WRONLY, kAda).value();
    CHECK(file.node.stat.gid == 500);
    CHECK(file.node.stat.mode == (S_IFREG | 0644));
  }

  TEST_CASE_FIXTURE(Filled, "a default ACL is inherited and takes the umask's place") {
    const Acl acl{{AclEntry::kUserObject, 7, UINT32_MAX},
                  {AclEntry::kUser, 6, 1001},
                  {AclEntry::kGroupObject, 5, UINT32_MAX},
                  {AclEntry::kMask, 7, UINT32_MAX},
                  {AclEntry::kOther, 0, UINT32_MAX}};
    const NodeId dir = get("dir").node;
    const std::string name(kDefaultAclXattr);
    const std::string access(kAccessAclXattr);
    REQUIRE(view.set_xattr(dir, name, encode_acl(acl), XattrMode::kAny).has_value());
    const auto file = view.create(dir, Name::checked("f"), 0664, O_WRONLY, kAda).value();
    CHECK(file.node.stat.mode == (S_IFREG | 0660));
    CHECK(view.get_xattr(file.node.node, access).has_value());
    CHECK(view.get_xattr(file.node.node, name).error().code == ENODATA);
    const auto sub = view.make_directory(dir, Name::checked("d"), 0777, kAda).value();
    CHECK(view.get_xattr(sub.node, name).value() == encode_acl(acl));

    // An access ACL and the mode say the same, and one that the mode says all of is not kept.
    AttributeChange change;
    change.mode = 0600;
    CHECK(view.set_attributes(file.node.node, std::nullopt, change, {})->mode == (S_IFREG | 0600));
    CHECK(mode_of_acl(decode_acl(*view.get_xattr(file.node.node, access)).value()).mode == 0600);
    const Acl plain_acl{{AclEntry::kUserObject, 6, UINT32_MAX},
                        {AclEntry::kGroupObject, 4, UINT32_MAX},
                        {AclEntry::kOther, 4, UINT32_MAX}};
    CHECK(
        view.set_xattr(file.node.node, access, encode_acl(plain_acl), XattrMode::kAny).has_value());
    CHECK(view.get_attributes(file.node.node)->mode == (S_IFREG | 0644));
    CHECK(view.get_xattr(file.node.node, access).error().code == ENODATA);
    CHECK(view.set_xattr(file.node.node, name, encode_acl(acl), XattrMode::kAny).error().code ==
          EACCES);
  }

  TEST_CASE_FIXTURE(Filled, "xattrs obey create, replace and their limits") {
    const NodeId file = get("file").node;
    CHECK(view.set_xattr(file, "user.note", "x", XattrMode::kCreate).error().code == EEXIST);
    CHECK(view.set_xattr(file, "user.none", "x", XattrMode::kReplace).error().code == ENODATA);
    CHECK(view.remove_xattr(file, "user.none").error().code == ENODATA);
    CHECK(view.set_xattr(file, "nonsense", "x", XattrMode::kAny).error().code == EOPNOTSUPP);
    CHECK(view.set_xattr(file, "user.big", std::string(65537, 'x'), XattrMode::kAny).error().code ==
          E2BIG);
    CHECK(view.set_xattr(file, "user.big", std::string(65536, 'x'), XattrMode::kAny).has_value());
    CHECK(view.remove_xattr(file, "user.note").has_value());
    CHECK(view.list_xattrs(file).value() == std::vector<std::string>{"user.big"});
    CHECK(workspace.read("file") == "content of file\n");
  }

  TEST_CASE_FIXTURE(Filled, "a rule that denies a path refuses what would make it") {
    const auto code = [](const auto& result) { return result ? 0 : result.error().code; };
    CHECK(code(view.make_directory(kRootNode, Name::checked("deny"), 0755, kAda)) == EPERM);
    CHECK(code(view.create(kRootNode, Name::checked("deny"), 0644, O_WRONLY, kAda)) == EPERM);
    CHECK(workspace.rename("file", "deny", 0) == EPERM);
    CHECK(workspace.link("file", "deny") == EPERM);
    CHECK(workspace.read("file") == "content of file\n");
  }

  TEST_CASE_FIXTURE(Filled, "times follow what is done, to names and to what they lead to") {
    auto& clock = workspace.clock();
    clock.set({.seconds = 4'000'000'000, .nanoseconds = 5});  // after everything in the base
    const auto now = [&] { return clock.now(); };
    const auto file = get("file");
    CHECK(file.stat.ctime == file.stat.mtime);
    CHECK(workspace.change_mode("file", 0600) == 0);
    CHECK(workspace.stat("file").ctime == now());
    CHECK(workspace.stat("file").mtime == file.stat.mtime);
    clock.advance_seconds(1);
    CHECK(workspace.link("file", "dir/second") == 0);
    CHECK(workspace.stat("file").ctime == now());
    CHECK(workspace.stat("dir").mtime == now());
    CHECK(workspace.stat("dir").ctime == now());
    clock.advance_seconds(1);
    CHECK(workspace.rename("file", "dir/third", 0) == 0);
    CHECK(workspace.stat("dir/third").ctime == now());
    CHECK(workspace.stat("").mtime == now());
    clock.advance_seconds(1);
    CHECK(workspace.unlink("dir/second") == 0);
    CHECK(workspace.stat("dir/third").ctime == now());
    clock.advance_seconds(1);
    CHECK(workspace.append("dir/third", "x") == 0);
    CHECK(workspace.stat("dir/third").mtime == now());
    CHECK(workspace.stat("dir").mtime < now());
    AttributeChange change;
    change.mtime = Timestamp{.seconds = 5, .nanoseconds = 999'999'999};
    change.atime_now = true;
    const auto changed =
        view.set_attributes(get("dir/third").node, std::nullopt, change, {}).value();
    CHECK(changed.mtime == *change.mtime);
    CHECK(changed.atime == now());
    workspace.reopen(/*crash=*/true);
    CHECK(workspace.stat("dir/third").mtime == *change.mtime);
    CHECK(workspace.stat("dir/third").size == 17);
  }

  TEST_CASE_FIXTURE(Filled, "a file lives on in its descriptor when its last name goes") {
    for (const std::string path : {"file", "dir/a", "void"}) {
      CAPTURE(path);
      const auto node = get(path);
      const auto parent = get(RelativePath::parse(path)->parent().text());
      const auto open = view.open_file(node.node, O_RDWR).value();
      if (path == "dir/a") {
        CHECK(workspace.unlink("a3") == 0);
        CHECK(workspace.unlink("dir/sub/a2") == 0);
        CHECK(view.get_attributes(node.node)->nlink == 1);
      }
      CHECK(view.unlink(parent.node, RelativePath::parse(path)->name()).has_value());
      CHECK(workspace.find(path).error().code == ENOENT);
      CHECK(view.get_attributes(node.node)->nlink == 0);
      CHECK(view.write(open.handle, 0, as_bytes("new"), /*append=*/true, false).value() == 3);
      std::string text(64, '\0');
      const auto count = view.read(open.handle, 0, std::as_writable_bytes(std::span(text))).value();
      text.resize(count);
      CHECK(text == (path == "void" ? "new" : "content of " + path + "\nnew"));
      CHECK(view.link(node.node, kRootNode, Name::checked("again")).error().code == ENOENT);
      view.release(open.handle);
      view.forget(node.node, 1);
      CHECK(view.get_attributes(node.node).error().code == ESTALE);
    }
  }

  TEST_CASE_FIXTURE(Filled, "a file without a name can be given one") {
    const auto made = view.create_unnamed(get("dir").node, 0600, O_RDWR, kAda).value();
    CHECK(made.node.stat.nlink == 0);
    CHECK(view.write(made.open.handle, 0, as_bytes("text"), false, false).has_value());
    CHECK(view.link(made.node.node, kRootNode, Name::checked("named"))->stat.nlink == 1);
    view.release(made.open.handle);
    workspace.reopen();
    CHECK(workspace.read("named") == "text");
  }

  TEST_CASE_FIXTURE(Filled, "a removed directory that is in use takes no names") {
    const auto dir = get("empty");
    CHECK(workspace.remove_directory("empty") == 0);
    CHECK(view.get_attributes(dir.node)->nlink == 0);
    CHECK(view.make_directory(dir.node, Name::checked("d"), 0755, kAda).error().code == ENOENT);
    CHECK(view.create(dir.node, Name::checked("f"), 0644, O_WRONLY, kAda).error().code == ENOENT);
    CHECK(view.rename(kRootNode, Name::checked("file"), dir.node, Name::checked("f"),
                      RenameMode::kReplace, {})
              .error()
              .code == ENOENT);
    CHECK(workspace.make_directory("empty", 0755) == 0);
    CHECK(workspace.names("empty").empty());
  }

  TEST_CASE_FIXTURE(Filled, "renaming a base directory moves one name and copies nothing") {
    CHECK(workspace.rename("dir", "empty/moved", 0) == 0);
    CHECK(workspace.read("empty/moved/sub/deep/d") == "content of dir/sub/deep/d\n");
    CHECK(workspace.stat("a3").nlink == 3);
    CHECK(workspace.append("empty/moved/sub/a2", "x") == 0);  // also known as a3 and dir/a
    CHECK(workspace.read("a3") == "content of dir/a\nx");
    CHECK(workspace.read("empty/moved/a") == "content of dir/a\nx");
    CHECK(workspace.rename("empty/moved", "empty/moved/sub/inside", 0) == EINVAL);
    const auto sealed = workspace.view().seal().value();
    // root, empty, moved, sub and the linked file: nothing else has a row.
    CHECK(sealed.nodes.size() == 5);
  }

  TEST_CASE_FIXTURE(Filled, "rename leaves a whiteout device where it is asked to") {
    CHECK(view.rename(kRootNode, Name::checked("file"), kRootNode, Name::checked("other"),
                      RenameMode::kWhiteout, {})
              .has_value());
    const NodeStat whiteout = workspace.stat("file");
    CHECK(whiteout.mode == S_IFCHR);
    CHECK(whiteout.rdev == makedev(0, 0));
  }

  TEST_CASE_FIXTURE(Filled, "a file without a label says that there are none") {
    const auto node = get("dir/setuid");
    CHECK(view.get_xattr(node.node, "security.selinux").error().code == EOPNOTSUPP);
    CHECK(view.get_xattr(node.node, "security.other").error().code == ENODATA);
    CHECK(view.set_xattr(node.node, "security.selinux", "label", XattrMode::kAny).has_value());
    CHECK(view.get_xattr(node.node, "security.selinux").value() == "label");
  }

  TEST_CASE_FIXTURE(Filled, "suid and sgid go when somebody else writes or the owner changes") {
    const auto node = get("dir/setuid");
    const auto open = view.open_file(node.node, O_RDWR).value();
    CHECK(view.write(open.handle, 0, as_bytes("x"), false, /*kill_suid=*/false).has_value());
    CHECK(view.get_attributes(node.node)->mode == (S_IFREG | 06755));
    CHECK(view.set_xattr(node.node, "security.capability", "caps", XattrMode::kAny).has_value());
    CHECK(view.write(open.handle, 0, as_bytes("x"), false, /*kill_suid=*/true).has_value());
    CHECK(view.get_attributes(node.node)->mode == (S_IFREG | 0755));
    CHECK(view.get_xattr(node.node, "security.capability").error().code == ENODATA);
    CHECK(workspace.change_mode("dir/setuid", 06755) == 0);
    CHECK(workspace.change_owner("dir/setuid", 1, 1) == 0);
    CHECK(view.get_attributes(node.node)->mode == (S_IFREG | 0755));
    view.release(open.handle);
  }

  TEST_CASE_FIXTURE(Filled,
                    "opening a base file for writing copies nothing before the first write") {
    const auto node = get("file");
    const auto open = view.open_file(node.node, O_RDWR).value();
    CHECK(view.seal()->nodes.size() == 1);
    const auto reader = view.open_file(node.node, O_RDONLY).value();
    CHECK(view.write(open.handle, 3, as_bytes("XYZ"), false, false).value() == 3);
    std::string text(64, '\0');
    text.resize(view.read(reader.handle, 0, std::as_writable_bytes(std::span(text))).value());
    CHECK(text == "conXYZt of file\n");
    CHECK(view.write(reader.handle, 0, as_bytes("x"), false, false).error().code == EBADF);
    view.release(open.handle);
    view.release(reader.handle);
    CHECK(view.read(reader.handle, 0, {}).error().code == EBADF);
  }

  TEST_CASE_FIXTURE(Filled, "holes, allocation, seeking and copying of ranges") {
    const auto made = view.create(kRootNode, Name::checked("s"), 0644, O_RDWR, kAda).value();
    const HandleId handle = made.open.handle;
    const std::uint64_t tebibyte = 1ULL << 40U;
    CHECK(view.write(handle, tebibyte, as_bytes("end"), false, false).value() == 3);
    CHECK(view.get_attributes(made.node.node)->size == tebibyte + 3);
    CHECK(view.get_attributes(made.node.node)->blocks < 1024);
    CHECK(view.seek(handle, 0, SEEK_DATA).value() >= tebibyte - 4096);
    CHECK(view.seek(handle, 0, SEEK_HOLE).value() == 0);
    CHECK(view.seek(handle, tebibyte + 3, SEEK_DATA).error().code == ENXIO);
    CHECK(view.fallocate(handle, FallocateMode::kAllocate, 0, 8192).has_value());
    CHECK(view.get_attributes(made.node.node)->size == tebibyte + 3);
    CHECK(view.fallocate(handle, FallocateMode::kKeepSize, tebibyte, 8192).has_value());
    CHECK(view.get_attributes(made.node.node)->size == tebibyte + 3);
    CHECK(view.fallocate(handle, FallocateMode::kPunchHole, tebibyte, 2).has_value());
    std::string text(3, 'x');
    CHECK(view.read(handle, tebibyte, std::as_writable_bytes(std::span(text))).value() == 3);
    CHECK(text == std::string("\0\0d", 3));
    CHECK(view.fallocate(handle, FallocateMode::kZeroRange, tebibyte, 8).has_value());
    CHECK(view.get_attributes(made.node.node)->size == tebibyte + 8);
    const auto base = view.open_file(get("dir/b").node, O_RDONLY).value();
    CHECK(view.copy_range(base.handle, 3, handle, 100, 4).value() == 4);
    CHECK(view.copy_range(handle, 100, handle, 200, 4).value() == 4);
    text.resize(4);
    CHECK(view.read(handle, 200, std::as_writable_bytes(std::span(text))).value() == 4);
    CHECK(text == "tent");
    CHECK(view.seek(base.handle, 0, SEEK_HOLE).value() == 17);
    CHECK(view.write(handle, INT64_MAX, as_bytes("x"), false, false).error().code == EFBIG);
    view.release(base.handle);
    view.release(handle);
  }

  TEST_CASE_FIXTURE(Filled,
                    "reading moves the access time as relatime does and makes nothing dirty") {
    auto& clock = workspace.clock();
    clock.set({.seconds = 4'000'000'000, .nanoseconds = 0});
    const auto node = get("file");
    CHECK(workspace.read("file") == "content of file\n");
    CHECK(view.get_attributes(node.node)->atime == clock.now());
    const Timestamp first = clock.now();
    clock.advance_seconds(60);
    CHECK(workspace.read("file") == "content of file\n");
    CHECK(view.get_attributes(node.node)->atime == first);
    clock.advance_seconds(24 * 60 * 60);
    CHECK(workspace.read("file") == "content of file\n");
    CHECK(view.get_attributes(node.node)->atime == clock.now());
    CHECK(view.seal()->nodes.size() == 1);
  }

  TEST_CASE("a file has 65,000 names and not one more") {
    Workspace workspace;
    CHECK(workspace.make_file("file", 0644) == 0);
    CHECK(workspace.make_directory("d", 0755) == 0);
    View& view = workspace.view();
    const NodeId file = view.lookup(kRootNode, Name::checked("file"))->node;
    const NodeId directory = view.lookup(kRootNode, Name::checked("d"))->node;
    for (int i = 1; i < 65000; ++i) {
      REQUIRE(view.link(file, directory, Name::checked(std::to_string(i))).has_value());
    }
    CHECK(view.get_attributes(file)->nlink == 65000);
    CHECK(view.link(file, directory, Name::checked("more")).error().code == EMLINK);
  }
}

}  // namespace
}  // namespace satchel::fs::test
