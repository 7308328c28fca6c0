#include "fs/mount_table.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/support/temp_dir.h"

namespace satchel::fs {

// Where doctest looks for it.
std::ostream& operator<<(std::ostream& out, const MountedFilesystem& mounted) {
  return out << mounted.device << " " << mounted.mount_point << " " << mounted.type << " "
             << mounted.source << " " << mounted.options;
}

TEST_SUITE("fs/mount_table") {
  TEST_CASE("lines of the kernel are read, others are left out") {
    const auto table = parse_mount_table(
        "36 35 0:57 / /mnt/a\\040b\\134c rw,noatime shared:1 master:2 - fuse.satchel satchel:ada "
        "rw\n"
        "22 1 259:2 /sub / rw - ext4 /dev/nvme0n1p2 rw\n"
        "\n"
        "22 1 259:2 / / rw\n"
        "22 1 259:2 / / rw - ext4\n"
        "nonsense - a b c d e f g\n");
    REQUIRE(table.size() == 2);
    CHECK(table[0] ==
          MountedFilesystem{"0:57", {"/mnt/a b\\c"}, "fuse.satchel", "satchel:ada", "rw,noatime"});
    CHECK(table[1] == MountedFilesystem{"259:2", {"/"}, "ext4", "/dev/nvme0n1p2", "rw"});
  }

  TEST_CASE("a mount point is resolved up to its last name, and that too if it is a link") {
    const test::TempDir temp;
    const std::string root = temp.path().text;
    REQUIRE(::mkdir((root + "/real").c_str(), 0700) == 0);
    REQUIRE(::mkdir((root + "/real/mnt").c_str(), 0700) == 0);
    REQUIRE(::symlink("real", (root + "/link").c_str()) == 0);
    REQUIRE(::symlink("real/mnt", (root + "/mnt").c_str()) == 0);
    const std::string rows[] = {root + "/real/mnt", root + "/link/mnt", root + "/real/mnt//",
                                root + "/mnt", root + "/real/mnt/."};
    for (const std::string& row : rows) {
      CAPTURE(row);
      const auto resolved = resolve_mount_point({row});
      REQUIRE(resolved);
      CHECK(resolved->text == root + "/real/mnt");
    }
    CHECK(resolve_mount_point({"/"})->text == "/");
    CHECK(resolve_mount_point({root + "/missing/mnt"}).error().code == ENOENT);
    CHECK(find_mounted_at({"/"})->has_value());
    CHECK(find_satchel_mount(temp.path()).error().sat == Sat::kNotAMount);
  }
}

}  // namespace satchel::fs
