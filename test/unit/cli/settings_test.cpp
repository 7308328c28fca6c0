#include "cli/settings.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

namespace satchel::cli {
namespace {

/// Sets a variable of the environment for the length of a case.
class Variable {
 public:
  Variable(std::string name, const char* value) : name_(std::move(name)) {
    const char* const old = std::getenv(name_.c_str());
    if (old != nullptr) old_ = old;
    set(value);
  }
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) {
    if (value != nullptr) {
      (void)::setenv(name_.c_str(), value, 1);
    } else {
      (void)::unsetenv(name_.c_str());
    }
  }
  std::string name_;
  std::optional<std::string> old_;
};

TEST_SUITE("cli/settings") {
  TEST_CASE("the environment says who this device is and where its index stands") {
    const Variable device("SATCHEL_DEVICE", "desk");
    const Variable cache("XDG_CACHE_HOME", "/somewhere");
    const Variable temporary("TMPDIR", "/elsewhere");
    const Settings settings = Settings::from_environment();
    CHECK(settings.device == "desk");
    CHECK(settings.index_directory.text == "/somewhere/satchel");
    CHECK(settings.temporary_directory.text == "/elsewhere");
  }

  TEST_CASE("the environment says where the site's rules are and which desktop this is") {
    const Variable rules("SATCHEL_RULES", "/srv/rules");
    const Variable desktop("XDG_CURRENT_DESKTOP", "ubuntu:GNOME::");
    const Settings settings = Settings::from_environment();
    CHECK(settings.site_rules.text == "/srv/rules");
    CHECK(settings.desktops == std::vector<std::string>{"ubuntu", "gnome"});
  }

  TEST_CASE("without it the host does") {
    const Variable device("SATCHEL_DEVICE", nullptr);
    const Variable cache("XDG_CACHE_HOME", nullptr);
    const Variable rules("SATCHEL_RULES", nullptr);
    const Variable desktop("XDG_CURRENT_DESKTOP", nullptr);
    const Settings settings = Settings::from_environment();
    CHECK(settings.site_rules.text == "/etc/satchel/rules.d");
    CHECK(settings.desktops.empty());
    CHECK(!settings.device.empty());
    if (::geteuid() == 0) {
      CHECK(settings.index_directory.text == "/var/cache/satchel");
      CHECK(settings.store_directory.text == "/var/lib/satchel");
    }
  }

  TEST_CASE("a machine id names a folder, so it has the form of a name") {
    for (const char* const good : {"desk", "0123456789abcdef0123456789abcdef", "A.b_c-1"}) {
      const Variable id("SATCHEL_MACHINE_ID", good);
      CHECK(machine_id().value() == good);
    }
    const std::string too_long(65, 'x');
    for (const char* const bad : {"a/b", "..", "a b", "\xff", too_long.c_str()}) {
      const Variable id("SATCHEL_MACHINE_ID", bad);
      const auto refused = machine_id();
      REQUIRE(!refused.has_value());
      CHECK(refused.error().sat == Sat::kUsage);
    }
  }
}

}  // namespace
}  // namespace satchel::cli
