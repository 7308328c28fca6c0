// satchel import REPO KIND/NAME --from PATH|-
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/interruption.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/repository_door.h"
#include "store/import/importer.h"
#include "syncer/publish.h"

namespace satchel::cli {
namespace {

struct Options {
  HostPath repository;
  std::string layer;
  HostPath from;
  unsigned threads = 0;
};

/// Where the tree comes from: a directory, or an archive that is open.
struct Source {
  bool is_directory = false;
  UniqueFd file;  ///< of an archive; invalid: stdin
};

Result<Source> open_source(const HostPath& from) {
  if (from.text == "-") return Source{};
  Source source;
  source.file = UniqueFd(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.file.valid()) return errno_error(from.text, "opening what is to be imported");
  struct stat stat {};
  if (::fstat(source.file.get(), &stat) != 0) return errno_error(from.text);
  source.is_directory = S_ISDIR(stat.st_mode);
  return source;
}

Result<store::ImportResult> import_from(const Source& source, const HostPath& from,
                                        store::Upload& upload, store::TreeStore& trees,
                                        const store::ImportOptions& options) {
  if (source.is_directory) return store::import_directory(from, upload, trees, options);
  return store::import_archive(source.file.valid() ? source.file.get() : STDIN_FILENO, upload,
                               trees, options);
}

Outcome describe(const store::RefName& name, const store::ImportResult& imported,
                 const syncer::Published& published, const store::UploadCounts& counts) {
  Outcome outcome;
  outcome.data["layer"] = name.text();
  outcome.data["version"] = published.version;
  outcome.data["root"] = published.root.hex();
  outcome.data["files"] = imported.files;
  outcome.data["directories"] = imported.directories;
  outcome.data["bytes"] = imported.bytes;
  outcome.data["chunks_new"] = counts.chunks_new;
  outcome.data["bytes_stored"] = published.is_new ? counts.bytes_stored : 0;
  outcome.data["new"] = published.is_new;
  outcome.warnings = imported.warnings;
  outcome.text = fmt::format("{}@{}  {} files, {}", name.text(), published.version, imported.files,
                             to_size(imported.bytes));
  outcome.text += published.is_new ? fmt::format("; {} new chunks, {} stored\n", counts.chunks_new,
                                                 to_size(counts.bytes_stored))
                                   : "; unchanged, nothing stored\n";
  return outcome;
}

Result<Outcome> import(Session& session, const Options& options) {
  SATCHEL_ASSIGN(const auto name, store::RefName::layer(options.layer));
  SATCHEL_ASSIGN(const Source source, open_source(options.from));
  SATCHEL_ASSIGN(auto repository, open_repository(session, options.repository));
  store::Upload upload(repository);
  store::RepositoryTreeStore trees(repository, nullptr, &upload);
  // A writer at the other end of stdin may never say anything more, and then nothing would look.
  std::optional<InterruptionWatch> watch;
  if (options.from.text != "-") watch.emplace();
  store::ImportResult imported;
  {
    ProgressLine line("importing " + name.text(), progress_style(session.is_quiet));
    store::ImportOptions how;
    how.directory_attributes = name.layer_kind() == "os" ? store::DirectoryAttributes::kOwn
                                                         : store::DirectoryAttributes::kInherit;
    how.threads = options.threads;
    how.progress = [&line](const store::ImportProgress& progress) {
      line.show({progress.files, progress.bytes, progress.bytes_total});
    };
    how.interrupted = InterruptionWatch::is_interrupted;
    SATCHEL_ASSIGN(imported, import_from(source, options.from, upload, trees, how));
  }
  SATCHEL_ASSIGN(const auto published,
                 syncer::publish_layer(repository, upload, trees, name,
                                       {imported.root, imported.files, imported.bytes}));
  return describe(name, imported, published, upload.counts());
}

}  // namespace

void declare_import(const Command& command) {
  const auto options = std::make_shared<Options>();
  command.options.add_option("REPO", options->repository.text, "The repository").required();
  command.options
      .add_option("KIND/NAME", options->layer,
                  "The layer; KIND is boot, os, group, app, sysdata or data")
      .required();
  command.options
      .add_option("--from", options->from.text,
                  "A directory or an archive; - reads an archive from the standard input")
      .type_name("PATH")
      .required();
  command.options
      .add_option("--threads", options->threads, "Threads that read and hash; 0: one per core")
      .type_name("N");
  command.action = [options](Session& session) { return import(session, *options); };
}

}  // namespace satchel::cli
