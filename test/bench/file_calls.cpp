// How long does one kind of work with files take in a directory?
//
//   file_calls WORKLOAD DIR [COUNT]
//
// DIR holds what test/bench/mount_table.py has made: `paths` (names below tree/, a line each),
// `small/0…`, `big`. Prints the seconds that the work itself took. New files go to DIR/work, which
// the caller makes and clears.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kLargeBytes = 1U << 20U;
constexpr std::size_t kAppendBytes = 200;

struct Place {
  std::string folder;
  int count = 0;
};

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::perror(what.c_str());
  std::exit(1);
}

/// Closes itself.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    require(fd_ >= 0, path);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    require(::fstat(fd_, &status) == 0, "fstat");
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  int fd_;
};

/// A fixed sequence: each run and each mount sees the same offsets.
class Offsets {
 public:
  explicit Offsets(std::uint64_t file_bytes) : blocks_(file_bytes / kBlockBytes) {}
  off_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<off_t>(((state_ >> 33U) % blocks_) * kBlockBytes);
  }

 private:
  std::uint64_t blocks_;
  std::uint64_t state_ = 1;
};

std::vector<std::string> read_paths(const Place& place) {
  std::ifstream in(place.folder + "/paths");
  std::vector<std::string> paths;
  for (std::string line; std::getline(in, line);) {
    paths.push_back(place.folder + "/tree/" + line);
  }
  return paths;
}

std::string small_file(const Place& place, const char* where, int number) {
  return place.folder + where + std::to_string(number);
}

// Each returns the work to be timed; what it needs is made before.
std::function<void()> stat_all(const Place& place) {
  return [paths = read_paths(place)] {
    struct stat status {};
    for (const std::string& path : paths) require(::lstat(path.c_str(), &status) == 0, path);
  };
}

std::function<void()> open_read_close(const Place& place) {
  return [place] {
    std::array<char, kBlockBytes> block{};
    for (int i = 0; i < place.count; ++i) {
      const File file(small_file(place, "/small/", i), O_RDONLY);
      require(::read(file.fd(), block.data(), block.size()) == kBlockBytes, "read");
    }
  };
}

std::function<void()> create_write_close(const Place& place) {
  return [place] {
    const std::vector<char> block(kBlockBytes, 'x');
    for (int i = 0; i < place.count; ++i) {
      const File file(small_file(place, "/job/", i), O_WRONLY | O_CREAT | O_EXCL);
      require(::write(file.fd(), block.data(), block.size()) == kBlockBytes, "write");
    }
  };
}

std::function<void()> append(const Place& place) {
  return [place] {
    const std::vector<char> piece(kAppendBytes, 'x');
    const File file(place.folder + "/job/log", O_WRONLY | O_CREAT | O_APPEND);
    for (int i = 0; i < place.count; ++i) {
      require(::write(file.fd(), piece.data(), piece.size()) == kAppendBytes, "write");
    }
  };
}

std::function<void()> read_sequential(const Place& place) {
  return [place] {
    std::vector<char> buffer(kLargeBytes);
    const File file(place.folder + "/big", O_RDONLY);
    ssize_t got = 0;
    while ((got = ::read(file.fd(), buffer.data(), buffer.size())) > 0) {
    }
    require(got == 0, "read");
  };
}

std::function<void()> read_random(const Place& place) {
  return [place] {
    std::array<char, kBlockBytes> block{};
    const File file(place.folder + "/big", O_RDONLY);
    Offsets offsets(file.size());
    for (int i = 0; i < place.count; ++i) {
      require(::pread(file.fd(), block.data(), block.size(), offsets.next()) == kBlockBytes,
              "read");
    }
  };
}

std::function<void()> read_mapped(const Place& place) {
  return [place] {
    const File file(place.folder + "/big", O_RDONLY);
    const std::uint64_t size = file.size();
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd(), 0);
    require(start != MAP_FAILED, "mmap");
    Offsets offsets(size);
    std::array<char, kBlockBytes> block{};
    [[maybe_unused]] volatile char read_bytes = 0;
    for (int i = 0; i < place.count; ++i) {
      std::memcpy(block.data(), static_cast<const char*>(start) + offsets.next(), block.size());
      read_bytes = block[static_cast<std::size_t>(i) % block.size()];  // so that they are read
    }
    ::munmap(start, size);
  };
}

/// Into a file that is the person's already: the copy-up is not measured.
std::function<void()> overwrite_random(const Place& place) {
  const std::string path = place.folder + "/job/overwritten";
  {
    const std::vector<char> piece(kLargeBytes, 'o');
    const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
    for (int i = 0; i < 256; ++i) {
      require(::write(file.fd(), piece.data(), piece.size()) == ssize_t{kLargeBytes}, "write");
    }
    require(::fsync(file.fd()) == 0, "fsync");
  }
  return [place, path] {
    const std::vector<char> block(kBlockBytes, 'n');
    const File file(path, O_WRONLY);
    Offsets offsets(file.size());
    for (int i = 0; i < place.count; ++i) {
      require(::pwrite(file.fd(), block.data(), block.size(), offsets.next()) == kBlockBytes,
              "write");
    }
  };
}

std::function<void()> write_sequential(const Place& place) {
  return [place] {
    const std::vector<char> piece(kLargeBytes, 'w');
    const File file(place.folder + "/job/new", O_WRONLY | O_CREAT | O_EXCL);
    for (int i = 0; i < place.count; ++i) {
      require(::write(file.fd(), piece.data(), piece.size()) == ssize_t{kLargeBytes}, "write");
    }
    require(::fsync(file.fd()) == 0, "fsync");
  };
}

/// 4 KiB into the middle of `big`, which nobody has written to before.
std::function<void()> first_write(const Place& place) {
  return [place] {
    const std::vector<char> block(kBlockBytes, 'f');
    const File file(place.folder + "/big", O_WRONLY);
    require(::pwrite(file.fd(), block.data(), block.size(), kBlockBytes * 1000) == kBlockBytes,
            "write");
  };
}

struct Workload {
  std::function<std::function<void()>(const Place&)> prepare;
  int count = 0;
};

const std::map<std::string, Workload>& workloads() {
  static const std::map<std::string, Workload> kAll = {
      {"stat", {stat_all, 0}},
      {"open_read_close", {open_read_close, 5000}},
      {"create_write_close", {create_write_close, 5000}},
      {"append", {append, 20000}},
      {"read_sequential", {read_sequential, 0}},
      {"read_random", {read_random, 300000}},
      {"read_mapped", {read_mapped, 300000}},
      {"overwrite_random", {overwrite_random, 30000}},
      {"write_sequential", {write_sequential, 1024}},
      {"first_write", {first_write, 0}},
  };
  return kAll;
}

}  // namespace

int main(int argc, char** argv) {
  const auto found = argc < 3 ? workloads().end() : workloads().find(argv[1]);
  if (found == workloads().end()) {
    std::fputs("usage: file_calls WORKLOAD DIR [COUNT]\n", stderr);
    return 2;
  }
  const int count = argc > 3 ? std::atoi(argv[3]) : found->second.count;
  const std::function<void()> work = found->second.prepare({.folder = argv[2], .count = count});
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%.6f\n", took.count());
  return 0;
}
