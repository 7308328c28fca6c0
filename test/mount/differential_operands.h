// What the random calls are given: paths, bytes, offsets, modes. One seed, one sequence.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>

#include <cstdint>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace satchel::test {

class Operands {
 public:
  explicit Operands(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  mode_t random_mode() { return static_cast<mode_t>(below(07777 + 1)); }
  bool chance(unsigned percent) { return below(100) < percent; }

  /// Names below `folder` of the directory `root` will be among the paths.
  void collect_names(int root, const std::string& folder, int depth) {
    const int fd =
        openat(root, folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    DIR* listing = fdopendir(fd);
    std::set<std::string> names;
    while (const dirent* item = readdir(listing)) names.insert(item->d_name);
    closedir(listing);
    for (const std::string& name : names) {
      if (name == "." || name == "..") continue;
      const std::string path = folder.empty() ? name : folder + "/" + name;
      known_.push_back(path);
      if (depth < 4) collect_names(root, path, depth + 1);
    }
  }

  std::string any_path() {
    static const char* const kNames[] = {"a", "b",    "c",   "d",  "e",
                                         "f", "long", "x y", "\n", "\xff\xfe"};
    if (!known_.empty() && chance(25)) return known_[below(known_.size())];
    std::string path;
    const std::uint64_t depth = 1 + below(3);
    for (std::uint64_t i = 0; i < depth; ++i) {
      std::string name = kNames[below(std::size(kNames))];
      if (name == "long") name = std::string(chance(90) ? 255 : 256, 'l');
      path += (i > 0 ? "/" : "") + name;
    }
    return path;
  }

  std::string random_bytes() {
    static constexpr std::size_t kLengths[] = {0, 1, 100, 4096, 5000, 70000};
    std::string bytes(kLengths[below(std::size(kLengths))], '\0');
    const auto seed = static_cast<char>(below(255));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>(static_cast<std::size_t>(seed) + i * 7 + i / 251);
    return bytes;
  }
  off_t random_offset() {
    static constexpr off_t kOffsets[] = {0, 1, 4095, 4096, 10000, 65536, 200000, 1 << 20};
    return kOffsets[below(std::size(kOffsets))];
  }

  [[nodiscard]] const std::vector<std::string>& known() const { return known_; }
  void forget_known() { known_.clear(); }

 private:
  std::mt19937_64 random_;
  std::vector<std::string> known_;
};

}  // namespace satchel::test
