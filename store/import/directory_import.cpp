#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/file_io.h"
#include "base/guarded.h"
#include "store/content_writer.h"
#include "store/import/host_inode.h"
#include "store/import/host_survey.h"
#include "store/import/import_pool.h"
#include "store/import/importer.h"
#include "store/import/pending_directory.h"
#include "store/links.h"

namespace satchel::store {
namespace {

constexpr int kReadsMax = 3;  // of a file that keeps changing

Error busy(std::string_view what) {
  return {.code = EBUSY,
          .sat = Sat::kBusyFile,
          .message = std::string(what),
          .hint = "import it when nothing writes to it, or a snapshot of it"};
}

bool is_unchanged(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size &&
         Timestamp::from(before.st_mtim) == Timestamp::from(after.st_mtim) &&
         Timestamp::from(before.st_ctim) == Timestamp::from(after.st_ctim);
}

/// Where an entry is wanted.
struct EntrySlot {
  std::shared_ptr<PendingDirectory> directory;
  std::size_t place = 0;
  Name name;
};

/// A linked file during the second walk: the first name that comes has it read, the others wait.
struct LinkedEntry {
  std::shared_ptr<const Entry> entry;  // null until it is read
  std::vector<EntrySlot> waiting;
  std::size_t names = 0;  // seen
};

/// A directory that is being listed.
struct OpenDirectory {
  std::shared_ptr<UniqueFd> fd;  // jobs open files by it after the walk has moved on
  std::shared_ptr<PendingDirectory> pending;
  std::string prefix;  // its path in the tree, with a '/' at its end unless it is empty
};

class DirectoryImport {
 public:
  DirectoryImport(const HostPath& path, Upload& upload, TreeStore& trees,
                  const ImportOptions& options)
      : root_path_(path.text),
        upload_(upload),
        trees_(trees),
        options_(options),
        meter_(options),
        mark_(options.directory_attributes == DirectoryAttributes::kInherit
                  ? DirectoryMark::kInherit
                  : DirectoryMark::kNone) {}

  Result<ImportResult> run() {
    auto fd =
        std::make_shared<UniqueFd>(::open(root_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd->valid()) return file_error(root_path_, "cannot open the directory");
    SATCHEL_ASSIGN(survey_, survey_host_tree(fd->get(), root_path_, meter_));
    meter_.set_bytes_total(survey_.bytes);

    SATCHEL_ASSIGN(const Attributes attributes, directory_attributes(fd->get(), ""));
    auto pending = PendingDirectory::make_root(trees_);
    ImportPool pool(options_.threads, meter_);
    pool_ = &pool;
    SATCHEL_TRY(walk({.fd = std::move(fd), .pending = pending, .prefix = ""}));
    SATCHEL_TRY(pool.finish());
    return finish(attributes, pending->built());
  }

 private:
  Result<ImportResult> finish(const Attributes& attributes, const DirectoryRef& directory) {
    for (const auto& [inode, link] : survey_.links) {
      if (link.is_linked() && linked_[inode].lock()->names != link.names()) {
        return error_at(busy("names of it came or went while the tree was read"),
                        host_path(link.first_path()));
      }
    }
    ImportResult result;
    result.files = files_;
    result.directories = directories_;
    result.bytes = bytes_;
    result.root.directory = directory;
    result.root.mark = mark_;
    // A root that inherits has no attributes of its own: docs/format.md, section 4.
    result.root.attributes =
        mark_ == DirectoryMark::kInherit ? empty_layer().attributes : attributes;
    SATCHEL_ASSIGN(result.root.links, build_links(trees_, std::move(link_items_)));
    return result;
  }

  Result<void> walk(const OpenDirectory& directory) {
    const auto names = list_names_sorted(directory.fd->get());
    if (!names) return error_at(names.error(), host_path(directory.prefix));
    directory.pending->reserve(names->size());
    for (std::size_t place = 0; place < names->size(); ++place) {
      const Name& name = (*names)[place];
      struct stat status {};
      if (::fstatat(directory.fd->get(), name.text().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return file_error(host_path(directory.prefix + name.text()), "cannot look at the file");
      }
      SATCHEL_TRY(S_ISDIR(status.st_mode)
                      ? add_directory(directory, place, name)
                      : add_file(directory, {directory.pending, place, name}, status));
    }
    return directory.pending->close();
  }

  Result<void> add_directory(const OpenDirectory& parent, std::size_t place, const Name& name) {
    const std::string path = parent.prefix + name.text();
    auto fd = open_for_reading(parent.fd->get(), name.text(), O_DIRECTORY);
    if (!fd) return error_at(fd.error(), host_path(path));
    Entry entry;
    entry.name = name;
    entry.kind = Kind::kDirectory;
    entry.mark = mark_;
    SATCHEL_ASSIGN(entry.attributes, directory_attributes(fd->get(), path));
    ++directories_;
    return walk({.fd = std::make_shared<UniqueFd>(std::move(*fd)),
                 .pending = parent.pending->make_child(place, std::move(entry)),
                 .prefix = path + "/"});
  }

  Result<void> add_file(const OpenDirectory& directory, const EntrySlot& slot,
                        const struct stat& status) {
    ++files_;
    const auto link = survey_.links.find(inode_of(status));
    if (link == survey_.links.end() || !link->second.is_linked()) {
      return read_later(directory, slot.name, [slot](const Entry& entry) {
        return slot.directory->set(slot.place, entry);
      });
    }
    SATCHEL_ASSIGN(LinkItem item, link->second.link_item(directory.prefix + slot.name.text()));
    link_items_.push_back(std::move(item));
    Guarded<LinkedEntry>& linked = linked_[link->first];
    std::shared_ptr<const Entry> known;
    {
      auto state = linked.lock();
      const bool is_first = ++state->names == 1;
      known = state->entry;
      if (!known) state->waiting.push_back(slot);
      if (!is_first && !known) return {};
    }
    if (known) return give(slot, *known);
    return read_later(directory, slot.name, [&linked, &file = link->second](Entry entry) {
      file.mark(entry);
      return give_to_all(linked, entry);
    });
  }

  static Result<void> give(const EntrySlot& slot, Entry entry) {
    entry.name = slot.name;
    return slot.directory->set(slot.place, std::move(entry));
  }

  static Result<void> give_to_all(Guarded<LinkedEntry>& linked, const Entry& entry) {
    std::vector<EntrySlot> waiting;
    {
      auto state = linked.lock();
      state->entry = std::make_shared<const Entry>(entry);
      waiting = std::exchange(state->waiting, {});
    }
    for (const EntrySlot& slot : waiting) SATCHEL_TRY(give(slot, entry));
    return {};
  }

  /// Has a thread read the inode and give the entry to `done`.
  Result<void> read_later(const OpenDirectory& directory, const Name& name,
                          std::function<Result<void>(const Entry&)> done) {
    return pool_->submit([this, fd = directory.fd, prefix = directory.prefix, name,
                          done = std::move(done)]() -> Result<void> {
      auto entry = read(fd->get(), name);
      if (!entry) return error_at(std::move(entry).error(), host_path(prefix + name.text()));
      meter_.add_file();
      return done(*entry);
    });
  }

  Result<Entry> read(int directory_fd, const Name& name) {
    for (int reads = 0; reads < kReadsMax; ++reads) {
      struct stat status {};
      if (::fstatat(directory_fd, name.text().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return file_error("", "cannot look at the file");
      }
      if (!S_ISREG(status.st_mode)) return read_special(directory_fd, name, trees_);
      Entry entry;
      entry.name = name;
      SATCHEL_ASSIGN(const Reading reading, read_file_once(directory_fd, entry));
      if (reading == Reading::kWhole) return entry;
    }
    return busy("kept changing while it was read");
  }

  enum class Reading : std::uint8_t { kWhole, kChanged };

  /// The regular file of the entry's name; what it is if it did not change meanwhile.
  Result<Reading> read_file_once(int directory_fd, Entry& entry) {
    SATCHEL_ASSIGN(const UniqueFd fd, open_for_reading(directory_fd, entry.name.text(), 0));
    struct stat before {};
    if (::fstat(fd.get(), &before) != 0) return file_error("", "cannot look at the file");
    if (!S_ISREG(before.st_mode)) return Reading::kChanged;
    const auto size = static_cast<std::uint64_t>(before.st_size);
    std::int64_t counted = 0;
    const auto content = store_file(upload_, fd.get(), size, [&](std::uint64_t bytes) {
      counted += static_cast<std::int64_t>(bytes);
      meter_.add_bytes(static_cast<std::int64_t>(bytes));
      return pool_->check();
    });
    if (!content && content.error().sat != Sat::kBusyFile) return content.error();
    SATCHEL_ASSIGN(entry.attributes, read_attributes(fd.get(), before, trees_));
    struct stat after {};
    if (::fstat(fd.get(), &after) != 0) return file_error("", "cannot look at the file");
    if (!content || !is_unchanged(before, after)) {
      meter_.add_bytes(-counted);
      return Reading::kChanged;
    }
    entry.content = *content;
    bytes_ += size;
    return Reading::kWhole;
  }

  Result<Attributes> directory_attributes(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0)
      return file_error(host_path(path), "cannot look at the directory");
    auto attributes = read_attributes(fd, status, trees_);
    if (!attributes) return error_at(std::move(attributes).error(), host_path(path));
    return attributes;
  }

  [[nodiscard]] std::string host_path(const std::string& path) const {
    return root_path_ + "/" + path;
  }

  const std::string root_path_;
  Upload& upload_;
  TreeStore& trees_;
  const ImportOptions& options_;
  ImportMeter meter_;
  const DirectoryMark mark_;
  HostSurvey survey_;
  std::map<HostInode, Guarded<LinkedEntry>> linked_;  // changed only by the walk
  std::vector<LinkItem> link_items_;
  std::uint64_t files_ = 0;
  std::uint64_t directories_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  ImportPool* pool_ = nullptr;  // during the second walk
};

}  // namespace

Result<ImportResult> import_directory(const HostPath& path, Upload& upload, TreeStore& trees,
                                      const ImportOptions& options) {
  return DirectoryImport(path, upload, trees, options).run();
}

}  // namespace satchel::store
