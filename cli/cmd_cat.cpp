// satchel cat REPO X@N:PATH
#include <unistd.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/repository_door.h"
#include "cli/tree_lookup.h"
#include "store/content_reader.h"
#include "store/repository_tree_store.h"

namespace satchel::cli {
namespace {

/// More than this does not fit into a JSON document that somebody wants to read.
constexpr std::uint64_t kJsonBytesMax = 16U << 20U;

struct Options {
  HostPath repository;
  std::string what;
};

Result<void> write_to_stdout(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error("the standard output", "writing");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

/// Hands the content on, leaf by verified leaf.
Result<void> read_content(store::Repository& repository, const store::ContentId& id,
                          const std::function<Result<void>(Bytes)>& take) {
  if (id.is_empty()) return {};
  static const std::vector<std::byte> kZeros(store::kLeafBytes);
  SATCHEL_ASSIGN(auto reader, store::ContentReader::open(repository, id));
  for (std::uint64_t index = 0; index < reader.leaves(); ++index) {
    SATCHEL_ASSIGN(const auto leaf, reader.read_leaf(index));
    const std::uint64_t rest = id.size - index * store::kLeafBytes;
    const Bytes hole = Bytes(kZeros).first(std::min<std::uint64_t>(rest, kZeros.size()));
    SATCHEL_TRY(take(leaf.is_hole ? hole : Bytes(leaf.bytes)));
  }
  return {};
}

Result<Outcome> cat(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const Reference reference, parse_reference(options.what));
  SATCHEL_ASSIGN(const auto path, RelativePath::parse(reference.path.value_or("")));
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  SATCHEL_ASSIGN(const auto version, resolve(repository, reference));
  store::RepositoryTreeStore trees(repository, nullptr, nullptr);
  SATCHEL_ASSIGN(const auto root, tree_of(repository, trees, version));
  SATCHEL_ASSIGN(const auto found, find_in_tree(trees, root, path, LastLink::kFollow));
  if (found.entry.kind != store::Kind::kFile) {
    return Error{.code = found.entry.is_directory() ? EISDIR : EINVAL,
                 .sat = Sat::kUsage,
                 .message = "this is not a file",
                 .path = path.absolute()};
  }
  const store::ContentId& content = found.entry.content;
  Outcome outcome;
  if (!session.is_json) {
    SATCHEL_TRY(read_content(repository, content, write_to_stdout));
    return outcome;
  }
  if (content.size > kJsonBytesMax) {
    return Error{.code = EFBIG,
                 .sat = Sat::kLimit,
                 .message = "the file is longer than 16 MiB, too long for a JSON document",
                 .path = path.absolute(),
                 .hint = "leave out --json"};
  }
  std::string bytes;
  SATCHEL_TRY(read_content(repository, content, [&bytes](Bytes leaf) -> Result<void> {
    bytes += as_text(leaf);
    return {};
  }));
  set_text(outcome.data, "path", found.path.absolute());
  outcome.data["size"] = content.size;
  set_text(outcome.data, "content", bytes);
  return outcome;
}

}  // namespace

void declare_cat(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options
      .add_option("X@N:PATH", options->what,
                  "A version of a user, image or layer, and a file's path from its root")
      .required();
  command.action = [options](Session& session) { return cat(session, *options); };
}

}  // namespace satchel::cli
