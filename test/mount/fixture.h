// A view on a real repository and store, mounted by a process of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/path.h"
#include "fs/control.h"
#include "fs/mount.h"
#include "test/mount/place.h"
#include "test/support/temp_dir.h"

namespace satchel::test {

/// Ends the case as skipped where there is no FUSE, or not root.
#define SATCHEL_NEEDS_MOUNT()                                                  \
  do {                                                                         \
    if (::access("/dev/fuse", R_OK | W_OK) != 0) SATCHEL_SKIP("no /dev/fuse"); \
    if (::geteuid() != 0) SATCHEL_SKIP("not root");                            \
  } while (false)

/// A temporary folder with base/ (what becomes the base version), plain/ (a copy of it to compare
/// with), repo/, store/, run/ and mnt/. The test's own process opens neither repository nor store
/// and has one thread, so that it can fork.
class MountFixture {
 public:
  struct Options {
    bool is_image = false;
    bool is_exported = false;
    fs::TransportChoice transport = fs::TransportChoice::kAuto;
  };

  /// `make_base` fills base/; then the repository is made. Nothing is mounted yet.
  explicit MountFixture(const std::function<void(Place& base)>& make_base);
  /// Unmounts.
  ~MountFixture();
  MountFixture(const MountFixture&) = delete;
  MountFixture& operator=(const MountFixture&) = delete;

  Result<pid_t> try_mount(const Options& options);
  /// Fails the case on an error.
  void mount(const Options& options);
  void mount() { mount(Options{}); }
  void unmount();
  /// kill -9 of the mount's process.
  void kill();

  /// Imports `directory` as another tree of the repository; its root's id in hexadecimal.
  std::string import(const HostPath& directory);
  /// Makes that tree the base of the mounted view.
  void switch_base(const std::string& root);
  Result<fs::ControlFields> call(const std::string& verb);
  /// A number of `status`; −1 if there is none.
  long status_number(std::string_view key);
  /// How many files have bytes of their own in the store's upper.
  [[nodiscard]] std::ptrdiff_t files_in_upper() const;

  /// Plays `script` in plain/ and in the view and checks that the records are equal.
  void on_both(const std::function<void(Place&)>& script);
  /// Checks that both show the same tree.
  void compare_trees();

  [[nodiscard]] HostPath folder(const std::string& name) const { return temp_.path() / name; }
  [[nodiscard]] std::string mnt(const std::string& relative) const {
    return folder("mnt").text + "/" + relative;
  }

 private:
  TempDir temp_;
  pid_t daemon_ = 0;
  std::string root_;
};

}  // namespace satchel::test
