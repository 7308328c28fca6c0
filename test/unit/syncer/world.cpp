#include "test/unit/syncer/world.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <variant>

#include "store/content_reader.h"
#include "store/content_writer.h"
#include "store/split.h"
#include "store/stack.h"
#include "syncer/local_tree_store.h"
#include "syncer/publish.h"
#include "syncer/snapshot.h"
#include "syncer/version_parts.h"

namespace satchel::syncer {

PrefixRules::PrefixRules(std::vector<Rule> rules, bool knows_coverage)
    : rules_(std::move(rules)), knows_coverage_(knows_coverage) {}

PrefixRules::Fate PrefixRules::fate_of(const RelativePath& path) const {
  const Rule* best = nullptr;
  for (const Rule& rule : rules_) {
    const bool is_below = path.text().starts_with(rule.below + "/");
    if (is_below && (best == nullptr || rule.below.size() > best->below.size())) best = &rule;
  }
  return best != nullptr ? best->fate : Fate::kSysdata;
}

bool PrefixRules::travels(const RelativePath& path, store::Kind /*kind*/) const {
  return fate_of(path) != Fate::kLocal;
}

Coverage PrefixRules::coverage_below(const RelativePath& directory) const {
  if (!knows_coverage_) return Coverage::kMixed;
  const bool travel = fate_of(RelativePath(directory) / Name::checked("x")) != Fate::kLocal;
  for (const Rule& rule : rules_) {
    const bool is_deeper = directory.is_root() || rule.below.starts_with(directory.text() + "/");
    if (is_deeper && (rule.fate != Fate::kLocal) != travel) return Coverage::kMixed;
  }
  return travel ? Coverage::kAll : Coverage::kNone;
}

store::Area PrefixRules::area_of(const RelativePath& path, store::Kind /*kind*/) const {
  switch (fate_of(path)) {
    case Fate::kApp:
      return store::Area::kApp;
    case Fate::kData:
      return store::Area::kData;
    case Fate::kMachine:
      return store::Area::kMachine;
    default:
      return store::Area::kSysdata;
  }
}

store::RulesId PrefixRules::rules_id() const {
  std::string text = "rules";
  for (const Rule& rule : rules_) {
    text += rule.below + "=" + std::to_string(static_cast<int>(rule.fate)) + "\n";
  }
  return {sha256(as_bytes(text))};
}

PrefixRules usual_rules() {
  using Fate = PrefixRules::Fate;
  return PrefixRules({{"usr", Fate::kApp},
                      {"home", Fate::kData},
                      {"etc/machine", Fate::kMachine},
                      {"tmp", Fate::kLocal},
                      {"home/ada/.cache", Fate::kLocal}});
}

Result<std::optional<std::string>> MemoryCache::find(const store::EntryKey& key) {
  const auto entries = entries_.lock();
  const auto found = entries->find(key);
  if (found == entries->end()) return std::nullopt;
  return found->second;
}

Result<void> MemoryCache::keep(const store::EntryKey& key, Bytes raw) {
  entries_.lock()->insert_or_assign(key, std::string(as_text(raw)));
  return {};
}

World::World() {
  repository_ = std::make_unique<store::Repository>(
      need(store::Repository::create(path(), {.device = "admin"}, clock, random_, log)));
  add_image("lab", make_small_system);
}

store::Repository World::open_again(const std::string& device) {
  return need(store::Repository::open(path(), {.device = device}, clock, random_, log));
}

store::VersionNumber World::add_image(const std::string& name,
                                      const std::function<void(test::MemoryUpper&)>& work) {
  store::Upload upload(*repository_);
  store::RepositoryTreeStore trees(*repository_, nullptr, &upload);
  test::MemoryUpper view(trees, need(trees.put_root(store::empty_tree())), 0);
  work(view);
  const PrefixRules all;
  const auto sealed = need(view.seal());
  const Snapshot snapshot = need(take_snapshot({view, all, trees, upload}, sealed));
  const auto layer_name = need(store::RefName::layer("os/" + name));
  const Published layer =
      need(publish_layer(*repository_, upload, trees, layer_name, {snapshot.tree, 0, 0}));
  store::Upload image_upload(*repository_);
  store::RepositoryTreeStore image_trees(*repository_, nullptr, &image_upload);
  return need(publish_image(*repository_, image_upload, image_trees,
                            need(store::RefName::image(name)), {{layer_name, layer.version}}))
      .version;
}

void World::add_workspace(const std::string& user, const std::string& image,
                          store::VersionNumber number) {
  need(publish_workspace(*repository_, need(store::RefName::user(user)),
                         {need(store::RefName::image(image)), number}));
}

store::RefRecord World::head(const std::string& user) {
  const auto name = need(store::RefName::user(user));
  return need(repository_->read_ref(name, need(repository_->head(name)).value()));
}

std::uint64_t World::pack_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(path().text + "/packs")) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return bytes;
}

void make_small_system(test::MemoryUpper& view) {
  for (const char* const path :
       {"etc", "etc/machine", "usr", "usr/bin", "usr/share", "home", "home/ada",
        "home/ada/Documents", "home/ada/.cache", "tmp", "var"}) {
    view.make_directory(path);
  }
  view.write("etc/motd", "welcome");
  view.write("etc/machine/hostname", "golden");
  view.write("usr/bin/tool", std::string(70'000, 't'));
  view.write("usr/share/big", std::string(200'000, 'b'));
  view.write("home/ada/Documents/letter", "dear");
  view.write("home/ada/.cache/old", "cached in the image");
  view.write("usr/bin/one", "linked");
  view.link("usr/bin/one", "usr/bin/two");
  view.make_symlink("usr/bin/shell", "tool");
}

Device::Device(World& world, std::string name, std::string user, const PathRules& rules)
    : world_(world),
      name_(std::move(name)),
      rules_(rules),
      repository_(world.open_again(name_)),
      trees_(repository_, &cache_, nullptr) {
  options.user = std::move(user);
  options.machine_id = name_;
  options.device = name_;
  const store::RefRecord head = world.head(options.user);
  LocalTreeStore local(trees_, cache_);
  const store::Root tree =
      need(device_tree(local, std::get<store::UserBody>(head.body), options.machine_id));
  const std::uint64_t seed = std::hash<std::string>()(name_);
  view_ =
      std::make_unique<test::MemoryUpper>(trees_, need(local.put_root(tree)), head.number, seed);
}

Result<RoundReport> Device::sync() {
  return run_round({repository_, &cache_, *view_, rules_, world_.clock, world_.log}, options);
}

void check_parts(World& world, const std::string& user) {
  store::Upload upload(world.repository());
  store::RepositoryTreeStore trees(world.repository(), nullptr, &upload);
  const store::RefRecord head = world.head(user);
  const auto& body = std::get<store::UserBody>(head.body);
  std::vector<store::Root> parts;
  for (const store::RootId& id : {body.app, body.sysdata, body.data}) {
    if (!id.is_none()) parts.push_back(need(trees.get_root(id)));
  }
  const store::Root change = need(store::join(trees, parts));
  const std::vector<store::Root> layers{need(trees.get_root(body.image_root)), change};
  CHECK(need(trees.put_root(need(store::compose(trees, layers)))) == body.composed);
}

}  // namespace satchel::syncer
