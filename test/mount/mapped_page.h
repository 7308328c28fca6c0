// A shared mapping of a file's first page, which a store may find gone.
#pragma once

#include <cstddef>

namespace satchel::test {

/// Unmaps at the end. Stores from one thread of the process at a time.
class MappedPage {
 public:
  static constexpr std::size_t kBytes = 4096;

  MappedPage() = default;
  MappedPage(const MappedPage&) = delete;
  MappedPage& operator=(const MappedPage&) = delete;
  ~MappedPage();

  /// Maps the page of `fd` in place of what was mapped; -1 and errno if that is refused.
  int map(int fd);
  void unmap();
  /// False: nothing is mapped, or the file has become too short. What a store behind its end, in
  /// its last page, comes to when it grows again is nothing that POSIX says, so that is not done.
  bool store(std::size_t at, char value);

 private:
  [[nodiscard]] std::size_t file_bytes() const;
  char* bytes_ = nullptr;
};

}  // namespace satchel::test
