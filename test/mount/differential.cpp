// Does a mounted view answer as a plain directory does? The same random system calls on both, every
// answer compared.
//
//   differential VIEW PLAIN [--operations N] [--processes P] [--seed S] [--continue]
//
// Both directories must hold equal trees at the start. Each of P processes works in its own
// sub-directory `p<K>` (made if it is missing) and stops at the first difference: result, errno,
// bytes read, stat fields, xattrs, names. Shares no code with Satchel.
// --plant-bug makes the program lie once about an answer of the view, to show that the comparison
// would notice.
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "test/mount/differential_answer.h"
#include "test/mount/differential_operands.h"
#include "test/mount/differential_side.h"

namespace {

using satchel::test::Answer;
using satchel::test::answer_of;
using satchel::test::bytes_of;
using satchel::test::content_of;
using satchel::test::describe;
using satchel::test::digest;
using satchel::test::kReadBytes;
using satchel::test::MappedPage;
using satchel::test::Operands;
using satchel::test::read_at;
using satchel::test::Side;

class Run : private Operands {
 public:
  Run(const std::string& view, const std::string& plain, int process, std::uint64_t seed,
      bool plant_bug)
      : Operands(seed * 1000003U + static_cast<std::uint64_t>(process)),
        process_(process),
        plant_bug_(plant_bug) {
    const std::string name = "p" + std::to_string(process);
    for (const auto& [side, path] : {std::pair{&view_, view}, std::pair{&plain_, plain}}) {
      mkdir((path + "/" + name).c_str(), 0755);
      side->root = open((path + "/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (side->root < 0) {
        std::perror(path.c_str());
        std::exit(2);
      }
    }
    // Names that the trees had at the start take part too.
    collect_names(plain_.root, "", 0);
  }

  bool run(long operations) {
    for (done_ = 0; done_ < operations; ++done_) {
      if (!step()) return false;
    }
    std::cout << "process " << process_ << ": " << old_reads_
              << " reads of what was there when the file was opened\n";
    return same_trees();
  }

 private:
  using Call = std::function<Answer(Side&)>;
  bool both(const std::string& what, const Call& call) {
    Answer on_view = call(view_);
    const Answer on_plain = call(plain_);
    if (plant_bug_ && done_ > 500) {
      on_view.result += 1;
      plant_bug_ = false;
    }
    trace_.push_back(what);
    if (trace_.size() > 40) trace_.erase(trace_.begin());
    if (on_view == on_plain) return true;
    std::cout << "process " << process_ << ", operation " << done_ << ": " << what
              << "\n  view:  " << on_view << "\n  plain: " << on_plain << "\nlast operations:\n";
    for (const std::string& line : trace_) std::cout << "  " << line << "\n";
    return false;
  }

  bool step() {
    static constexpr std::array<bool (Run::*)(), 35> kSteps = {
        &Run::open_file,     &Run::open_file,       &Run::open_file,      &Run::write_file,
        &Run::write_file,    &Run::read_file,       &Run::truncate_file,  &Run::close_file,
        &Run::make_folder,   &Run::make_folder,     &Run::remove_folder,  &Run::remove_file,
        &Run::rename_path,   &Run::rename_path,     &Run::rename_path,    &Run::link_path,
        &Run::symlink_path,  &Run::make_node,       &Run::change_mode,    &Run::change_owner,
        &Run::change_times,  &Run::set_attribute,   &Run::get_attributes, &Run::allocate,
        &Run::copy_range,    &Run::list_folder,     &Run::stat_path,      &Run::temporary_file,
        &Run::map_file,      &Run::as_another_user, &Run::keep_page,      &Run::store_in_page,
        &Run::store_in_page, &Run::store_in_page,   &Run::write_to_suid};
    const auto which = kSteps[below(kSteps.size())];
    return (this->*which)();
  }

  bool open_file() {
    static constexpr int kFlags[] = {O_RDONLY,
                                     O_WRONLY,
                                     O_RDWR,
                                     O_RDWR | O_CREAT,
                                     O_RDWR | O_CREAT,
                                     O_RDWR | O_CREAT | O_EXCL,
                                     O_WRONLY | O_TRUNC,
                                     O_RDWR | O_CREAT | O_TRUNC,
                                     O_WRONLY | O_APPEND,
                                     O_RDWR | O_CREAT | O_APPEND,
                                     O_RDONLY | O_DIRECTORY,
                                     O_RDONLY | O_NOFOLLOW};
    // The same file in several ways at once is where the bytes behind it can differ.
    if (path_opened_.empty() || chance(60)) path_opened_ = any_path();
    const std::string path = path_opened_;
    const int flags = kFlags[below(std::size(kFlags))] | O_CLOEXEC | O_NONBLOCK;
    const mode_t mode = random_mode() | S_IRUSR | S_IWUSR;
    const std::size_t slot = below(view_.files.size());
    bytes_at_open_[slot].reset();
    const bool is_open =
        both("open " + path + " flags " + std::to_string(flags) + " mode " + std::to_string(mode) +
                 " slot " + std::to_string(slot),
             [&](Side& side) {
               if (side.files[slot] >= 0) close(side.files[slot]);
               side.files[slot] = openat(side.root, path.c_str(), flags, mode);
               struct stat s {};
               std::string detail;
               if (side.files[slot] >= 0 && fstat(side.files[slot], &s) == 0) detail = describe(s);
               const long result = side.files[slot] >= 0 ? 0 : -1;
               if (side.files[slot] >= 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) {
                 close(side.files[slot]);
                 side.files[slot] = -1;
               }
               return answer_of(result, detail);
             });
    if ((flags & O_ACCMODE) == O_RDONLY) bytes_at_open_[slot] = bytes_of(plain_.files[slot]);
    return is_open;
  }
  bool write_file() {
    const std::size_t slot = below(view_.files.size());
    const std::string bytes = random_bytes();
    const off_t offset = random_offset();
    const bool at_position = chance(40);
    const bool durable = chance(10);
    return both("write slot " + std::to_string(slot) + " " + std::to_string(bytes.size()) +
                    (at_position ? " at position" : " at " + std::to_string(offset)),
                [&](Side& side) {
                  const long result =
                      at_position ? write(side.files[slot], bytes.data(), bytes.size())
                                  : pwrite(side.files[slot], bytes.data(), bytes.size(), offset);
                  const int error = errno;
                  if (durable && result >= 0 && fsync(side.files[slot]) != 0) return answer_of(-1);
                  errno = error;
                  struct stat s {};
                  return answer_of(result, fstat(side.files[slot], &s) == 0 ? describe(s) : "");
                });
  }
  /// A view may show a descriptor that was opened for reading what was there at open; nothing else.
  bool read_file() {
    const std::size_t slot = below(view_.files.size());
    const off_t offset = random_offset();
    const auto& at_open = bytes_at_open_[slot];
    const std::string what = "read slot " + std::to_string(slot) + " at " + std::to_string(offset);
    const Answer on_view = read_at(view_.files[slot], offset);
    if (at_open && on_view.error == 0) {
      const std::string old =
          at_open->substr(std::min(at_open->size(), static_cast<std::size_t>(offset)), kReadBytes);
      const bool is_old = on_view == Answer{static_cast<long>(old.size()), 0,
                                            old.empty() ? "" : digest(old.data(), old.size())};
      if (is_old && on_view != read_at(plain_.files[slot], offset)) {
        ++old_reads_;
        return true;
      }
    }
    return both(what, [&](Side& side) { return read_at(side.files[slot], offset); });
  }
  bool truncate_file() {
    const off_t size = random_offset();
    if (chance(50)) {
      const std::size_t slot = below(view_.files.size());
      return both("ftruncate slot " + std::to_string(slot) + " " + std::to_string(size),
                  [&](Side& side) { return answer_of(ftruncate(side.files[slot], size)); });
    }
    const std::string path = any_path();
    return both("truncate " + path + " " + std::to_string(size), [&](Side& side) {
      // truncate(2) has no *at form: by the descriptor's own path
      return answer_of(
          truncate(("/proc/self/fd/" + std::to_string(side.root) + "/" + path).c_str(), size));
    });
  }
  bool close_file() {
    const std::size_t slot = below(view_.files.size());
    return both("close slot " + std::to_string(slot), [&](Side& side) {
      const int result = side.files[slot] < 0 ? 0 : close(side.files[slot]);
      side.files[slot] = -1;
      return answer_of(result);
    });
  }
  bool make_folder() {
    const std::string path = any_path();
    const auto mode = static_cast<mode_t>(0700 | below(02000 * 4));
    return both("mkdir " + path,
                [&](Side& side) { return answer_of(mkdirat(side.root, path.c_str(), mode)); }) &&
           stat_of(path);
  }
  bool remove_folder() {
    const std::string path = any_path();
    return both("rmdir " + path, [&](Side& side) {
      return answer_of(unlinkat(side.root, path.c_str(), AT_REMOVEDIR));
    });
  }
  bool remove_file() {
    const std::string path = any_path();
    return both("unlink " + path,
                [&](Side& side) { return answer_of(unlinkat(side.root, path.c_str(), 0)); });
  }
  bool rename_path() {
    static constexpr unsigned kFlags[] = {0,
                                          0,
                                          0,
                                          0,
                                          RENAME_NOREPLACE,
                                          RENAME_EXCHANGE,
                                          RENAME_WHITEOUT,
                                          RENAME_NOREPLACE | RENAME_EXCHANGE};
    const std::string from = any_path(), to = any_path();
    const unsigned flags = kFlags[below(std::size(kFlags))];
    return both("rename " + from + " -> " + to + " flags " + std::to_string(flags),
                [&](Side& side) {
                  return answer_of(syscall(SYS_renameat2, side.root, from.c_str(), side.root,
                                           to.c_str(), flags));
                }) &&
           stat_of(from) && stat_of(to);
  }
  bool link_path() {
    const std::string from = any_path(), to = any_path();
    return both("link " + from + " -> " + to,
                [&](Side& side) {
                  return answer_of(linkat(side.root, from.c_str(), side.root, to.c_str(), 0));
                }) &&
           stat_of(from);
  }
  bool symlink_path() {
    const std::string path = any_path();
    const std::string target = chance(50) ? any_path() : std::string(1 + below(300), 't');
    return both("symlink " + path,
                [&](Side& side) {
                  return answer_of(symlinkat(target.c_str(), side.root, path.c_str()));
                }) &&
           both("readlink " + path, [&](Side& side) {
             std::array<char, 5000> bytes{};
             const long result = readlinkat(side.root, path.c_str(), bytes.data(), bytes.size());
             return answer_of(
                 result,
                 result > 0 ? std::string(bytes.data(), static_cast<std::size_t>(result)) : "");
           });
  }
  bool make_node() {
    static constexpr mode_t kTypes[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFREG};
    const std::string path = any_path();
    const mode_t type = kTypes[below(std::size(kTypes))];
    return both("mknod " + path,
                [&](Side& side) {
                  return answer_of(mknodat(side.root, path.c_str(), type | 0640, makedev(1, 3)));
                }) &&
           stat_of(path);
  }
  bool change_mode() {
    const std::string path = any_path();
    const mode_t mode = random_mode();
    return both(
               "chmod " + path + " " + std::to_string(mode),
               [&](Side& side) { return answer_of(fchmodat(side.root, path.c_str(), mode, 0)); }) &&
           stat_of(path);
  }
  bool change_owner() {
    const std::string path = any_path();
    const uid_t uid = chance(30) ? static_cast<uid_t>(-1) : static_cast<uid_t>(below(3) * 500);
    const gid_t gid = chance(30) ? static_cast<gid_t>(-1) : static_cast<gid_t>(below(3) * 500);
    return both(
               "chown " + path,
               [&](Side& side) {
                 return answer_of(fchownat(side.root, path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW));
               }) &&
           stat_of(path);
  }
  /// A symlink's access time is left out: looking up a path through the link itself changes it, and
  /// in a view the kernel follows links without asking.
  bool change_times() {
    const std::string path = any_path();
    const timespec times[2] = {
        {static_cast<time_t>(below(2000000000)), static_cast<long>(below(1000000000))},
        {static_cast<time_t>(below(2000000000)), static_cast<long>(below(1000000000))}};
    return both("utimens " + path, [&](Side& side) {
      const int result = utimensat(side.root, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
      struct stat s {};
      if (result != 0 || fstatat(side.root, path.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) {
        return answer_of(result, "");
      }
      std::string seen = std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec);
      if (!S_ISLNK(s.st_mode)) seen += " " + std::to_string(s.st_atim.tv_sec);
      return answer_of(result, seen);
    });
  }
  bool set_attribute() {
    static const char* const kNames[] = {"user.one",      "user.two", "trusted.three",
                                         "security.four", "nonsense", "system.nonsense",
                                         "user.one"};
    const std::string path = any_path(), name = kNames[below(std::size(kNames))];
    const std::string value(below(4) * 90, 'v');
    const int flags = chance(60) ? 0 : chance(50) ? XATTR_CREATE : XATTR_REPLACE;
    const bool remove = chance(25);
    return both((remove ? "removexattr " : "setxattr ") + path + " " + name, [&](Side& side) {
      const std::string full = "/proc/self/fd/" + std::to_string(side.root) + "/" + path;
      return answer_of(
          remove ? lremovexattr(full.c_str(), name.c_str())
                 : lsetxattr(full.c_str(), name.c_str(), value.data(), value.size(), flags));
    });
  }
  bool get_attributes() {
    const std::string path = any_path();
    return both("xattrs " + path, [&](Side& side) {
      const std::string full = "/proc/self/fd/" + std::to_string(side.root) + "/" + path;
      std::vector<char> names(65536), value(65536);
      const long length = llistxattr(full.c_str(), names.data(), names.size());
      if (length < 0) return answer_of(-1);
      std::map<std::string, std::string> all;
      for (long at = 0; at < length; at += static_cast<long>(std::strlen(names.data() + at)) + 1) {
        const long bytes = lgetxattr(full.c_str(), names.data() + at, value.data(), value.size());
        all[names.data() + at] =
            bytes < 0 ? "?" : digest(value.data(), static_cast<std::size_t>(bytes));
      }
      std::string detail;
      for (const auto& [name, text] : all) detail += name + "=" + text + " ";
      return answer_of(0, detail);
    });
  }
  bool allocate() {
    static constexpr int kModes[] = {
        0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    const std::size_t slot = below(view_.files.size());
    const int mode = kModes[below(std::size(kModes))];
    const off_t offset = random_offset(), length = static_cast<off_t>(below(100000));
    return both("fallocate slot " + std::to_string(slot) + " mode " + std::to_string(mode) + " " +
                    std::to_string(offset) + "+" + std::to_string(length),
                [&](Side& side) {
                  const int result = fallocate(side.files[slot], mode, offset, length);
                  struct stat s {};
                  return answer_of(result, fstat(side.files[slot], &s) == 0 ? describe(s) : "");
                });
  }
  bool copy_range() {
    const std::size_t from = below(view_.files.size()), to = below(view_.files.size());
    const off_t offset = random_offset(), target = random_offset();
    if (from == to) return true;
    return both("copy_file_range slot " + std::to_string(from) + " at " + std::to_string(offset) +
                    " -> slot " + std::to_string(to) + " at " + std::to_string(target),
                [&](Side& side) {
                  off_t in = offset, out = target;
                  long total = 0;
                  for (int round = 0; round < 64;
                       ++round) {  // a short copy is allowed; the sum counts
                    const long copied = copy_file_range(side.files[from], &in, side.files[to], &out,
                                                        50000 - static_cast<std::size_t>(total), 0);
                    if (copied < 0) return answer_of(-1);
                    total += copied;
                    if (copied == 0 || total == 50000) break;
                  }
                  return answer_of(total);
                });
  }
  bool list_folder() {
    const std::string path = chance(30) ? std::string(".") : any_path();
    return both("list " + path, [&](Side& side) {
      const int fd = openat(side.root, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd < 0) return answer_of(-1);
      DIR* listing = fdopendir(fd);
      std::multiset<std::string> names;
      while (const dirent* item = readdir(listing))
        names.insert(std::string(item->d_name) + "/" + std::to_string(item->d_type));
      closedir(listing);
      std::string detail;
      for (const std::string& name : names) detail += name + " ";
      return answer_of(static_cast<long>(names.size()), detail);
    });
  }
  bool stat_of(const std::string& path) {
    return both("lstat " + path, [&](Side& side) {
      struct stat s {};
      const int result = fstatat(side.root, path.c_str(), &s, AT_SYMLINK_NOFOLLOW);
      return answer_of(result, result == 0 ? describe(s) : "");
    });
  }
  bool stat_path() { return stat_of(any_path()); }
  bool temporary_file() {
    const std::string folder = chance(50) ? std::string(".") : any_path(), path = any_path();
    const std::string bytes = random_bytes();
    return both("O_TMPFILE in " + folder + ", link to " + path,
                [&](Side& side) {
                  const int fd =
                      openat(side.root, folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
                  if (fd < 0) return answer_of(-1);
                  const long written = write(fd, bytes.data(), bytes.size());
                  const int linked =
                      linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str(), side.root,
                             path.c_str(), AT_SYMLINK_FOLLOW);
                  const Answer answer = answer_of(linked, std::to_string(written));
                  close(fd);
                  return answer;
                }) &&
           stat_of(path);
  }
  bool map_file() {
    const std::size_t slot = below(view_.files.size());
    const auto value = static_cast<char>(below(256));
    const std::size_t at = below(4096);
    return both("mmap store, slot " + std::to_string(slot), [&](Side& side) {
      struct stat s {};
      if (fstat(side.files[slot], &s) != 0) return answer_of(-1);
      if (!S_ISREG(s.st_mode) || s.st_size < 4096) return Answer{0, 0, "too short"};
      void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, side.files[slot], 0);
      if (memory == MAP_FAILED) return answer_of(-1);
      static_cast<char*>(memory)[at] = value;
      const int synced = msync(memory, 4096, MS_SYNC);
      munmap(memory, 4096);
      return answer_of(synced);
    });
  }
  /// A shared mapping that outlives the descriptor that it was made from.
  bool keep_page() {
    const std::size_t slot = below(view_.files.size()), page = below(view_.pages.size());
    return both("map slot " + std::to_string(slot) + " as page " + std::to_string(page),
                [&](Side& side) { return answer_of(side.pages[page].map(side.files[slot])); });
  }
  /// Whoever reads the file or its size sees the store.
  bool store_in_page() {
    const std::size_t page = below(view_.pages.size()), at = below(MappedPage::kBytes);
    const auto value = static_cast<char>(below(256));
    return both("store in page " + std::to_string(page) + " at " + std::to_string(at),
                [&](Side& side) {
                  return Answer{side.pages[page].store(at, value) ? 1 : 0, 0, ""};
                }) &&
           read_file();
  }
  /// Bits set while the file is open for writing go with the next write of somebody else.
  bool write_to_suid() {
    const std::size_t slot = below(view_.files.size());
    const mode_t mode = random_mode() | S_ISUID | S_ISGID;
    const bool as_root = chance(30);
    return both("chmod slot " + std::to_string(slot) + " " + std::to_string(mode) + ", write as " +
                    (as_root ? "root" : "another"),
                [&](Side& side) {
                  const int fd = side.files[slot];
                  struct stat s {};
                  if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return answer_of(-1);
                  if (fchmod(fd, mode) != 0) return answer_of(-1);
                  if (!as_root) setfsuid(500);
                  const long written = pwrite(fd, "bits", 4, 10);
                  const int error = errno;
                  setfsuid(0);
                  errno = error;
                  return answer_of(written, fstat(fd, &s) == 0 ? describe(s) : "");
                });
  }
  bool as_another_user() {
    const std::string path = any_path();
    const uid_t uid = static_cast<uid_t>(1 + below(2)) * 500;
    const unsigned what = static_cast<unsigned>(below(5));
    return both("as " + std::to_string(uid) + " call " + std::to_string(what) + " " + path,
                [&](Side& side) {
                  setfsgid(uid);
                  setfsuid(uid);
                  long result = 0;
                  switch (what) {
                    case 0:
                      result = openat(side.root, path.c_str(),
                                      O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
                      break;
                    case 1:
                      result = mkdirat(side.root, path.c_str(), 0777);
                      break;
                    case 2:
                      result = unlinkat(side.root, path.c_str(), 0);
                      break;
                    case 3:
                      result = fchmodat(side.root, path.c_str(), 04755, 0);
                      break;
                    default:
                      result = openat(side.root, path.c_str(),
                                      O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
                      break;
                  }
                  const int error = errno;
                  if ((what == 0 || what == 4) && result >= 0) {
                    if (what == 4)
                      (void)!write(static_cast<int>(result), "x",
                                   1);  // clears suid where there is one; the stat below tells
                    close(static_cast<int>(result));
                    result = 0;
                  }
                  setfsuid(0);
                  setfsgid(0);
                  errno = error;
                  return answer_of(result);
                }) &&
           stat_of(path);
  }

  /// At the end: every path of both trees, with bytes.
  bool same_trees() {
    for (std::size_t slot = 0; slot < view_.files.size(); ++slot) {
      if (view_.files[slot] >= 0) close(view_.files[slot]);
      if (plain_.files[slot] >= 0) close(plain_.files[slot]);
      view_.files[slot] = plain_.files[slot] = -1;
    }
    forget_known();
    collect_names(plain_.root, "", -100);
    for (const std::string& path : known()) {
      if (!stat_of(path)) return false;
      if (!both("content " + path, [&](Side& side) { return content_of(side.root, path); })) {
        return false;
      }
    }
    return true;
  }

  int process_;
  bool plant_bug_;
  Side view_, plain_;
  std::vector<std::string> trace_;
  std::string path_opened_;
  std::array<std::optional<std::string>, 8> bytes_at_open_;
  long done_ = 0, old_reads_ = 0;
};

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  long operations = 100000;
  int processes = 1;
  std::uint64_t seed = std::random_device{}();
  bool plant_bug = false;
  if (arguments.size() < 2) {
    std::cerr << "usage: differential VIEW PLAIN [--operations N] [--processes P] [--seed S] "
                 "[--plant-bug]\n";
    return 2;
  }
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    if (arguments[i] == "--plant-bug") plant_bug = true;
    if (i + 1 == arguments.size()) break;
    if (arguments[i] == "--operations") operations = std::stol(arguments[i + 1]);
    if (arguments[i] == "--processes") processes = std::stoi(arguments[i + 1]);
    if (arguments[i] == "--seed") seed = std::stoull(arguments[i + 1]);
  }
  umask(022);
  std::cout << "seed " << seed << std::endl;
  std::vector<pid_t> children;
  for (int process = 0; process < processes; ++process) {
    const pid_t child = fork();
    if (child == 0) {
      const bool equal =
          Run(arguments[0], arguments[1], process, seed, plant_bug).run(operations / processes);
      std::cout.flush();
      _exit(equal ? 0 : 1);
    }
    children.push_back(child);
  }
  int failed = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    failed += status != 0 ? 1 : 0;
  }
  std::cout << operations << " operations in " << processes << " processes, " << failed
            << " differ\n";
  return failed == 0 ? 0 : 1;
}
