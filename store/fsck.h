// fsck: is everything that refs reach there, whole and what it says? And gc's first step: what is
// reached by nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/repository.h"

namespace satchel::store {

struct FsckProblem {
  Sat sat = Sat::kCorrupted;
  std::string where{};  ///< pack, ref or path
  std::string what{};
  std::string hint{};
};
struct FsckReport {
  std::vector<FsckProblem> problems;
  std::uint64_t refs = 0, packs = 0, entries = 0, bytes = 0;
  [[nodiscard]] bool ok() const { return problems.empty(); }
};
struct FsckOptions {
  bool read_contents = true;  ///< hash every entry, not only the structure
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};
/// Walks all packs and all refs. Problems are data, not an Error.
Result<FsckReport> check_repository(Repository& repository, const FsckOptions& options);

struct GarbageReport {
  /// Nothing in them is reached: a later gc will remove them whole.
  std::uint64_t packs_unreferenced = 0;
  std::uint64_t packs_partly = 0;
  std::uint64_t bytes_unreferenced = 0;
  std::uint64_t bytes_total = 0;
  std::vector<PackId> unreferenced{};
};
/// `gc -n`: counts, changes nothing.
Result<GarbageReport> find_garbage(Repository& repository);

}  // namespace satchel::store
