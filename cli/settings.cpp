#include "cli/settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/digest.h"
#include "base/file_io.h"

namespace satchel::cli {
namespace {

constexpr std::size_t kMachineIdBytesMax = 64;
constexpr std::size_t kDeviceBytesMax = 255;

std::optional<std::string> variable(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

HostPath find_index_directory() {
  if (const auto cache = variable("XDG_CACHE_HOME")) return {*cache + "/satchel"};
  if (::geteuid() == 0) return {"/var/cache/satchel"};
  if (const auto home = variable("HOME")) return {*home + "/.cache/satchel"};
  return {};
}

HostPath find_store_directory() {
  if (::geteuid() == 0) return {"/var/lib/satchel"};
  if (const auto data = variable("XDG_DATA_HOME")) return {*data + "/satchel"};
  if (const auto home = variable("HOME")) return {*home + "/.local/share/satchel"};
  return {};
}

HostPath find_runtime_directory() {
  if (::geteuid() == 0) return {"/run/satchel"};
  if (const auto runtime = variable("XDG_RUNTIME_DIR")) return {*runtime + "/satchel"};
  return {"/tmp/satchel-" + std::to_string(::geteuid())};
}

std::vector<std::string> find_desktops() {
  std::vector<std::string> desktops;
  std::string text = variable("XDG_CURRENT_DESKTOP").value_or("");
  std::ranges::transform(text, text.begin(), [](unsigned char letter) {
    return static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  });
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) desktops.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return desktops;
}

bool is_machine_id(std::string_view text) {
  const auto is_allowed = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-';
  };
  return !text.empty() && text.size() <= kMachineIdBytesMax && text != "." && text != ".." &&
         std::ranges::all_of(text, is_allowed);
}

Result<std::string> read_machine_id() {
  const UniqueFd etc(::open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!etc.valid()) return errno_error("/etc");
  auto bytes = read_file(etc.get(), Name::checked("machine-id"), 4096);
  if (!bytes) {
    bytes.error().path = "/etc/machine-id";
    bytes.error().hint = "make it with systemd-machine-id-setup, or set SATCHEL_MACHINE_ID";
    return std::move(bytes).error();
  }
  const std::string_view text = as_text(*bytes);
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  settings.device = variable("SATCHEL_DEVICE").value_or(host_name()).substr(0, kDeviceBytesMax);
  settings.index_directory = find_index_directory();
  settings.store_directory = find_store_directory();
  settings.temporary_directory = {variable("TMPDIR").value_or("/tmp")};
  settings.runtime_directory = find_runtime_directory();
  if (const auto rules = variable("SATCHEL_RULES")) settings.site_rules = {*rules};
  settings.desktops = find_desktops();
  return settings;
}

Result<std::string> machine_id() {
  std::string id;
  if (const auto given = variable("SATCHEL_MACHINE_ID")) {
    id = *given;
  } else {
    SATCHEL_ASSIGN(id, read_machine_id());
  }
  if (is_machine_id(id)) return id;
  return Error{.code = EINVAL,
               .sat = Sat::kUsage,
               .message = "the machine id is not 1 to 64 letters, digits and . _ -",
               .path = id,
               .hint =
                   "set SATCHEL_MACHINE_ID, or make /etc/machine-id with "
                   "systemd-machine-id-setup"};
}

}  // namespace satchel::cli
