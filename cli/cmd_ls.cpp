// satchel ls REPO X@N[:PATH]
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "cli/tree_lookup.h"
#include "store/repository_tree_store.h"

namespace satchel::cli {
namespace {

using store::Entry;
using store::Kind;

struct Options {
  HostPath repository;
  std::string what;
};

struct KindWords {
  char letter;
  std::string_view word;
};

KindWords words_of(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return {'-', "file"};
    case Kind::kDirectory:
      return {'d', "directory"};
    case Kind::kSymlink:
      return {'l', "symlink"};
    case Kind::kCharDevice:
      return {'c', "char-device"};
    case Kind::kBlockDevice:
      return {'b', "block-device"};
    case Kind::kFifo:
      return {'p', "fifo"};
    case Kind::kSocket:
      return {'s', "socket"};
    case Kind::kWhiteout:
      return {'w', "whiteout"};
  }
  return {'?', "unknown"};
}

std::string permissions(std::uint16_t mode) {
  std::string text = "rwxrwxrwx";
  for (unsigned bit = 0; bit < 9; ++bit) {
    if ((mode >> (8 - bit) & 1U) == 0) text[bit] = '-';
  }
  const auto mark = [&text](std::size_t at, char with_x, char without) {
    text[at] = text[at] == 'x' ? with_x : without;
  };
  if ((mode & 04000U) != 0) mark(2, 's', 'S');
  if ((mode & 02000U) != 0) mark(5, 's', 'S');
  if ((mode & 01000U) != 0) mark(8, 't', 'T');
  return text;
}

Json to_json(const Entry& entry) {
  Json line;
  set_text(line, "name", entry.name.text());
  line["kind"] = std::string(words_of(entry.kind).word);
  if (entry.is_whiteout()) return line;
  line["mode"] = fmt::format("{:04o}", entry.attributes.mode);
  line["uid"] = entry.attributes.uid;
  line["gid"] = entry.attributes.gid;
  line["mtime"] = to_time(entry.attributes.mtime);
  if (entry.kind == Kind::kFile) line["size"] = entry.content.size;
  if (entry.kind == Kind::kSymlink) set_text(line, "target", entry.target);
  if (entry.kind == Kind::kCharDevice || entry.kind == Kind::kBlockDevice) {
    line["device"] = fmt::format("{}:{}", entry.device.major, entry.device.minor);
  }
  if (entry.mark == store::DirectoryMark::kOpaque) line["opaque"] = true;
  if (entry.mark == store::DirectoryMark::kInherit) line["inherit"] = true;
  return line;
}

std::string to_line(const Entry& entry) {
  std::string name = escape_for_display(entry.name.text());
  if (entry.is_whiteout()) return fmt::format("w (whiteout)  {}\n", name);
  if (entry.kind == Kind::kSymlink) name += " -> " + escape_for_display(entry.target);
  if (entry.mark == store::DirectoryMark::kOpaque) name += "  (opaque)";
  return fmt::format("{}{} {:>5} {:>5} {:>12} {}  {}\n", words_of(entry.kind).letter,
                     permissions(entry.attributes.mode), entry.attributes.uid, entry.attributes.gid,
                     entry.content.size, to_local_time(entry.attributes.mtime), name);
}

Result<Outcome> ls(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const Reference reference, parse_reference(options.what));
  SATCHEL_ASSIGN(const auto path, RelativePath::parse(reference.path.value_or("")));
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  SATCHEL_ASSIGN(const auto version, resolve(repository, reference));
  store::RepositoryTreeStore trees(repository, nullptr, nullptr);
  SATCHEL_ASSIGN(const auto root, tree_of(repository, trees, version));
  SATCHEL_ASSIGN(const auto found, find_in_tree(trees, root, path, LastLink::kKeep));
  Outcome outcome;
  outcome.data = Json::array();
  const auto add = [&](const Entry& entry) {
    if (session.is_json) {
      outcome.data.push_back(to_json(entry));
    } else {
      outcome.text += to_line(entry);
    }
  };
  if (!found.entry.is_directory()) {
    add(found.entry);
    return outcome;
  }
  SATCHEL_ASSIGN(auto cursor, store::DirectoryCursor::begin(trees, found.entry.directory.page));
  while (!cursor.at_end()) {
    add(cursor.entry());
    SATCHEL_TRY(cursor.next());
  }
  return outcome;
}

}  // namespace

void declare_ls(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options
      .add_option("X@N[:PATH]", options->what,
                  "A version of a user, image or layer, and a path from its root")
      .required();
  command.action = [options](Session& session) { return ls(session, *options); };
}

}  // namespace satchel::cli
