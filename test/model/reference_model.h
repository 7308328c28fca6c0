// Trees and layers as plain maps in memory, and the functions on them: the oracle of property
// tests. Written from docs/format.md and docs/mediation.md alone; shares no code with the product.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::model {

/// A mistake planted on purpose, so that tests can show that their checks would find it.
enum class Bug {
  kNone,
  kStackForgetsOpaque,          ///< a directory over a whiteout does not become opaque
  kStackKeepsWhiteoutInOpaque,  ///< a whiteout stays inside an opaque directory
  kStackInheritOverwrites,      ///< an inherit directory brings its own attributes
  kFlattenKeepsWhiteout,        ///< a whiteout without anything below it stays
  kFlattenKeepsBrokenLink,      ///< links that differ keep one file id
  kDiffEmitsNeedlessWhiteout,   ///< a whiteout beside a changed name, for a name that is nowhere
  kDiffForgetsOpaque,           ///< a replaced directory is not opaque
  kDiffOwnsUnchanged,           ///< own attributes where nothing but the contents changed
  kDiffMissesMtime,             ///< mtime alone is no difference
  kSplitDropsWhiteout,
  kSplitCopiesOwn,          ///< a way keeps own attributes, so they are in two parts
  kSplitWayLosesId,         ///< a way has no file id
  kJoinFirstWins,           ///< join depends on the order of the parts
  kMediateLosesClientEdit,  ///< edited on both sides: the loser is dropped
  kMediateDeletesEdited,    ///< edited here, deleted there: gone
  kMediateRevertsClient,    ///< changed by the client only: the base's is taken
  kMediateClientWins,       ///< mode: the client's, whichever side is live
  kMediateKeepsDoubleId,    ///< file ids that collide are not told apart
  kPageCutOffByOne,         ///< 1,025 items in a page
  kPageCutIgnoresBytes,     ///< a page of any number of bytes
  kPageCutSingle,           ///< a page may end after one item
};

enum class Kind : std::uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kCharDevice = 4,
  kBlockDevice = 5,
  kFifo = 6,
  kSocket = 7,
  kWhiteout = 8,
};

/// SHA-256.
using Hash = std::array<std::uint8_t, 32>;

/// What a file holds: the content id of format.md section 1. Equal iff size and digest are equal.
struct Content {
  std::uint64_t size = 0;
  Hash digest{};      ///< zero for the empty content
  std::string bytes;  ///< empty also if only the id is known

  static Content of(std::string_view bytes);
  friend bool operator==(const Content& a, const Content& b) {
    return a.size == b.size && a.digest == b.digest;
  }
};

struct FileId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

/// What stands at one name of a tree or layer, with all that is in it. The name itself is the key
/// in the containing directory's `children`. A value; fields that its kind lacks keep their
/// defaults.
struct Node {
  Kind kind = Kind::kFile;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_s = 0;
  std::uint32_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;
  Content content;                 ///< files
  std::string target;              ///< symlinks
  std::uint32_t device_major = 0;  ///< devices
  std::uint32_t device_minor = 0;
  std::optional<FileId> file_id;  ///< absent: the default
  bool linked = false;            ///< not for directories
  bool opaque = false;            ///< directories in layers
  bool inherit = false;           ///< directories in layers
  std::map<std::string, Node> children;

  [[nodiscard]] bool is_directory() const { return kind == Kind::kDirectory; }
  [[nodiscard]] bool is_whiteout() const { return kind == Kind::kWhiteout; }
  friend bool operator==(const Node&, const Node&) = default;
};

/// A whole layer. The root is a directory without explicit file id.
struct Layer {
  Node root;
  friend bool operator==(const Layer&, const Layer&) = default;
};
/// A layer for which is_tree() holds: no marks.
using Tree = Layer;

Node whiteout();
Layer empty_layer();
/// A directory 0755 of 0:0 without entries.
Tree empty_tree();
bool is_tree(const Layer& layer);

// Identity. Paths have no leading '/'; that of the root is empty.
FileId root_file_id();
FileId default_file_id(const FileId& parent, std::string_view name);
/// The id of those names of `file_id` that are told apart from others; `path` is the first of them.
FileId split_file_id(const FileId& file_id, std::string_view path);
/// Every name in `layer`, a directory before what is in it, with the file id that it has.
struct Place {
  std::string path;
  FileId file_id;
  const Node* node = nullptr;  ///< borrowed from the layer
};
std::vector<Place> list_places(const Layer& layer);
std::vector<Place> list_places(Layer&&) = delete;  // places point into it

// Functions on layers, format.md section 4.
Layer stack(const Layer& lower, const Layer& upper, Bug bug = Bug::kNone);
Tree flatten(const Layer& layer, Bug bug = Bug::kNone);
/// Lowest first.
Tree compose(const std::vector<Layer>& layers, Bug bug = Bug::kNone);
Layer diff(const Tree& below, const Tree& tree, Bug bug = Bug::kNone);

enum class Area : std::uint8_t { kApp = 0, kSysdata = 1, kData = 2, kMachine = 3 };
inline constexpr std::size_t kAreas = 4;
using AreaOf = std::function<Area(const std::string& path, Kind kind)>;
using Parts = std::array<Layer, kAreas>;  ///< indexed by Area
Parts split(const Layer& layer, const AreaOf& area_of, Bug bug = Bug::kNone);
/// Throws std::invalid_argument if two parts hold a name that is not a mere way in either.
Layer join(const std::vector<Layer>& parts, Bug bug = Bug::kNone);

// Mediation, mediation.md.
enum class Side : std::uint8_t { kClient, kServer };
Side other(Side side);
enum class ConflictKind : std::uint8_t { kContent, kAttributes, kDeleted, kKind };
struct Conflict {
  std::string path;
  ConflictKind kind = ConflictKind::kContent;
  Side loser = Side::kClient;  ///< kDeleted: the side that deleted. Else the side that lost
  friend auto operator<=>(const Conflict&, const Conflict&) = default;
};
struct Mediation {
  Tree merged;
  std::vector<Conflict> conflicts;  ///< ascending by path
  Tree losers;                      ///< empty_tree() if nothing lost
  friend bool operator==(const Mediation&, const Mediation&) = default;
};
Mediation mediate(const Tree& base, const Tree& client, const Tree& server, Side live,
                  Bug bug = Bug::kNone);

// Pages, format.md section 2.
struct PageItem {
  std::string key;
  std::uint64_t bytes = 0;  ///< encoded
  std::uint64_t entries = 1;
  std::uint64_t subdirectories = 0;
  friend bool operator==(const PageItem&, const PageItem&) = default;
};
using Pages = std::vector<std::vector<PageItem>>;
/// The pages of one level; never none.
Pages page_cut(const std::vector<PageItem>& items, unsigned level, Bug bug = Bug::kNone);
/// All levels, lowest first; the last one has one page.
std::vector<Pages> page_levels(const std::vector<PageItem>& items, Bug bug = Bug::kNone);
/// The level 0 items of a directory, in order.
std::vector<PageItem> directory_items(const Node& directory);
/// How long an entry is when encoded as format.md section 3 says.
std::uint64_t entry_bytes(const std::string& name, const Node& node);

// Text, for comparing and printing: one line for each path, every field, names escaped.
std::string dump(const Layer& layer);
std::string dump(const Mediation& mediation);
std::string to_text(Bug bug);
std::string to_text(ConflictKind kind);
std::string to_text(Side side);
std::string hex(const FileId& id);
std::string escape(std::string_view bytes);
std::ostream& operator<<(std::ostream& out, const Layer& layer);
std::ostream& operator<<(std::ostream& out, const Conflict& conflict);
std::ostream& operator<<(std::ostream& out, const Mediation& mediation);

}  // namespace satchel::model
