#include "cli/relabel.h"

#include <limits>

namespace satchel::cli {
namespace {

class Comparison {
 public:
  Comparison(const redirector::Router& before, const redirector::Router& after)
      : before_(before), after_(after) {}

  void look_at(const RelativePath& path, store::Kind kind) {
    const policies::Decision before = before_.decide(path, kind);
    const policies::Decision after = after_.decide(path, kind);
    if (before.action == after.action && before.data_class == after.data_class) return;
    std::string old_label = label_of(before);
    std::string new_label = label_of(after);
    if (old_label == new_label) return;
    ++report_.count;
    if (report_.first.size() < RelabelReport::kFirstMax) {
      report_.first.push_back({path, std::move(old_label), std::move(new_label)});
    }
  }
  RelabelReport take() { return std::move(report_); }

 private:
  const redirector::Router& before_;
  const redirector::Router& after_;
  RelabelReport report_;
};

}  // namespace

std::string label_of(const policies::Decision& decision) {
  std::string label(policies::to_text(decision.action));
  if (decision.action == policies::Action::kSync) {
    label.append(" ").append(policies::to_text(decision.data_class));
  }
  return label;
}

Result<RelabelReport> find_relabelled(const fs::ViewReader& view, const redirector::Router& before,
                                      const redirector::Router& after) {
  Comparison comparison(before, after);
  comparison.look_at({}, store::Kind::kDirectory);
  std::vector<RelativePath> directories{{}};
  while (!directories.empty()) {
    const RelativePath directory = std::move(directories.back());
    directories.pop_back();
    const auto items = view.list_items(directory, std::numeric_limits<std::size_t>::max());
    if (!items && items.error().code == ENOENT) continue;  // it went away meanwhile
    SATCHEL_TRY(items);
    std::vector<RelativePath> below;
    for (const auto& [name, type] : *items) {
      const RelativePath path = directory / name;
      const bool is_directory = S_ISDIR(type);
      comparison.look_at(path, is_directory ? store::Kind::kDirectory : store::Kind::kFile);
      if (is_directory) below.push_back(path);
    }
    directories.insert(directories.end(), below.rbegin(), below.rend());
  }
  return comparison.take();
}

}  // namespace satchel::cli
