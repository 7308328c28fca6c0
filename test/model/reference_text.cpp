// Layers and mediations as text: what a failing test prints and compares.
#include <ostream>
#include <sstream>

#include "test/model/reference_model.h"

namespace satchel::model {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

template <typename Bytes>
std::string hex_of(const Bytes& bytes) {
  std::string text;
  for (const unsigned byte : bytes) {
    text += kHexDigits.at(byte >> 4U);
    text += kHexDigits.at(byte & 15U);
  }
  return text;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return "file";
    case Kind::kDirectory:
      return "directory";
    case Kind::kSymlink:
      return "symlink";
    case Kind::kCharDevice:
      return "char";
    case Kind::kBlockDevice:
      return "block";
    case Kind::kFifo:
      return "fifo";
    case Kind::kSocket:
      return "socket";
    case Kind::kWhiteout:
      return "whiteout";
  }
  return "?";
}

std::string join_path(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

void dump_node(std::ostream& out, const std::string& path, const Node& node) {
  out << '/' << escape(path) << ' ' << name_of(node.kind);
  if (!node.is_whiteout()) {
    out << " mode=" << std::oct << node.mode << std::dec << " owner=" << node.uid << ':' << node.gid
        << " mtime=" << node.mtime_s << '.' << node.mtime_ns;
  }
  if (node.kind == Kind::kFile) {
    out << " size=" << node.content.size
        << " content=" << hex_of(node.content.digest).substr(0, 16);
    if (!node.content.bytes.empty() && node.content.bytes.size() <= 32) {
      out << " \"" << escape(node.content.bytes) << '"';
    }
  }
  if (node.kind == Kind::kSymlink) out << " target=" << escape(node.target);
  if (node.device_major != 0 || node.device_minor != 0) {
    out << " device=" << node.device_major << ':' << node.device_minor;
  }
  for (const auto& [name, value] : node.xattrs) {
    const std::string shown =
        value.size() <= 64 ? escape(value) : hex_of(Content::of(value).digest).substr(0, 16);
    out << " xattr:" << escape(name) << '=' << shown;
  }
  if (node.file_id) out << " id=" << hex(*node.file_id);
  if (node.linked) out << " linked";
  if (node.opaque) out << " opaque";
  if (node.inherit) out << " inherit";
  out << '\n';
  for (const auto& [name, child] : node.children) {
    dump_node(out, join_path(path, name), child);
  }
}

}  // namespace

std::string escape(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '\\' && c != '"') {
      text += c;
    } else {
      text += "\\x";
      text += kHexDigits.at(byte >> 4U);
      text += kHexDigits.at(byte & 15U);
    }
  }
  return text;
}

std::string hex(const FileId& id) {
  return hex_of(id.bytes);
}

std::string dump(const Layer& layer) {
  std::ostringstream out;
  dump_node(out, "", layer.root);
  return out.str();
}

std::string dump(const Mediation& mediation) {
  std::ostringstream out;
  out << "merged\n" << dump(mediation.merged) << "conflicts\n";
  for (const Conflict& conflict : mediation.conflicts) out << conflict << '\n';
  out << "losers\n" << dump(mediation.losers);
  return out.str();
}

std::string to_text(ConflictKind kind) {
  switch (kind) {
    case ConflictKind::kContent:
      return "content";
    case ConflictKind::kAttributes:
      return "attributes";
    case ConflictKind::kDeleted:
      return "deleted";
    case ConflictKind::kKind:
      return "kind";
  }
  return "?";
}

std::string to_text(Side side) {
  return side == Side::kClient ? "client" : "server";
}

std::string to_text(Bug bug) {
  switch (bug) {
    case Bug::kNone:
      return "none";
    case Bug::kStackForgetsOpaque:
      return "stack forgets opaque";
    case Bug::kStackKeepsWhiteoutInOpaque:
      return "stack keeps a whiteout in an opaque directory";
    case Bug::kStackInheritOverwrites:
      return "stack: inherit overwrites";
    case Bug::kFlattenKeepsWhiteout:
      return "flatten keeps a whiteout";
    case Bug::kFlattenKeepsBrokenLink:
      return "flatten keeps a broken link";
    case Bug::kDiffEmitsNeedlessWhiteout:
      return "diff emits a needless whiteout";
    case Bug::kDiffForgetsOpaque:
      return "diff forgets opaque";
    case Bug::kDiffOwnsUnchanged:
      return "diff owns unchanged attributes";
    case Bug::kDiffMissesMtime:
      return "diff misses mtime";
    case Bug::kSplitDropsWhiteout:
      return "split drops whiteouts";
    case Bug::kSplitCopiesOwn:
      return "split copies own attributes";
    case Bug::kSplitWayLosesId:
      return "split: a way loses its file id";
    case Bug::kJoinFirstWins:
      return "join: the first part wins";
    case Bug::kMediateLosesClientEdit:
      return "mediate loses the client's edit";
    case Bug::kMediateDeletesEdited:
      return "mediate deletes what was edited";
    case Bug::kMediateRevertsClient:
      return "mediate reverts the client";
    case Bug::kMediateClientWins:
      return "mediate: the client wins";
    case Bug::kMediateKeepsDoubleId:
      return "mediate keeps file ids that collide";
    case Bug::kPageCutOffByOne:
      return "page cut: one too many";
    case Bug::kPageCutIgnoresBytes:
      return "page cut ignores bytes";
    case Bug::kPageCutSingle:
      return "page cut after a single item";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, const Layer& layer) {
  return out << dump(layer);
}

std::ostream& operator<<(std::ostream& out, const Conflict& conflict) {
  return out << '/' << escape(conflict.path) << ' ' << to_text(conflict.kind) << ' '
             << to_text(conflict.loser);
}

std::ostream& operator<<(std::ostream& out, const Mediation& mediation) {
  return out << dump(mediation);
}

}  // namespace satchel::model
