#include "cli/path_watches.h"

#include <sys/stat.h>

#include <algorithm>

#include "cli/round_fields.h"
#include "fs/view_reader.h"

namespace satchel::cli {
namespace {

using fs::ControlFields;

constexpr std::string_view kNoKind = "none";

std::string_view kind_text(std::optional<mode_t> mode) {
  if (!mode) return kNoKind;
  if (S_ISSOCK(*mode)) return "socket";
  if (S_ISFIFO(*mode)) return "fifo";
  return S_ISREG(*mode) ? "file" : "other";
}

policies::SeenKind kind_of(std::string_view text) {
  if (text == "socket") return policies::SeenKind::kSocket;
  if (text == "fifo") return policies::SeenKind::kFifo;
  return text == "other" ? policies::SeenKind::kOther : policies::SeenKind::kFile;
}

/// A rule that is about a program's files, or that keeps them from travelling.
bool speaks_of(const policies::Decision& decision) {
  return !decision.attributes.app.empty() || !decision.travels();
}

Result<void> add_path(ControlFields& fields, const fs::ViewReader& reader,
                      const redirector::Router& router, const RelativePath& path,
                      const fs::ChangeWatch::Counts& counts) {
  SATCHEL_ASSIGN(const auto found, reader.find_stat(path, fs::ViewReader::LastLink::kKeep));
  const auto mode = found ? std::optional(found->mode) : std::nullopt;
  fields.emplace_back("path", path.text());
  fields.emplace_back("kind", kind_text(mode));
  fields.emplace_back("bytes", std::to_string(found ? found->size : 0));
  fields.emplace_back("made", std::to_string(counts.made));
  fields.emplace_back("changed", std::to_string(counts.changed));
  const bool is_decided = speaks_of(router.decide(path, counts.kind));
  fields.emplace_back("decided", is_decided ? "yes" : "no");
  return {};
}

}  // namespace

Result<ControlFields> PathWatches::begin(fs::View& view) {
  const auto watches = watches_.lock();
  if (watches->running.size() >= kWatchesMax) watches->running.pop_front();
  const std::uint64_t number = watches->next++;
  watches->running.emplace_back(number, view.watch_changes());
  return ControlFields{{"watch", std::to_string(number)}};
}

Result<ControlFields> PathWatches::end(fs::View& view, const redirector::Router& router,
                                       const RuleSource& rules, const fs::ControlRequest& request) {
  std::shared_ptr<fs::ChangeWatch> watch;
  {
    const auto watches = watches_.lock();
    const auto found = std::ranges::find(watches->running, find_number(request.fields, "watch"),
                                         [](const auto& running) { return running.first; });
    if (found == watches->running.end()) {
      return Error{.code = ENOENT, .sat = Sat::kNotFound, .message = "no such watch"};
    }
    watch = std::move(found->second);
    watches->running.erase(found);
  }
  const fs::ViewReader reader(view);
  ControlFields fields{{"home", rules.user ? home_of(*rules.user).text() : std::string()},
                       {"left_out", std::to_string(watch->left_out())}};
  for (const auto& [path, counts] : watch->paths()) {
    if (counts.kind == store::Kind::kDirectory) continue;
    SATCHEL_TRY(add_path(fields, reader, router, path, counts));
  }
  return fields;
}

std::vector<policies::SeenPath> seen_paths(const ControlFields& fields) {
  std::vector<policies::SeenPath> seen;
  for (const auto& [key, value] : fields) {
    if (key == "path") {
      auto path = RelativePath::parse(value);
      seen.push_back({.path = path ? *std::move(path) : RelativePath()});
    }
    if (seen.empty()) continue;
    policies::SeenPath& last = seen.back();
    const auto number = [&name = key, &text = value] { return find_number({{name, text}}, name); };
    if (key == "kind") last.kind = kind_of(value);
    if (key == "kind") last.is_there = value != kNoKind;
    if (key == "bytes") last.bytes = number();
    if (key == "made") last.made = static_cast<std::uint32_t>(number());
    if (key == "changed") last.changed = static_cast<std::uint32_t>(number());
    if (key == "decided") last.is_decided = value == "yes";
  }
  return seen;
}

}  // namespace satchel::cli
