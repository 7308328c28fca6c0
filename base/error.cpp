#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ostream>

#include "base/path.h"

namespace satchel {
namespace {

constexpr std::array kDescriptions = {
    SatDescription{Sat::kNone, 1, "the filesystem answered with an error"},
    SatDescription{Sat::kInternal, 1, "a bug in Satchel"},
    SatDescription{Sat::kUsage, 2, "the command line does not make sense"},
    SatDescription{Sat::kBadName, 2, "the name is outside the allowed form"},
    SatDescription{Sat::kDenied, 8, "a redirect rule denies this path"},
    SatDescription{Sat::kRuleSyntax, 2, "a redirect rule cannot be read"},
    SatDescription{Sat::kNotFound, 9, "no such repository, layer, image, user, version or path"},
    SatDescription{Sat::kAlreadyExists, 1, "the name or directory is taken"},
    SatDescription{Sat::kNotARepository, 9, "the directory holds no repository"},
    SatDescription{Sat::kWrongRepository, 7, "the store belongs to another repository"},
    SatDescription{Sat::kStoreInUse, 6, "another process holds this workspace of the store"},
    SatDescription{Sat::kMountPoint, 9, "the mount point is missing, busy or not a directory"},
    SatDescription{Sat::kNotAMount, 13, "the directory is not a Satchel mount"},
    SatDescription{Sat::kNoSpace, 10, "the filesystem below is full"},
    SatDescription{Sat::kReadOnly, 1, "the filesystem below does not accept writes"},
    SatDescription{Sat::kIo, 1, "the filesystem below failed"},
    SatDescription{Sat::kMissingFeature, 1, "the filesystem below lacks a needed feature"},
    SatDescription{Sat::kTransport, 13, "the mount or its connection is broken"},
    SatDescription{Sat::kOffline, 5, "the repository cannot be reached, the work is queued"},
    SatDescription{Sat::kTimeout, 124, "an answer took longer than its deadline"},
    SatDescription{Sat::kCorrupted, 7, "bytes do not match their hash"},
    SatDescription{Sat::kContradiction, 7, "metadata contradicts itself"},
    SatDescription{Sat::kMissingContent, 7, "content that is referred to is nowhere"},
    SatDescription{Sat::kBadArchive, 7, "an archive is truncated or malformed"},
    SatDescription{Sat::kNewerFormat, 12, "a format or version that this program does not know"},
    SatDescription{Sat::kLimit, 7, "a size, count or depth is beyond its limit"},
    SatDescription{Sat::kConflicts, 4, "conflicts wait for a decision"},
    SatDescription{Sat::kDeleteBrake, 3, "the round would delete more than the brake allows"},
    SatDescription{Sat::kLostRace, 1, "another device committed first"},
    SatDescription{Sat::kBusyFile, 3, "a file kept changing while it was read"},
    SatDescription{Sat::kInterrupted, 130, "stopped by a signal"},
};

// For errors without a number: the exit codes that a script can tell apart by errno alone.
int exit_code_of_errno(int code) {
  switch (code) {
    case ENOENT:
      return 9;
    case ENOSPC:
    case EDQUOT:
      return 10;
    case EACCES:
    case EPERM:
      return 8;
    case EBADMSG:
    case EUCLEAN:
      return 7;
    case ENETUNREACH:
      return 5;
    case ENOTCONN:
      return 13;
    case ETIMEDOUT:
      return 124;
    default:
      return 1;
  }
}

}  // namespace

const SatDescription& describe(Sat number) {
  const auto* const found = std::ranges::find(kDescriptions, number,
                                              [](const SatDescription& row) { return row.number; });
  return found != kDescriptions.end() ? *found : describe(Sat::kInternal);
}

std::string to_text(Sat number) {
  return fmt::format("SAT-{:04}", static_cast<int>(number));
}

std::string to_text(const Error& error) {
  const char* const known = ::strerrordesc_np(error.code);
  const std::string reason = known != nullptr ? known : "error " + std::to_string(error.code);
  std::string text;
  if (!error.path.empty()) text += escape_for_display(error.path) + ": ";
  text += error.message.empty() ? reason : error.message + " (" + reason + ")";
  if (!error.hint.empty()) text += "; " + error.hint;
  return text;
}

int exit_code_of(const Error& error) {
  return error.sat == Sat::kNone ? exit_code_of_errno(error.code) : describe(error.sat).exit_code;
}

Error errno_error(std::string_view path, std::string_view doing) {
  const int code = errno;  // before anything that allocates
  return {.code = code != 0 ? code : EIO, .message = std::string(doing), .path = std::string(path)};
}

std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << "Error{" << error.code << ", " << to_text(error.sat) << ", " << to_text(error)
             << "}";
}

}  // namespace satchel
