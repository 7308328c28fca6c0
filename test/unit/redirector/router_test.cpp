#include "redirector/router.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "policies/default_rules.h"
#include "redirector/rule_router.h"

namespace satchel::redirector {
namespace {

using policies::Action;
using policies::Decision;

RelativePath path_of(const std::string& text) {
  auto path = RelativePath::parse(text);
  REQUIRE(path.has_value());
  return *path;
}

/// "sync data", "image app", "machine", "local", "discard", "deny".
std::string in_words(const Decision& decision) {
  std::string words(policies::to_text(decision.action));
  if (decision.action == Action::kSync || decision.action == Action::kImage) {
    words.append(" ").append(policies::to_text(decision.data_class));
  }
  return words;
}

/// The shipped rules in the view of ada, whose home and root's are `~`.
std::unique_ptr<Router> shipped_router() {
  auto rules = policies::RuleSet::make(
      policies::default_rule_files(),
      {.homes = {{.path = path_of("home/ada")}, {.path = path_of("root"), .is_own = false}}});
  if (!rules) FAIL(rules.error().message);
  return make_router(*std::move(rules));
}

struct Row {
  std::string path;
  std::string expected;
};

// NOLINTNEXTLINE(readability-function-size): one table
const std::vector<Row>& known_paths() {
  static const std::vector<Row> kRows = {
      {"/usr", "image app"},
      {"/usr/bin", "image app"},
      {"/usr/bin/bash", "image app"},
      {"/usr/lib/x86_64-linux-gnu/libc.so.6", "image app"},
      {"/usr/local/bin/tool", "image app"},
      {"/usr/share/doc/bash/copyright", "image app"},
      {"/usr/share/icons/hicolor/48x48/apps/firefox.png", "image app"},
      {"/usr/lib/firefox-esr/firefox-esr", "image app"},
      {"/usr/include/stdio.h", "image app"},
      {"/usr/share/locale/de/LC_MESSAGES/git.mo", "image app"},
      {"/opt", "image app"},
      {"/opt/tool/run", "image app"},
      {"/opt/.hidden", "image app"},
      {"/bin", "image app"},
      {"/bin/sh", "image app"},
      {"/sbin", "image app"},
      {"/sbin/init", "image app"},
      {"/lib", "image app"},
      {"/lib/systemd/system/ssh.service", "image app"},
      {"/lib32", "image app"},
      {"/lib64", "image app"},
      {"/lib64/ld-linux-x86-64.so.2", "image app"},
      {"/libx32", "image app"},
      {"/var/lib/dpkg", "image app"},
      {"/var/lib/dpkg/status", "image app"},
      {"/var/lib/dpkg/info/bash.list", "image app"},
      {"/var/lib/dpkg/lock", "local"},
      {"/var/lib/dpkg/alternatives/editor", "image app"},
      {"/var/lib/apt/extended_states", "image app"},
      {"/etc/passwd", "image app"},
      {"/etc/passwd-", "image app"},
      {"/etc/group", "image app"},
      {"/etc/group-", "image app"},
      {"/etc/shadow", "image app"},
      {"/etc/shadow-", "image app"},
      {"/etc/gshadow", "image app"},
      {"/etc/gshadow-", "image app"},
      {"/etc/sudoers.d", "sync sysdata"},
      {"/etc/sudoers.d/ada", "image app"},
      {"/etc/apt", "sync sysdata"},
      {"/etc/apt/sources.list", "image app"},
      {"/etc/apt/sources.list.d/debian.sources", "image app"},
      {"/etc/apt/trusted.gpg.d/key.asc", "image app"},
      {"/etc/pam.d", "sync sysdata"},
      {"/etc/pam.d/common-auth", "image app"},
      {"/home/ada", "sync data"},
      {"/home/ada/Documents", "sync data"},
      {"/home/ada/Documents/letter.odt", "sync data"},
      {"/home/ada/Documents/.hidden-inside", "sync data"},
      {"/home/ada/Pictures/2024/a.jpg", "sync data"},
      {"/home/ada/target/debug/app", "sync data"},
      {"/home/ada/tmp/x", "sync data"},
      {"/home/ada/usr/bin/x", "sync data"},
      {"/home/ada/src/project/.git/config", "sync data"},
      {"/home/ada/src/.cache/x", "sync data"},
      {"/home/ada/cache/.cache", "sync data"},
      {"/home/bob/Desktop/run.desktop", "sync data"},
      {"/home/ada/new\nline", "sync data"},
      {"/home/ada/etc/passwd", "sync data"},
      {"/home/lost+found", "sync data"},
      {"/home/lost+found/x", "sync data"},
      {"/root/notes", "sync data"},
      {"/root/bin/backup.sh", "sync data"},
      {"/root/dir/.config/x", "sync data"},
      {"/home/ada/var/log/x", "sync data"},
      {"/home/ada/a/b/c/d/e/f/g/h", "sync data"},
      {"/home/\303\244da/Dokumente", "sync data"},
      {"/home/ada/.bashrc", "sync sysdata"},
      {"/home/ada/.profile", "sync sysdata"},
      {"/home/ada/.config", "sync sysdata"},
      {"/home/ada/.config/dconf/user", "sync sysdata"},
      {"/home/ada/.config/mozilla/firefox/profiles.ini", "sync sysdata"},
      {"/home/ada/.mozilla/firefox/x.default/key4.db", "sync sysdata"},
      {"/home/ada/.ssh/id_ed25519", "sync sysdata"},
      {"/home/ada/.ssh/known_hosts", "sync sysdata"},
      {"/home/ada/.gnupg/pubring.kbx", "sync sysdata"},
      {"/home/ada/.local/share/keyrings/login.keyring", "sync sysdata"},
      {"/home/ada/.local/state/x", "sync sysdata"},
      {"/home/ada/.cache", "sync sysdata"},
      {"/home/ada/.cached", "sync sysdata"},
      {"/home/ada/.cached/x", "sync sysdata"},
      {"/home/ada/.vimrc", "sync sysdata"},
      {"/home/ada/.var/app/org.x/config/y", "sync sysdata"},
      {"/home/ada/.gitconfig", "sync sysdata"},
      {"/home/ada/.bash_history", "sync sysdata"},
      {"/home/bob/.config/monitors.xml", "sync sysdata"},
      {"/home/bob/.zshrc", "sync sysdata"},
      {"/root", "sync sysdata"},
      {"/root/.bashrc", "sync sysdata"},
      {"/root/.ssh/authorized_keys", "sync sysdata"},
      {"/root/.cache", "sync sysdata"},
      {"/root/.config/x", "sync sysdata"},
      {"/home", "sync sysdata"},
      {"/etc", "sync sysdata"},
      {"/etc/fstab.d", "sync sysdata"},
      {"/etc/hostname.bak", "sync sysdata"},
      {"/etc/hosts.allow", "sync sysdata"},
      {"/etc/hosts.deny", "sync sysdata"},
      {"/etc/default/keyboard", "sync sysdata"},
      {"/etc/locale.conf", "sync sysdata"},
      {"/etc/localtime", "sync sysdata"},
      {"/etc/timezone", "sync sysdata"},
      {"/etc/cups/printers.conf", "sync sysdata"},
      {"/etc/NetworkManager/system-connections/wifi.nmconnection", "sync sysdata"},
      {"/etc/ssh", "sync sysdata"},
      {"/etc/ssh/sshd_config", "sync sysdata"},
      {"/etc/ssh/ssh_config", "sync sysdata"},
      {"/etc/alternatives/editor", "image app"},
      {"/etc/ld.so.cache", "image app"},
      {"/etc/systemd/system/multi-user.target.wants/ssh.service", "sync sysdata"},
      {"/etc/sudoers", "image app"},
      {"/etc/subuid", "image app"},
      {"/etc/passwdx", "sync sysdata"},
      {"/etc/groups", "sync sysdata"},
      {"/etc/apts", "sync sysdata"},
      {"/etc/X11/xorg.conf", "machine"},
      {"/etc/.git/config", "sync sysdata"},
      {"/var", "sync sysdata"},
      {"/var/lib", "sync sysdata"},
      {"/var/lib/apt", "sync sysdata"},
      {"/var/lib/apt/lists/lock", "local"},
      {"/var/lib/postgresql/15/main/PG_VERSION", "sync data"},
      {"/var/lib/systemd/timesync/clock", "sync sysdata"},
      {"/var/lib/dbus", "sync sysdata"},
      {"/var/lib/dpkgx", "sync sysdata"},
      {"/var/mail/ada", "sync sysdata"},
      {"/var/spool/cron/crontabs/ada", "sync sysdata"},
      {"/var/www/html/index.html", "sync sysdata"},
      {"/var/backups/dpkg.status.0", "local"},
      {"/var/lib/NetworkManager", "sync sysdata"},
      {"/var/lib/dhcp", "sync sysdata"},
      {"/srv/data/x", "sync data"},
      {"/srv", "sync sysdata"},
      {"/boot/vmlinuz", "deny"},
      {"/boot", "sync sysdata"},
      {"/media/usb", "local"},
      {"/mnt", "sync sysdata"},
      {"/initrd.img", "image app"},
      {"/data", "sync sysdata"},
      {"/data/x/y", "sync sysdata"},
      {"/tmpfile", "sync sysdata"},
      {"/runner", "sync sysdata"},
      {"/devices", "sync sysdata"},
      {"/process", "sync sysdata"},
      {"/system", "sync sysdata"},
      {"/usrlocal", "sync sysdata"},
      {"/optional", "sync sysdata"},
      {"/binary", "sync sysdata"},
      {"/home2/ada/x", "sync sysdata"},
      {"/.dockerenv", "sync sysdata"},
      {"/.hidden/x", "sync sysdata"},
      {"/tmp", "sync sysdata"},
      {"/run", "sync sysdata"},
      {"/proc", "sync sysdata"},
      {"/sys", "sync sysdata"},
      {"/dev", "sync sysdata"},
      {"/var/log", "sync sysdata"},
      {"/var/cache", "sync sysdata"},
      {"/var/tmp", "sync sysdata"},
      {"/etc/hostname", "machine"},
      {"/etc/hosts", "machine"},
      {"/etc/machine-id", "machine"},
      {"/etc/fstab", "machine"},
      {"/etc/crypttab", "machine"},
      {"/etc/adjtime", "machine"},
      {"/etc/resolv.conf", "machine"},
      {"/etc/ssh/ssh_host_rsa_key", "machine"},
      {"/etc/ssh/ssh_host_ed25519_key.pub", "machine"},
      {"/var/lib/dbus/machine-id", "machine"},
      {"/var/lib/systemd/random-seed", "machine"},
      {"/var/lib/NetworkManager/secret_key", "machine"},
      {"/var/lib/NetworkManager/timestamps", "machine"},
      {"/var/lib/dhcp/dhclient.leases", "machine"},
      {"/home/ada/.cache/mozilla/firefox/x", "discard"},
      {"/home/ada/.cache/thumbnails", "discard"},
      {"/home/ada/.cache/.config/x", "discard"},
      {"/home/bob/.cache/pip/http/0", "local"},
      {"/root/.cache/x", "discard"},
      {"/tmp/x", "discard"},
      {"/tmp/.X11-unix/X0", "discard"},
      {"/tmp/usr/bin/x", "discard"},
      {"/run/user/1000/bus", "discard"},
      {"/run/lock", "discard"},
      {"/run/lock/x", "discard"},
      {"/proc/1/status", "local"},
      {"/sys/class/net", "local"},
      {"/dev/null", "local"},
      {"/dev/shm/x", "local"},
      {"/dev/pts/0", "local"},
      {"/var/log/syslog", "local"},
      {"/var/log/journal/abc/system.journal", "local"},
      {"/var/log/apt/history.log", "local"},
      {"/var/cache/apt/archives/bash.deb", "local"},
      {"/var/cache/debconf/config.dat", "local"},
      {"/var/cache/man/index.db", "local"},
      {"/var/tmp/x", "local"},
      {"/var/tmp/home/ada/x", "local"},
  };
  return kRows;
}

TEST_SUITE("redirector/router") {
  TEST_CASE("the shipped rules decide real paths") {
    const auto router = shipped_router();
    CHECK(known_paths().size() >= 150);
    for (const Row& row : known_paths()) {
      CAPTURE(row.path);
      const Decision decision = router->decide(path_of(row.path), store::Kind::kFile);
      CHECK(in_words(decision) == row.expected);
      CHECK(!decision.origin.empty());
      CHECK(!decision.rule.empty());
    }
  }

  TEST_CASE("the root itself is settings, so that its mode and owner travel") {
    const auto router = shipped_router();
    CHECK(in_words(router->decide({}, store::Kind::kDirectory)) == "sync sysdata");
  }

  TEST_CASE("what a directory's coverage says holds for every known path below it") {
    const auto router = shipped_router();
    for (const Row& row : known_paths()) {
      const RelativePath path = path_of(row.path);
      const bool travels = router->decide(path, store::Kind::kFile).travels();
      for (RelativePath above = path; !above.is_root();) {
        above = above.parent();
        CAPTURE(above);
        CAPTURE(path);
        const Coverage coverage = router->coverage_below(above);
        CHECK((coverage == Coverage::kMixed || (coverage == Coverage::kAll) == travels));
      }
    }
  }

  TEST_CASE("coverage is exact where one rule speaks for a whole directory") {
    struct Expectation {
      std::string path;
      Coverage coverage;
    };
    const Expectation rows[] = {
        {"/usr", Coverage::kAll},
        {"/usr/share/doc", Coverage::kAll},
        {"/tmp", Coverage::kNone},
        {"/tmp/a/b", Coverage::kNone},
        {"/home/bob/.cache", Coverage::kNone},
        {"/home/bob/Documents", Coverage::kAll},
        {"/home/ada", Coverage::kMixed},
        {"/home", Coverage::kMixed},
        {"/", Coverage::kMixed},
        {"/var", Coverage::kMixed},
        {"/var/www", Coverage::kAll},
        {"/etc/systemd", Coverage::kAll},
        {"/var/cache", Coverage::kNone},
        {"/srv", Coverage::kAll},
    };
    const auto router = shipped_router();
    for (const Expectation& row : rows) {
      CAPTURE(row.path);
      CHECK(router->coverage_below(path_of(row.path)) == row.coverage);
    }
  }

  TEST_CASE("a decision belongs to the area of its class, a machine's to the machine") {
    CHECK(area_of({.action = Action::kMachine}) == store::Area::kMachine);
    CHECK(area_of({.data_class = policies::DataClass::kData}) == store::Area::kData);
    CHECK(area_of({.data_class = policies::DataClass::kSysdata}) == store::Area::kSysdata);
    CHECK(area_of({.action = Action::kImage, .data_class = policies::DataClass::kApp}) ==
          store::Area::kApp);
    CHECK(area_of({.action = Action::kLocal}) == store::Area::kSysdata);
  }

  TEST_CASE("a router that cannot say leaves every directory open") {
    class Silent final : public Router {
     public:
      [[nodiscard]] Decision decide(const RelativePath& /*path*/,
                                    store::Kind /*kind*/) const override {
        return {};
      }
      [[nodiscard]] store::RulesId rules_id() const override { return {}; }
    };
    CHECK(Silent().coverage_below({}) == Coverage::kMixed);
  }

  TEST_CASE("a directory that was entered decides as the whole path does") {
    const auto router = shipped_router();
    for (const Row& row : known_paths()) {
      const RelativePath path = path_of(row.path);
      CAPTURE(row.path);
      for (const store::Kind kind : {store::Kind::kFile, store::Kind::kDirectory}) {
        const Decision whole = router->decide(path, kind);
        const auto directory = router->enter(path.parent());
        CHECK(directory->action(path.name(), kind) == whole.action);
        CHECK(router->Router::enter(path.parent())->action(path.name(), kind) == whole.action);
      }
    }
  }

  TEST_CASE("a path of 400 names has a decision") {
    std::string deep = "/home/ada";
    for (int i = 0; i < 400; ++i) deep += "/directory";
    CHECK(shipped_router()->decide(path_of(deep), store::Kind::kFile).travels());
  }
}

}  // namespace
}  // namespace satchel::redirector
