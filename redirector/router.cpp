#include "redirector/router.h"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sha256.h"

namespace satchel::redirector {
namespace {

using policies::Action;
using policies::DataClass;
using policies::Decision;

/// Which of the paths at and below a pattern a rule decides.
enum class Scope : std::uint8_t {
  kItself,  ///< the path alone
  kBelow,   ///< everything below it
  kTree,    ///< both
};

struct BuiltinRule {
  std::string_view path;  ///< names, each literal or a beginning followed by `*`
  Scope scope = Scope::kTree;
  Action action = Action::kSync;
  DataClass data_class = DataClass::kSysdata;
  std::string_view text;  ///< as rule files would say it
};

constexpr std::array kRules = {
    // The operating system and its applications: writes go to the personal app layer.
    BuiltinRule{"usr", Scope::kTree, Action::kImage, DataClass::kApp, "image /usr/** class=app"},
    BuiltinRule{"opt", Scope::kTree, Action::kImage, DataClass::kApp, "image /opt/** class=app"},
    BuiltinRule{"bin", Scope::kTree, Action::kImage, DataClass::kApp, "image /bin/** class=app"},
    BuiltinRule{"sbin", Scope::kTree, Action::kImage, DataClass::kApp, "image /sbin/** class=app"},
    BuiltinRule{"lib*", Scope::kTree, Action::kImage, DataClass::kApp, "image /lib*/** class=app"},
    BuiltinRule{"var/lib/dpkg", Scope::kTree, Action::kImage, DataClass::kApp,
                "image /var/lib/dpkg/** class=app"},
    BuiltinRule{"var/lib/apt/extended_states", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /var/lib/apt/extended_states class=app"},
    // Accounts come from the image's policy; `name-` is the tools' own backup of the same.
    BuiltinRule{"etc/passwd", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/passwd class=app"},
    BuiltinRule{"etc/passwd-", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/passwd- class=app"},
    BuiltinRule{"etc/group", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/group class=app"},
    BuiltinRule{"etc/group-", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/group- class=app"},
    BuiltinRule{"etc/shadow", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/shadow class=app"},
    BuiltinRule{"etc/shadow-", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/shadow- class=app"},
    BuiltinRule{"etc/gshadow", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/gshadow class=app"},
    BuiltinRule{"etc/gshadow-", Scope::kItself, Action::kImage, DataClass::kApp,
                "image /etc/gshadow- class=app"},
    BuiltinRule{"etc/sudoers.d", Scope::kTree, Action::kImage, DataClass::kApp,
                "image /etc/sudoers.d/** class=app"},
    BuiltinRule{"etc/apt", Scope::kTree, Action::kImage, DataClass::kApp,
                "image /etc/apt/** class=app"},
    BuiltinRule{"etc/pam.d", Scope::kTree, Action::kImage, DataClass::kApp,
                "image /etc/pam.d/** class=app"},
    // The person's own.
    BuiltinRule{"home", Scope::kBelow, Action::kSync, DataClass::kData, "sync /home/** class=data"},
    BuiltinRule{"home/*/.*", Scope::kTree, Action::kSync, DataClass::kSysdata,
                "sync /home/*/.*/** class=sysdata"},
    BuiltinRule{"home/*/.cache", Scope::kItself, Action::kSync, DataClass::kSysdata,
                "sync /home/*/.cache class=sysdata"},
    BuiltinRule{"home/*/.cache", Scope::kBelow, Action::kLocal, DataClass::kSysdata,
                "local /home/*/.cache/**"},
    BuiltinRule{"root", Scope::kBelow, Action::kSync, DataClass::kData, "sync /root/** class=data"},
    BuiltinRule{"root/.*", Scope::kTree, Action::kSync, DataClass::kSysdata,
                "sync /root/.*/** class=sysdata"},
    BuiltinRule{"root/.cache", Scope::kItself, Action::kSync, DataClass::kSysdata,
                "sync /root/.cache class=sysdata"},
    BuiltinRule{"root/.cache", Scope::kBelow, Action::kLocal, DataClass::kSysdata,
                "local /root/.cache/**"},
    // The machine's own: kept per machine id, applied nowhere else.
    BuiltinRule{"etc/hostname", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/hostname"},
    BuiltinRule{"etc/hosts", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/hosts"},
    BuiltinRule{"etc/machine-id", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/machine-id"},
    BuiltinRule{"etc/fstab", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/fstab"},
    BuiltinRule{"etc/crypttab", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/crypttab"},
    BuiltinRule{"etc/adjtime", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/adjtime"},
    BuiltinRule{"etc/resolv.conf", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/resolv.conf"},
    BuiltinRule{"etc/ssh/ssh_host_*", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /etc/ssh/ssh_host_*"},
    BuiltinRule{"var/lib/dbus/machine-id", Scope::kItself, Action::kMachine, DataClass::kSysdata,
                "machine /var/lib/dbus/machine-id"},
    BuiltinRule{"var/lib/systemd/random-seed", Scope::kItself, Action::kMachine,
                DataClass::kSysdata, "machine /var/lib/systemd/random-seed"},
    BuiltinRule{"var/lib/NetworkManager", Scope::kBelow, Action::kMachine, DataClass::kSysdata,
                "machine /var/lib/NetworkManager/**"},
    BuiltinRule{"var/lib/dhcp", Scope::kBelow, Action::kMachine, DataClass::kSysdata,
                "machine /var/lib/dhcp/**"},
    // What is made anew, or means nothing elsewhere.
    BuiltinRule{"tmp", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /tmp/**"},
    BuiltinRule{"run", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /run/**"},
    BuiltinRule{"proc", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /proc/**"},
    BuiltinRule{"sys", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /sys/**"},
    BuiltinRule{"dev", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /dev/**"},
    BuiltinRule{"var/log", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /var/log/**"},
    BuiltinRule{"var/cache", Scope::kBelow, Action::kLocal, DataClass::kSysdata,
                "local /var/cache/**"},
    BuiltinRule{"var/tmp", Scope::kBelow, Action::kLocal, DataClass::kSysdata, "local /var/tmp/**"},
};
constexpr BuiltinRule kLastResort{"", Scope::kTree, Action::kSync, DataClass::kSysdata,
                                  "sync /** class=sysdata"};

Decision decision_of(const BuiltinRule& rule) {
  return {rule.action, rule.data_class, rule.text, "built-in"};
}

/// The part of `path` up to its next '/', which is taken off.
std::string_view take_name(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view name = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  return name;
}

/// The rules as a tree of names: a decision follows the path down, one look-up for each name.
class BuiltinRouter final : public Router {
 public:
  BuiltinRouter() {
    std::string text;
    for (const BuiltinRule& rule : kRules) {
      add(rule);
      text.append(rule.text).append("\n");
    }
    text.append(kLastResort.text).append("\n");
    rules_id_ = {sha256(as_bytes(text))};
  }

  [[nodiscard]] Decision decide(const RelativePath& path, store::Kind /*kind*/) const override {
    const Place place = find(path);
    const bool is_named = place.node != nullptr && place.node->itself != nullptr;
    return decision_of(is_named ? *place.node->itself : *place.inherited);
  }

  [[nodiscard]] Coverage coverage_below(const RelativePath& directory) const override {
    const Place place = find(directory);
    const BuiltinRule* const below =
        place.node != nullptr && place.node->below != nullptr ? place.node->below : place.inherited;
    const bool travels = decision_of(*below).travels();
    if (place.node != nullptr && !all_deeper_agree(*place.node, travels)) return Coverage::kMixed;
    return travels ? Coverage::kAll : Coverage::kNone;
  }

  [[nodiscard]] store::RulesId rules_id() const override { return rules_id_; }

 private:
  struct Node {
    std::map<std::string_view, Node> names;
    std::vector<std::pair<std::string_view, Node>> beginnings;  ///< longest first
    const BuiltinRule* itself = nullptr;
    const BuiltinRule* below = nullptr;
  };
  struct Place {
    const Node* node = nullptr;              ///< null: no rule names this path or one below it
    const BuiltinRule* inherited = nullptr;  ///< what the directories above say
  };

  void add(const BuiltinRule& rule) {
    Node* node = &top_;
    for (std::string_view rest = rule.path; !rest.empty();) {
      const std::string_view name = take_name(rest);
      node = name.ends_with('*') ? &beginning(*node, name.substr(0, name.size() - 1))
                                 : &node->names[name];
    }
    if (rule.scope != Scope::kBelow) node->itself = &rule;
    if (rule.scope != Scope::kItself) node->below = &rule;
  }

  static Node& beginning(Node& node, std::string_view text) {
    auto place = node.beginnings.begin();
    while (place != node.beginnings.end() && place->first.size() > text.size()) ++place;
    for (auto same = place; same != node.beginnings.end(); ++same) {
      if (same->first == text) return same->second;
    }
    return node.beginnings.emplace(place, text, Node{})->second;
  }

  [[nodiscard]] Place find(const RelativePath& path) const {
    Place place{&top_, &kLastResort};
    for (std::string_view rest = path.text(); !rest.empty() && place.node != nullptr;) {
      if (place.node->below != nullptr) place.inherited = place.node->below;
      place.node = find_child(*place.node, take_name(rest));
    }
    return place;
  }

  static const Node* find_child(const Node& node, std::string_view name) {
    if (const auto found = node.names.find(name); found != node.names.end()) return &found->second;
    for (const auto& [text, child] : node.beginnings) {
      if (name.starts_with(text)) return &child;
    }
    return nullptr;
  }

  static bool all_deeper_agree(const Node& node, bool travels) {
    const auto agrees = [travels](const Node& child) {
      return (child.itself == nullptr || decision_of(*child.itself).travels() == travels) &&
             (child.below == nullptr || decision_of(*child.below).travels() == travels) &&
             all_deeper_agree(child, travels);
    };
    for (const auto& [name, child] : node.names) {
      if (!agrees(child)) return false;
    }
    for (const auto& [text, child] : node.beginnings) {
      if (!agrees(child)) return false;
    }
    return true;
  }

  Node top_;
  store::RulesId rules_id_;
};

}  // namespace

Coverage Router::coverage_below(const RelativePath& /*directory*/) const {
  return Coverage::kMixed;
}

store::Area area_of(const Decision& decision) {
  if (decision.action == Action::kMachine) return store::Area::kMachine;
  switch (decision.data_class) {
    case DataClass::kData:
      return store::Area::kData;
    case DataClass::kSysdata:
      return store::Area::kSysdata;
    case DataClass::kApp:
      return store::Area::kApp;
  }
  SATCHEL_ASSERT(false);
  return store::Area::kSysdata;
}

std::unique_ptr<Router> make_builtin_router() {
  return std::make_unique<BuiltinRouter>();
}

}  // namespace satchel::redirector
