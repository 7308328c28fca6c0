// A repository with an image and a workspace, and devices that work in it: what syncer's tests
// share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/sha256.h"
#include "store/repository_tree_store.h"
#include "syncer/path_rules.h"
#include "syncer/round.h"
#include "test/support/manual_clock.h"
#include "test/support/memory_upper.h"
#include "test/support/seeded_random.h"
#include "test/support/temp_dir.h"

namespace satchel::syncer {

/// Rules by beginnings of paths, the longest one decides; without one, all travel as settings.
class PrefixRules final : public PathRules {
 public:
  enum class Fate : std::uint8_t { kApp, kSysdata, kData, kMachine, kLocal };
  struct Rule {
    std::string below;  ///< "home/ada/.cache": what is in it, itself left out
    Fate fate = Fate::kSysdata;
  };
  /// `knows_coverage`: says kAll and kNone where it can.
  explicit PrefixRules(std::vector<Rule> rules = {}, bool knows_coverage = true);
  [[nodiscard]] bool travels(const RelativePath& path, store::Kind kind) const override;
  [[nodiscard]] Coverage coverage_below(const RelativePath& directory) const override;
  [[nodiscard]] store::Area area_of(const RelativePath& path, store::Kind kind) const override;
  [[nodiscard]] store::RulesId rules_id() const override;

 private:
  [[nodiscard]] Fate fate_of(const RelativePath& path) const;
  std::vector<Rule> rules_;
  bool knows_coverage_;
};
/// /usr app, /home data, /etc/machine the machine's, /tmp and /home/ada/.cache local.
PrefixRules usual_rules();

/// Metadata of one device, in memory. Thread-safe.
class MemoryCache final : public store::MetadataCache {
 public:
  Result<std::optional<std::string>> find(const store::EntryKey& key) override;
  Result<void> keep(const store::EntryKey& key, Bytes raw) override;

 private:
  Guarded<std::map<store::EntryKey, std::string>> entries_;
};

/// A repository in a directory of its own, with `lab@1` and as many workspaces as asked for.
class World {
 public:
  World();
  [[nodiscard]] HostPath path() const { return directory_.path() / "repository"; }
  store::Repository& repository() { return *repository_; }
  /// Commits what `work` makes of an empty view as an image, `name`'s next version.
  store::VersionNumber add_image(const std::string& name,
                                 const std::function<void(test::MemoryUpper&)>& work);
  void add_workspace(const std::string& user, const std::string& image = "lab",
                     store::VersionNumber number = 1);
  store::RefRecord head(const std::string& user);
  /// Bytes of all packs.
  [[nodiscard]] std::uint64_t pack_bytes() const;
  store::Repository open_again(const std::string& device);

  test::ManualClock clock;
  Log log = Log::to_nowhere();

 private:
  test::TempDir directory_;
  SystemRandom random_;
  std::unique_ptr<store::Repository> repository_;
};
/// The image that most tests start from: /etc, /usr, /home/ada with a few files.
void make_small_system(test::MemoryUpper& view);

/// One device of a person, with a connection to the repository of its own.
class Device {
 public:
  Device(World& world, std::string name, std::string user, const PathRules& rules);
  test::MemoryUpper& view() { return *view_; }
  store::TreeStore& trees() { return trees_; }
  Result<RoundReport> sync();
  RoundOptions options;

 private:
  World& world_;
  std::string name_;
  const PathRules& rules_;
  store::Repository repository_;
  MemoryCache cache_;
  store::RepositoryTreeStore trees_;
  std::unique_ptr<test::MemoryUpper> view_;
};

/// The image's tree with the shared parts on it is the composed tree that the record names.
void check_parts(World& world, const std::string& user);

/// The value, or the test ends with the error.
template <typename T>
T need(Result<T> result) {
  if (!result) {
    throw std::runtime_error(to_text(result.error()) + " [" + to_text(result.error().sat) + "]");
  }
  return *std::move(result);
}
inline void need(const Result<void>& result) {
  if (!result) throw std::runtime_error(to_text(result.error()));
}

}  // namespace satchel::syncer
