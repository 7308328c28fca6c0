#include "store/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <grp.h>
#include <locale.h>  // NOLINT(modernize-deprecated-headers): newlocale() is POSIX
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/file_io.h"
#include "store/posix_acl.h"

namespace satchel::store {
namespace {

constexpr std::size_t kReadBytes = 256U << 10U;
constexpr std::size_t kLookupBytes = 16U << 10U;
constexpr unsigned kPermissionBits = 07777;
constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
// The blocks of zeros that end a tar.
constexpr std::int64_t kTarBlockBytes = 512;

struct FreeArchive {
  void operator()(archive* pointer) const { (void)archive_read_free(pointer); }  // was only read
};

/// libarchive converts names to the thread's character set. In UTF-8 they stay the bytes that they
/// are; in the "C" locale of a daemon those of zip and 7zip would be lost.
class Utf8Scope {
 public:
  Utf8Scope() : before_(::uselocale(utf8())) {}
  ~Utf8Scope() { (void)::uselocale(before_); }
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;  // null, which changes nothing, where there is none
  }
  locale_t before_;
};

std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

Error bad_archive(std::string_view why, const std::string& path) {
  return {.code = EBADMSG,
          .sat = Sat::kBadArchive,
          .message = std::string(why),
          .path = path,
          .hint = "the archive is damaged, or was cut on its way"};
}

Result<Kind> kind_of(archive_entry* entry, const std::string& path) {
  // libarchive's types are the S_IFMT bits of most systems, Linux among them.
  const std::optional<Kind> kind = kind_of_mode(archive_entry_filetype(entry));
  if (!kind) return bad_archive("a member of no known kind", path);
  return *kind;
}

Result<std::uint32_t> owner_of(std::int64_t id, const std::string& path) {
  if (id < 0 || id > std::numeric_limits<std::uint32_t>::max()) {
    return bad_archive("an owner out of range", path);
  }
  return static_cast<std::uint32_t>(id);
}

Xattrs xattrs_of(archive_entry* entry) {
  Xattrs xattrs;
  (void)archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr) continue;
    xattrs[name] = size == 0 ? std::string() : std::string(static_cast<const char*>(value), size);
  }
  // GNU tar leaves out the NUL that the kernel has at its end.
  const auto label = xattrs.find("security.selinux");
  if (label != xattrs.end() && !label->second.ends_with('\0')) label->second.push_back('\0');
  return xattrs;
}

std::optional<std::uint32_t> find_user(const char* name) {
  std::vector<char> buffer(kLookupBytes);
  passwd storage{};
  passwd* found = nullptr;
  if (name == nullptr || ::getpwnam_r(name, &storage, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return found->pw_uid;
}

std::optional<std::uint32_t> find_group(const char* name) {
  std::vector<char> buffer(kLookupBytes);
  group storage{};
  group* found = nullptr;
  if (name == nullptr || ::getgrnam_r(name, &storage, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return found->gr_gid;
}

std::optional<AclTag> acl_tag_of(int tag) {
  switch (tag) {
    case ARCHIVE_ENTRY_ACL_USER_OBJ:
      return AclTag::kOwner;
    case ARCHIVE_ENTRY_ACL_USER:
      return AclTag::kUser;
    case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
      return AclTag::kOwningGroup;
    case ARCHIVE_ENTRY_ACL_GROUP:
      return AclTag::kGroup;
    case ARCHIVE_ENTRY_ACL_MASK:
      return AclTag::kMask;
    case ARCHIVE_ENTRY_ACL_OTHER:
      return AclTag::kOther;
    default:
      return std::nullopt;
  }
}

/// The list of that type; empty if the member has none, nullopt if it names somebody unknown.
std::optional<std::vector<AclEntry>> acl_of(archive_entry* entry, int wanted_type) {
  constexpr int kRwx = 7;
  std::vector<AclEntry> entries;
  (void)archive_entry_acl_reset(entry, wanted_type);
  int type = 0;
  int permissions = 0;
  int raw_tag = 0;
  int id = 0;
  const char* name = nullptr;
  while (archive_entry_acl_next(entry, wanted_type, &type, &permissions, &raw_tag, &id, &name) ==
         ARCHIVE_OK) {
    const std::optional<AclTag> tag = acl_tag_of(raw_tag);
    if (!tag) return std::nullopt;
    AclEntry acl{.tag = *tag, .permissions = static_cast<std::uint16_t>(permissions & kRwx)};
    if (*tag == AclTag::kUser || *tag == AclTag::kGroup) {
      const auto known = id >= 0                 ? std::optional(static_cast<std::uint32_t>(id))
                         : *tag == AclTag::kUser ? find_user(name)
                                                 : find_group(name);
      if (!known) return std::nullopt;
      acl.id = *known;
    }
    entries.push_back(acl);
  }
  return entries;
}

}  // namespace

struct ArchiveReader::State {
  State(int input, std::function<Result<void>()> hook)
      : fd(input), between_reads(std::move(hook)), handle(archive_read_new()) {
    SATCHEL_ASSERT(handle != nullptr);
  }

  Result<void> open();
  Result<ArchiveMember> member_of(archive_entry* entry);
  Result<void> add_acls(archive_entry* entry, ArchiveMember& member);
  Result<void> check_end() const;
  [[nodiscard]] Error error() const;
  void warn(std::string_view text);

  static la_ssize_t on_read(archive* /*handle*/, void* state, const void** buffer);
  static la_int64_t on_seek(archive* /*handle*/, void* state, la_int64_t offset, int whence);

  const int fd;
  const std::function<Result<void>()> between_reads;
  std::unique_ptr<archive, FreeArchive> handle;
  std::vector<std::byte> buffer = std::vector<std::byte>(kReadBytes);
  std::optional<Error> read_error;  // what on_read() could not tell libarchive
  std::string path;                 // of the current member
  std::optional<std::uint64_t> size;
  std::vector<std::string> warnings;
};

// One by one and not archive_read_support_format_all(), which has mtree.
Result<void> ArchiveReader::State::open() {
  const auto formats = {
      archive_read_support_format_ar,   archive_read_support_format_cab,
      archive_read_support_format_cpio, archive_read_support_format_iso9660,
      archive_read_support_format_lha,  archive_read_support_format_rar,
      archive_read_support_format_rar5, archive_read_support_format_tar,
      archive_read_support_format_warc, archive_read_support_format_xar,
      archive_read_support_format_zip,  archive_read_support_format_7zip,
  };
  // A format or filter that this libarchive was built without is not there to be recognized.
  for (const auto support : formats) (void)support(handle.get());
  (void)archive_read_support_filter_all(handle.get());
  (void)archive_read_set_read_callback(handle.get(), on_read);
  if (::lseek(fd, 0, SEEK_CUR) >= 0) (void)archive_read_set_seek_callback(handle.get(), on_seek);
  (void)archive_read_set_callback_data(handle.get(), this);
  const Utf8Scope utf8;
  if (archive_read_open1(handle.get()) != ARCHIVE_OK) return error();
  return {};
}

la_ssize_t ArchiveReader::State::on_read(archive* handle, void* state, const void** buffer) {
  auto& self = *static_cast<State*>(state);
  *buffer = self.buffer.data();
  while (true) {
    if (self.between_reads) {
      if (auto go_on = self.between_reads(); !go_on) {
        self.read_error = std::move(go_on).error();
        break;
      }
    }
    const ssize_t got = ::read(self.fd, self.buffer.data(), self.buffer.size());
    if (got >= 0) return got;
    if (errno == EINTR) continue;
    self.read_error = file_error("", "cannot read the archive");
    break;
  }
  archive_set_error(handle, self.read_error->code, "cannot read");
  return ARCHIVE_FATAL;
}

la_int64_t ArchiveReader::State::on_seek(archive* /*handle*/, void* state, la_int64_t offset,
                                         int whence) {
  const off_t position = ::lseek(static_cast<State*>(state)->fd, offset, whence);
  return position >= 0 ? position : ARCHIVE_FATAL;
}

Error ArchiveReader::State::error() const {
  if (read_error) return *read_error;
  return bad_archive(text_or_empty(archive_error_string(handle.get())), path);
}

void ArchiveReader::State::warn(std::string_view text) {
  if (warnings.size() >= kWarningsMax) return;
  warnings.push_back(escape_for_display(path) + ": " + std::string(text));
}

Result<ArchiveMember> ArchiveReader::State::member_of(archive_entry* entry) {
  ArchiveMember member;
  member.path = path;
  member.hard_link = text_or_empty(archive_entry_hardlink(entry));
  if (member.hard_link.empty()) {
    SATCHEL_ASSIGN(member.kind, kind_of(entry, path));
  }
  member.mode = static_cast<std::uint16_t>(archive_entry_mode(entry) & kPermissionBits);
  SATCHEL_ASSIGN(member.uid, owner_of(archive_entry_uid(entry), path));
  SATCHEL_ASSIGN(member.gid, owner_of(archive_entry_gid(entry), path));
  member.mtime = {.seconds = archive_entry_mtime(entry),
                  .nanoseconds = static_cast<std::uint32_t>(archive_entry_mtime_nsec(entry))};
  if (member.mtime.nanoseconds >= 1'000'000'000) return bad_archive("a time out of range", path);
  member.xattrs = xattrs_of(entry);
  SATCHEL_TRY(add_acls(entry, member));
  if (member.kind == Kind::kSymlink) member.target = text_or_empty(archive_entry_symlink(entry));
  if (member.kind == Kind::kCharDevice || member.kind == Kind::kBlockDevice) {
    member.device = {.major = static_cast<std::uint32_t>(archive_entry_rdevmajor(entry)),
                     .minor = static_cast<std::uint32_t>(archive_entry_rdevminor(entry))};
  }
  if (archive_entry_size_is_set(entry) != 0) {
    member.size = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (*member.size > kSizeMax) return bad_archive("a size out of range", path);
  }
  member.is_sparse = archive_entry_sparse_count(entry) > 0;
  return member;
}

Result<void> ArchiveReader::State::add_acls(archive_entry* entry, ArchiveMember& member) {
  constexpr unsigned kRwxBits = 0777;
  constexpr std::pair<int, std::string_view> kLists[] = {
      {ARCHIVE_ENTRY_ACL_TYPE_ACCESS, kAccessAclXattr},
      {ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, kDefaultAclXattr}};
  for (const auto& [type, xattr] : kLists) {
    const auto acl = acl_of(entry, type);
    if (!acl) {
      warn("an access control list for somebody unknown here is left out");
      continue;
    }
    if (acl->empty()) continue;
    member.xattrs.emplace(xattr, encode_acl(*acl));
    if (type != ARCHIVE_ENTRY_ACL_TYPE_ACCESS) continue;
    // libarchive has put the owning group's permissions where a mode has those of the mask.
    member.mode = static_cast<std::uint16_t>((member.mode & ~kRwxBits) | mode_of_acl(*acl));
  }
  return {};
}

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader& ArchiveReader::operator=(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

Result<ArchiveReader> ArchiveReader::open(int fd, std::function<Result<void>()> between_reads) {
  auto state = std::make_unique<State>(fd, std::move(between_reads));
  SATCHEL_TRY(state->open());
  return ArchiveReader(std::move(state));
}

Result<std::optional<ArchiveMember>> ArchiveReader::next() {
  const Utf8Scope utf8;
  archive* const handle = state_->handle.get();
  const std::int64_t before = archive_filter_bytes(handle, 0);
  archive_entry* entry = nullptr;
  const int got = archive_read_next_header(handle, &entry);
  if (got == ARCHIVE_EOF) {
    // libarchive takes the end of the file for the end of a tar. Then only padding was left to
    // read.
    const bool is_tar = (archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    if (is_tar && archive_filter_bytes(handle, 0) - before < kTarBlockBytes) {
      return bad_archive("the archive ends without its end mark", state_->path);
    }
    return std::optional<ArchiveMember>();
  }
  if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return state_->error();
  state_->path = text_or_empty(archive_entry_pathname(entry));
  // A name that is not UTF-8 in a pax header stays the bytes that it was, but libarchive warns.
  const std::string warning =
      text_or_empty(got == ARCHIVE_WARN ? archive_error_string(handle) : nullptr);
  if (got == ARCHIVE_WARN && warning.find("can't be converted") == std::string::npos) {
    state_->warn(warning);
  }
  SATCHEL_ASSIGN(ArchiveMember member, state_->member_of(entry));
  state_->size = member.size;
  return std::optional(std::move(member));
}

Result<void> ArchiveReader::read_content(const SparseFileVisitor& visitor) {
  const Utf8Scope utf8;
  std::uint64_t position = 0;
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(state_->handle.get(), &block, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got != ARCHIVE_OK) return state_->error();
    const auto start = static_cast<std::uint64_t>(offset);
    const std::uint64_t end_max = state_->size.value_or(kSizeMax);
    if (start < position || start > end_max || size > end_max - start) {
      return bad_archive("bytes of a file where none can be", state_->path);
    }
    if (start > position) SATCHEL_TRY(visitor.hole(start - position));
    if (size > 0) SATCHEL_TRY(visitor.data({static_cast<const std::byte*>(block), size}));
    position = start + size;
  }
  if (!state_->size || *state_->size == position) return {};
  return visitor.hole(*state_->size - position);
}

const std::vector<std::string>& ArchiveReader::warnings() const {
  return state_->warnings;
}

}  // namespace satchel::store
