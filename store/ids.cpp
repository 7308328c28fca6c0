#include "store/ids.h"

#include <algorithm>
#include <ostream>

#include "base/sha256.h"

namespace satchel::store {

std::ostream& operator<<(std::ostream& out, const ContentId& id) {
  if (id.is_empty()) return out << "empty";
  return out << id.digest << '/' << id.size;
}

std::ostream& operator<<(std::ostream& out, const FileId& id) {
  return out << to_hex(id.bytes);
}

FileId root_file_id() {
  FileId id;
  id.bytes.front() = std::byte{1};  // so that st_ino is 1
  return id;
}

FileId default_file_id(const FileId& parent, const Name& name) {
  // At most 16 + 255 bytes: one hash call over a buffer on the stack beats a context of pieces.
  std::array<std::byte, sizeof(FileId) + Name::kBytesMax> place;
  const Bytes text = as_bytes(name.text());
  const auto middle = std::copy(parent.bytes.begin(), parent.bytes.end(), place.begin());
  const auto end = std::copy(text.begin(), text.end(), middle);
  const Sha256Value hash = sha256({place.begin(), end});
  FileId id;
  std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

std::uint64_t inode_number(const FileId& id) {
  std::uint64_t number = 0;
  for (std::size_t i = sizeof number; i-- > 0;) {
    number = (number << 8U) | std::to_integer<std::uint64_t>(id.bytes[i]);
  }
  return number != 0 ? number : 1;
}

}  // namespace satchel::store
