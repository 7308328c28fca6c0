// What went wrong, in the form that reaches a caller, a log line and a person.
#pragma once

#include <cerrno>
#include <iosfwd>
#include <string>
#include <string_view>

namespace satchel {

/// The stable numbers that users see as `SAT-NNNN`. A number never changes its meaning and is never
/// reused. The hundreds name the subject; `describe()` gives title and exit code of each.
enum class Sat : int {
  kNone = 0,               ///< an ordinary filesystem answer (ENOENT …); not shown as a number
  kInternal = 1,           ///< a bug in Satchel
  kUsage = 100,            ///< the command line does not make sense
  kBadName = 101,          ///< a layer, image or user name outside the allowed form
  kDenied = 201,           ///< a redirect rule says `deny`
  kRuleSyntax = 202,       ///< a redirect rule cannot be read
  kNotFound = 301,         ///< no such repository, layer, image, user, version or path
  kAlreadyExists = 302,    ///< the name or directory is taken
  kNotARepository = 303,   ///< the directory holds no repository
  kWrongRepository = 304,  ///< the store belongs to another repository id
  kStoreInUse = 305,       ///< another process holds this workspace of the store
  kMountPoint = 306,       ///< the mount point is missing, busy or not a directory
  kNotAMount = 307,        ///< the directory is not a Satchel mount, or its process is gone
  kNoSpace = 401,          ///< the filesystem below is full
  kReadOnly = 402,         ///< the filesystem below does not accept writes
  kIo = 403,               ///< the filesystem below failed
  kMissingFeature = 404,   ///< the filesystem below lacks something that a repository needs
  kTransport = 501,        ///< the mount or its connection is broken
  kOffline = 502,          ///< the repository cannot be reached; the work is queued safely
  kTimeout = 503,          ///< an answer took longer than its deadline
  kCorrupted = 603,        ///< bytes do not match their hash
  kContradiction = 604,    ///< metadata contradicts itself
  kMissingContent = 605,   ///< a pack entry that is referred to is nowhere
  kBadArchive = 606,       ///< an archive is truncated or malformed
  kNewerFormat = 701,      ///< a format or version this program does not know
  kLimit = 702,            ///< a size, count or depth beyond its named limit
  kConflicts = 801,        ///< conflicts wait for a decision
  kDeleteBrake = 802,      ///< a round would delete more than the brake allows
  kLostRace = 803,         ///< another device committed first; the round starts again
  kBusyFile = 804,         ///< a file kept changing while it was read
  kInterrupted = 901,      ///< stopped by a signal
};

/// What `satchel-errors(7)` says of a number, and the process's exit code for it.
struct SatDescription {
  Sat number;
  int exit_code;
  std::string_view title;  ///< one short sentence without a full stop
};
/// Never fails: an unknown number is described as kInternal.
const SatDescription& describe(Sat number);
/// "SAT-0603".
std::string to_text(Sat number);

/// The one error type. `code` is an errno value and is what a FUSE reply carries unchanged.
struct Error {
  int code = EIO;  ///< errno, never 0
  Sat sat = Sat::kNone;
  std::string message{};  ///< what happened, without path and hint; may be empty (strerror then)
  std::string path{};     ///< the path it happened to; empty if none
  std::string hint{};     ///< what to do next; empty if nothing helps

  friend bool operator==(const Error&, const Error&) = default;
};
std::ostream& operator<<(std::ostream& out, const Error& error);

/// "PATH: message (errno text); hint": one line for people. A path is shown with control bytes
/// escaped.
std::string to_text(const Error& error);
/// The exit code that a command ends with: the number's own, else by errno (ENOENT 9, ENOSPC 10,
/// EACCES/EPERM 8, …, 1).
int exit_code_of(const Error& error);

/// An Error from the current errno, taken at once. `path` is what the call was about.
Error errno_error(std::string_view path, std::string_view doing = {});

}  // namespace satchel
