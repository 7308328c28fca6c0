#include "syncer/entry_merge.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace satchel::syncer {
namespace {

using store::Entry;
using store::Xattrs;

/// The three-way rule for one field, and whether it ever had to ask which side is live.
class FieldPicker {
 public:
  explicit FieldPicker(LiveSide live) : live_(live) {}

  /// `base` is null where the name had nothing comparable.
  template <typename T>
  T pick(const T* base, const T& client, const T& server) {
    if (client == server) return client;
    if (base != nullptr && client == *base) return server;
    if (base != nullptr && server == *base) return client;
    clashes_ = true;
    return live_ == LiveSide::kServer ? server : client;
  }
  [[nodiscard]] bool clashes() const { return clashes_; }

 private:
  LiveSide live_;
  bool clashes_ = false;
};

Xattrs merge_xattrs(const Xattrs* base, const Xattrs& client, const Xattrs& server,
                    FieldPicker& picker) {
  using Value = std::optional<std::string>;
  const auto value_in = [](const Xattrs& xattrs, const std::string& name) {
    const auto found = xattrs.find(name);
    return found != xattrs.end() ? Value(found->second) : Value();
  };
  std::set<std::string> names;
  for (const auto& [name, value] : client) names.insert(name);
  for (const auto& [name, value] : server) names.insert(name);
  Xattrs merged;
  for (const std::string& name : names) {
    const Value base_value = base != nullptr ? value_in(*base, name) : Value();
    const Value value = picker.pick(base != nullptr ? &base_value : nullptr, value_in(client, name),
                                    value_in(server, name));
    if (value) merged.emplace(name, *value);
  }
  return merged;
}

Result<store::XattrsRef> merge_xattrs(store::TreeStore& trees, const Entry* base,
                                      const Entry& client, const Entry& server,
                                      FieldPicker& picker) {
  const store::XattrsRef& of_client = client.attributes.xattrs;
  const store::XattrsRef& of_server = server.attributes.xattrs;
  if (of_client == of_server) return of_client;
  if (base != nullptr && base->attributes.xattrs == of_client) return of_server;
  if (base != nullptr && base->attributes.xattrs == of_server) return of_client;
  SATCHEL_ASSIGN(const Xattrs client_xattrs, store::read_xattrs(trees, of_client));
  SATCHEL_ASSIGN(const Xattrs server_xattrs, store::read_xattrs(trees, of_server));
  if (base == nullptr) {
    return store::write_xattrs(trees, merge_xattrs(nullptr, client_xattrs, server_xattrs, picker));
  }
  SATCHEL_ASSIGN(const Xattrs base_xattrs, store::read_xattrs(trees, base->attributes.xattrs));
  return store::write_xattrs(trees,
                             merge_xattrs(&base_xattrs, client_xattrs, server_xattrs, picker));
}

/// mtime follows the side whose content counts; where both or neither count it is a field, but two
/// clocks that differ are no conflict.
Timestamp merge_mtime(const Entry* base, const Entry& client, const Entry& server) {
  const bool client_holds_new = base == nullptr || !hold_the_same(*base, client);
  const bool server_holds_new = base == nullptr || !hold_the_same(*base, server);
  const Timestamp& client_time = client.attributes.mtime;
  const Timestamp& server_time = server.attributes.mtime;
  if (client_holds_new != server_holds_new) return client_holds_new ? client_time : server_time;
  if (base != nullptr && client_time == base->attributes.mtime) return server_time;
  if (base != nullptr && server_time == base->attributes.mtime) return client_time;
  return std::max(client_time, server_time);
}

}  // namespace

bool hold_the_same(const Entry& first, const Entry& second) {
  return first.content == second.content && first.target == second.target &&
         first.device == second.device;
}

Result<MergedEntry> merge_fields(store::TreeStore& trees, const Entry* base, const Entry& client,
                                 const Entry& server, LiveSide live) {
  const bool client_holds_new = base == nullptr || !hold_the_same(*base, client);
  Entry entry = client;
  const Entry& holder = client_holds_new ? client : server;
  entry.content = holder.content;
  entry.target = holder.target;
  entry.device = holder.device;
  entry.attributes.mtime = merge_mtime(base, client, server);

  FieldPicker picker(live);
  const auto pick = [&]<typename T>(T store::Attributes::*field) {
    return picker.pick<T>(base != nullptr ? &(base->attributes.*field) : nullptr,
                          client.attributes.*field, server.attributes.*field);
  };
  entry.attributes.mode = pick(&store::Attributes::mode);
  entry.attributes.uid = pick(&store::Attributes::uid);
  entry.attributes.gid = pick(&store::Attributes::gid);
  SATCHEL_ASSIGN(entry.attributes.xattrs, merge_xattrs(trees, base, client, server, picker));

  // Nobody wrote a file id, so that it was changed differently is nobody's conflict.
  using Identity = std::pair<std::optional<store::FileId>, bool>;
  const auto identity_of = [](const Entry& one) { return Identity(one.file_id, one.linked); };
  const Identity base_identity = base != nullptr ? identity_of(*base) : Identity();
  std::tie(entry.file_id, entry.linked) = FieldPicker(live).pick(
      base != nullptr ? &base_identity : nullptr, identity_of(client), identity_of(server));
  return MergedEntry{std::move(entry), picker.clashes()};
}

}  // namespace satchel::syncer
