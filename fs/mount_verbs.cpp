#include "fs/mount_verbs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <mutex>

namespace satchel::fs {
namespace {

Result<ControlFields> status(const ControlledMount& mount) {
  const Mount::Status served = mount.mount.status();
  SATCHEL_ASSIGN(const auto upper, mount.view.counts());
  SATCHEL_ASSIGN(const auto cache, mount.contents.counts());
  ControlFields fields{{"pid", std::to_string(::getpid())},
                       {"mount_point", served.mount_point.text},
                       {"transport", std::string(served.transport)},
                       {"passthrough", served.passes ? "on" : "off"},
                       {"base_version", std::to_string(mount.view.base_version())},
                       {"base_root", mount.view.base_root().hex()},
                       {"dirty_files", std::to_string(upper.dirty_files)},
                       {"nodes", std::to_string(upper.nodes)},
                       {"handles", std::to_string(upper.handles)},
                       {"cache_bytes", std::to_string(cache.bytes_on_disk)},
                       {"bytes_from_repo", std::to_string(cache.bytes_from_repository)}};
  for (const auto& [op, count] : served.requests) {
    fields.emplace_back(fmt::format("requests_{}", op), std::to_string(count));
  }
  if (mount.more_status) {
    SATCHEL_ASSIGN(auto more, mount.more_status());
    for (auto& field : more) fields.push_back(std::move(field));
  }
  return fields;
}

Result<ControlFields> sync(const ControlledMount& mount, std::mutex& one_round,
                           const ControlRequest& request) {
  if (!mount.sync) {
    return Error{
        .code = EROFS, .sat = Sat::kReadOnly, .message = "an image mount has nothing to sync"};
  }
  const std::lock_guard lock(
      one_round);  // two that ask at once get a round each, one after the other
  SATCHEL_ASSIGN(auto fields, mount.sync(request));
  mount.mount.drain_notifications();  // whoever asked sees the new base
  return fields;
}

}  // namespace

std::map<std::string, ControlServer::Handler> mount_verbs(const ControlledMount& mount) {
  const auto one_round = std::make_shared<std::mutex>();
  return {
      {"status", [mount](const ControlRequest&) { return status(mount); }},
      {"sync", [mount, one_round](
                   const ControlRequest& request) { return sync(mount, *one_round, request); }},
      {"flush",
       [mount](const ControlRequest&) -> Result<ControlFields> {
         SATCHEL_TRY(mount.view.sync_all());
         return ControlFields{};
       }},
      {"ping", [](const ControlRequest&) -> Result<ControlFields> { return ControlFields{}; }},
      {"stop",
       [mount](const ControlRequest&) -> Result<ControlFields> {
         mount.mount.stop();
         return ControlFields{};
       }},
      {"abort", [mount](const ControlRequest&) -> Result<ControlFields> { mount.mount.abort(); }},
  };
}

}  // namespace satchel::fs
