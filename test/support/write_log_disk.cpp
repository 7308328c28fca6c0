// A disk that remembers the order of what was written to it, so that a test can cut its power at
// any point.
//
//   write_log_disk DIRECTORY BYTES LOG      serves DIRECTORY/disk until it is unmounted
//   write_log_disk --replay LOG IMAGE BYTES CUT SEED
//
// A loop device is put over DIRECTORY/disk. LOG gets one record per write and per flush, in order:
// u8 kind (1 write, 2 flush) · u64 offset · u64 length · bytes. --replay makes IMAGE as it may be
// after a power cut when the log was CUT bytes long: everything before the last flush is there; of
// what was written since, each 4 KiB block may or may not be (by SEED), as a drive's cache is free
// to choose.
#define FUSE_USE_VERSION 31
#include <fcntl.h>
#include <fuse.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::uint8_t kWrite = 1;
constexpr std::uint8_t kFlush = 2;
constexpr std::size_t kBlockBytes = 4096;

struct Header {
  std::uint8_t kind;
  std::uint64_t offset;
  std::uint64_t length;
} __attribute__((packed));

struct Disk {
  char* bytes = nullptr;
  std::size_t size = 0;
  int log = -1;
};
Disk disk;  // one per process, as libfuse's high-level callbacks want it

bool is_disk(const char* path) {
  return std::strcmp(path, "/disk") == 0;
}

int log_record(std::uint8_t kind, std::uint64_t offset, const char* bytes, std::size_t length) {
  const Header header{kind, offset, length};
  std::vector<char> record(sizeof header + length);
  std::memcpy(record.data(), &header, sizeof header);
  if (length > 0) std::memcpy(record.data() + sizeof header, bytes, length);
  return ::write(disk.log, record.data(), record.size()) == static_cast<ssize_t>(record.size())
             ? 0
             : -EIO;
}

int op_getattr(const char* path, struct stat* out, fuse_file_info* /*file*/) {
  *out = {};
  out->st_uid = getuid();
  if (is_disk(path)) {
    out->st_mode = S_IFREG | 0600;
    out->st_nlink = 1;
    out->st_size = static_cast<off_t>(disk.size);
    return 0;
  }
  if (std::strcmp(path, "/") != 0) return -ENOENT;
  out->st_mode = S_IFDIR | 0700;
  out->st_nlink = 2;
  return 0;
}
int op_readdir(const char* /*path*/, void* buffer, fuse_fill_dir_t fill, off_t /*offset*/,
               fuse_file_info* /*file*/, fuse_readdir_flags /*flags*/) {
  fill(buffer, "disk", nullptr, 0, fuse_fill_dir_flags{});
  return 0;
}
int op_open(const char* path, fuse_file_info* /*file*/) {
  return is_disk(path) ? 0 : -ENOENT;
}
int op_read(const char* /*path*/, char* buffer, std::size_t length, off_t offset,
            fuse_file_info* /*file*/) {
  const auto from = static_cast<std::size_t>(offset);
  if (from >= disk.size) return 0;
  length = std::min(length, disk.size - from);
  std::memcpy(buffer, disk.bytes + from, length);
  return static_cast<int>(length);
}
int op_write(const char* /*path*/, const char* buffer, std::size_t length, off_t offset,
             fuse_file_info* /*file*/) {
  const auto from = static_cast<std::size_t>(offset);
  if (from + length > disk.size) return -ENOSPC;
  std::memcpy(disk.bytes + from, buffer, length);
  const int failed = log_record(kWrite, from, buffer, length);
  return failed != 0 ? failed : static_cast<int>(length);
}
int op_fsync(const char* /*path*/, int /*data_only*/, fuse_file_info* /*file*/) {
  return log_record(kFlush, 0, nullptr, 0);
}
// Discards and zeroed ranges of the loop device: written as zeros, so that the log stays the whole
// truth.
int op_fallocate(const char* /*path*/, int mode, off_t offset, off_t length,
                 fuse_file_info* /*file*/) {
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == 0) return 0;
  const std::vector<char> zeros(static_cast<std::size_t>(length));
  const int written = op_write(nullptr, zeros.data(), zeros.size(), offset, nullptr);
  return written < 0 ? written : 0;
}

int serve(const char* directory, std::size_t size, const char* log_path) {
  disk.size = size;
  disk.bytes = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  disk.log = ::open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (disk.bytes == MAP_FAILED || disk.log < 0) {
    std::perror("write_log_disk");
    return 1;
  }
  fuse_operations operations{};
  operations.getattr = op_getattr;
  operations.readdir = op_readdir;
  operations.open = op_open;
  operations.read = op_read;
  operations.write = op_write;
  operations.fsync = op_fsync;
  operations.fallocate = op_fallocate;
  std::string name = "write_log_disk", single = "-s", foreground = "-f", target = directory;
  char* arguments[] = {name.data(), single.data(), foreground.data(), target.data(), nullptr};
  return fuse_main(4, arguments, &operations, nullptr);
}

int replay(const std::string& log_path, const std::string& image_path, std::size_t size,
           std::size_t cut, std::uint64_t seed) {
  std::ifstream log(log_path, std::ios::binary);
  std::vector<char> all(cut);
  log.read(all.data(), static_cast<std::streamsize>(cut));
  const auto available = static_cast<std::size_t>(log.gcount());

  struct Record {
    Header header;
    std::size_t at;
  };
  std::vector<Record> records;
  std::size_t last_flush = 0;  // records before this index are on the medium
  for (std::size_t at = 0; at + sizeof(Header) <= available;) {
    Header header{};
    std::memcpy(&header, all.data() + at, sizeof header);
    if (at + sizeof header + header.length > available) break;  // the cut falls into this record
    records.push_back({header, at + sizeof header});
    if (header.kind == kFlush) last_flush = records.size();
    at += sizeof header + header.length;
  }

  const int image = ::open(image_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (image < 0 || ftruncate(image, static_cast<off_t>(size)) != 0) {
    std::perror(image_path.c_str());
    return 1;
  }
  std::mt19937_64 random(seed);
  std::size_t lost = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Header& header = records[i].header;
    if (header.kind != kWrite) continue;
    for (std::size_t done = 0; done < header.length;) {
      const std::size_t length = std::min<std::size_t>(
          kBlockBytes - (header.offset + done) % kBlockBytes, header.length - done);
      if (i < last_flush || (random() & 1U) != 0) {
        if (pwrite(image, all.data() + records[i].at + done, length,
                   static_cast<off_t>(header.offset + done)) != static_cast<ssize_t>(length))
          return 1;
      } else {
        ++lost;
      }
      done += length;
    }
  }
  std::cout << "records=" << records.size() << " since_flush=" << records.size() - last_flush
            << " blocks_lost=" << lost << "\n";
  return close(image);
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() == 3) return serve(values[1], std::stoull(arguments[1]), values[3]);
  if (arguments.size() == 6 && arguments[0] == "--replay") {
    return replay(arguments[1], arguments[2], std::stoull(arguments[3]), std::stoull(arguments[4]),
                  std::stoull(arguments[5]));
  }
  std::cerr << "usage: write_log_disk DIRECTORY BYTES LOG | --replay LOG IMAGE BYTES CUT SEED\n";
  return 2;
}
