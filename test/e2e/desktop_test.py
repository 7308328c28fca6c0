#!/usr/bin/env python3
"""A person's desktop programs in a mounted Debian: what they leave is synced or not as it should be, and goes on elsewhere.

Installs Firefox ESR, Chromium, LibreOffice, dconf, git, ssh and gnupg by apt inside a workspace, runs them headless as ada (3 page loads from a local
server), asks the rules about all that was written, syncs, and loads a page with the same browser profiles on a second device.

usage: desktop_test.py SATCHEL

Needs root and a Debian mirror as apt is set up to use it.
"""

import contextlib
import functools
import glob
import http.server
import os
import re
import shutil
import sqlite3
import stat
import sys
import tempfile
import threading

import debian_view
import satchel_e2e as e2e

PACKAGES = "firefox-esr chromium dconf-cli gnupg openssh-client git libreoffice-calc-nogui"
CHROMIUM = ("chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
            "--disable-sync --disable-dev-shm-usage --user-data-dir=$HOME/.config/chromium")
# No path of a cache, lock or socket class is synced.
NEVER = re.compile(r"(\.lock|\.pid|\.sock|\.parentlock|/lock|-shm|\.tmp)$|/S\.|/\.#|[Cc]ache2?/(?!registry|uno_packages)|/startupCache/|/\.cache/.|[Cc]rash|/minidumps/|random_seed"
                   r"|/LOCK$|/LOG(\.old)?$|/Singleton|/blob_storage/.|/BrowserMetrics/.|/component_crx_cache/.")
MUST_SYNC = (".mozilla/firefox/*.default-esr/places.sqlite", ".mozilla/firefox/*.default-esr/key4.db", ".mozilla/firefox/*.default-esr/prefs.js",
             ".mozilla/firefox/profiles.ini", ".config/chromium/Local State", ".config/chromium/Default/History", ".config/chromium/Default/Preferences",
             ".config/chromium/Default/Cookies", ".config/chromium/Default/Local Storage/leveldb/CURRENT", ".config/libreoffice/4/user/registrymodifications.xcu", ".config/dconf/user", ".ssh/id_ed25519",
             ".gnupg/pubring.kbx", ".gitconfig", "project/.git/HEAD", "table.ods")


@contextlib.contextmanager
def page_server():
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, 5):
            with open(os.path.join(folder, f"page{number}.html"), "w", encoding="ascii") as out:
                out.write(f"<title>Page {number}</title>hello<script>localStorage.x={number};document.cookie='a=b'</script>")
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        handler.func.log_message = lambda *_: None
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()


def browse(system, address, number):
    system.as_ada(f"MOZ_HEADLESS=1 timeout 120 firefox-esr --headless --screenshot $HOME/page{number}.png {address}/page{number}.html")
    system.as_ada(f"timeout 120 {CHROMIUM} --screenshot=$HOME/chromium{number}.png {address}/page{number}.html && test -s chromium{number}.png")


def add_ada(system):
    system.run("useradd", "-m", "-s", "/bin/bash", "ada")
    system.as_ada("mkdir -m 700 .run .ssh")


def work(system, address):
    for number in (1, 2, 3):
        browse(system, address, number)
    system.as_ada("printf 'a,b\\n1,2\\n' > table.csv && timeout 120 soffice --headless --convert-to ods table.csv && test -s table.ods")
    system.as_ada("dbus-run-session -- dconf write /org/example/key 1")
    system.as_ada("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519")
    system.as_ada("gpg --batch --quiet --passphrase '' --quick-generate-key ada@example.org")
    system.as_ada("git config --global user.email ada@example.org && git config --global user.name Ada && git init -q project && cd project && "
                  "echo x > x && git add x && git commit -qm x")


def survey(satchel, device):
    """[(action, path below home, st_mode)] of all that is there."""
    home = device.path("home/ada")
    found = []
    for folder, directories, files in os.walk(home):
        for name in directories + files:
            path = os.path.join(folder, name)
            found.append((satchel.data("explain", path)["action"], os.path.relpath(path, home), os.lstat(path).st_mode))
    return found


def check_survey(device, found):
    bad = [path for action, path, mode in found
           if action in ("sync", "machine") and not stat.S_ISDIR(mode) and (NEVER.search("/" + path) or stat.S_ISSOCK(mode))]
    e2e.check(not bad, f"would be synced and should not: {bad[:20]}")
    kept_out = [path for action, path, mode in found if action in ("local", "discard") and NEVER.search("/" + path)]
    e2e.check(len(kept_out) > 10, f"the search for what must stay found only {kept_out}")
    synced = {path for action, path, _ in found if action == "sync"}
    for pattern in MUST_SYNC:
        paths = [os.path.relpath(path, device.path("home/ada")) for path in glob.glob(device.path("home/ada/" + pattern))]
        e2e.check(any(path in synced for path in paths), f"{pattern} is not synced: {paths}")


def history(device, pattern, table):
    """The pages that a browser's profile remembers."""
    pages = set()
    for database in glob.glob(device.path("home/ada/" + pattern)):
        with tempfile.TemporaryDirectory() as folder:
            for file in glob.glob(database + "*"):
                if not file.endswith("-shm"):
                    shutil.copy(file, folder)
            with contextlib.closing(sqlite3.connect(os.path.join(folder, os.path.basename(database)))) as connection:
                pages |= {row[0].rsplit("/", 1)[1] for row in connection.execute(f"select url from {table} where url like '%/page_.html'")}
    return pages


def check_histories(device, numbers):
    expected = {f"page{number}.html" for number in numbers}
    for pattern, table in ((".mozilla/firefox/*/places.sqlite", "moz_places"), (".config/chromium/Default/History", "urls")):
        e2e.check(history(device, pattern, table) == expected, f"{pattern}: {history(device, pattern, table)}, expected {expected}")


def test():
    with e2e.scratch("satchel-desktop.", where="/var/tmp") as folder, page_server() as address:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        repository = debian_view.make_debian_world(satchel, folder)
        first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
        try:
            first.mount()
            with debian_view.System(first) as system:
                system.install(PACKAGES)
                add_ada(system)
                work(system, address)
                found = survey(satchel, first)
                system.as_ada("gpgconf --kill all")
            print(f"{len(found)} paths: " + ", ".join(f"{sum(1 for a, _, _ in found if a == action)} {action}"
                                                      for action in sorted({action for action, _, _ in found})))
            check_survey(first, found)
            check_histories(first, (1, 2, 3))
            first.synced()
            second.mount()
            for action, path, mode in found:
                if stat.S_ISREG(mode) and action in ("local", "discard"):
                    e2e.check(not os.path.lexists(second.path("home/ada/" + path)), f"{path} has travelled")
            with debian_view.System(second) as system:
                browse(system, address, 4)
                system.as_ada("git -C project log --oneline && ssh-keygen -y -f .ssh/id_ed25519 && gpg --list-secret-keys ada@example.org")
                system.as_ada("gpgconf --kill all")
            check_histories(second, (1, 2, 3, 4))
            second.synced()
        finally:
            first.tidy()
            second.tidy()


e2e.main(test)
