// A repository of a test's own.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "store/repository.h"
#include "store/upload.h"
#include "test/support/manual_clock.h"
#include "test/support/seeded_random.h"
#include "test/support/temp_dir.h"

namespace satchel::test {

/// Made new in a temporary directory, with an index beside it. Further openers, of the same or
/// other indexes, by open().
class ScratchRepository {
 public:
  ScratchRepository()
      : repository_(
            store::Repository::create(path(), options("index"), clock, random, log).value()) {}

  [[nodiscard]] HostPath path() const { return directory.path() / "repo"; }
  [[nodiscard]] store::RepositoryOptions options(const std::string& index) const {
    return {.index_directory = directory.path() / index,
            .temporary_directory = directory.path(),
            .device = "test"};
  }
  /// Another opener, whose index is called `index`.
  Result<store::Repository> open(const std::string& index) {
    return store::Repository::open(path(), options(index), clock, shared_random, log);
  }
  store::Repository* operator->() { return &repository_; }
  store::Repository& operator*() { return repository_; }

  /// Uploads chunks; each one's id, in order.
  std::vector<store::ChunkId> put_chunks(const std::vector<std::string>& texts) {
    store::Upload upload(repository_);
    std::vector<store::ChunkId> ids;
    for (const std::string& text : texts) ids.push_back(upload.put_chunk(as_bytes(text)).value());
    (void)upload.finish().value();
    return ids;
  }
  /// All files below `below` whose name is 64 digits.
  [[nodiscard]] std::vector<std::string> pack_paths() const {
    constexpr std::size_t kIdDigits = 64;
    std::vector<std::string> paths;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path().text + "/packs")) {
      if (entry.path().filename().string().size() == kIdDigits)
        paths.push_back(entry.path().string());
    }
    return paths;
  }

  TempDir directory;
  ManualClock clock;
  SeededRandom random{1};
  SeededRandom other_random{2};  ///< for a second repository, which must have another id
  SystemRandom shared_random;    ///< for openers in several threads
  Log log = Log::to_nowhere();

 private:
  store::Repository repository_;
};

}  // namespace satchel::test
