#include "cli/mount_client.h"

#include "fs/mount_table.h"

namespace satchel::cli {

Result<fs::ControlFields> ask_device(const Settings& settings, const std::string& device,
                                     const fs::ControlRequest& request) {
  SATCHEL_ASSIGN(const HostPath socket,
                 fs::find_control_socket(settings.runtime_directory, device));
  SATCHEL_ASSIGN(auto client, fs::ControlClient::connect(socket));
  return client.call(request, kControlSilence);
}

Result<fs::ControlFields> ask_mount(const Settings& settings, const HostPath& mount_point,
                                    const fs::ControlRequest& request) {
  SATCHEL_ASSIGN(const auto mount, fs::find_satchel_mount(mount_point));
  return ask_device(settings, mount.device, request);
}

}  // namespace satchel::cli
