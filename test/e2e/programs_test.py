#!/usr/bin/env python3
"""Real programs at home in a view: what they leave there is synced if it is the person's, and no lock, socket or cache is.

Runs those of git, ssh-keygen, gpg, gsettings, vim, bash, python3, npm and cargo that the host has, with HOME in a mounted workspace, then
asks the rules about everything that is there, and mounts a second device.

usage: programs_test.py SATCHEL
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import time

import satchel_e2e as e2e

# Names that nobody wants on another device. What matches and is synced is a mistake of the rules.
NEVER = re.compile(r"(\.lock|\.pid|\.sock|\.socket|\.swp|\.tmp|-shm|random_seed|tmp_obj_\w+)$|/S\.|/\.#|/(__pycache__|_cacache|node_modules)/|/\.cache/.")


class Home:
    """A home directory in a view, and programs that live in it."""

    def __init__(self, device):
        self.path = device.path("home/ada")
        self.environment = {"HOME": self.path, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "USER": "ada", "LOGNAME": "ada",
                            "XDG_RUNTIME_DIR": os.path.join(self.path, ".run"), "GNUPGHOME": os.path.join(self.path, ".gnupg")}
        os.makedirs(self.environment["XDG_RUNTIME_DIR"], mode=0o700, exist_ok=True)

    def run(self, *arguments, stdin=None, where=""):
        done = subprocess.run(arguments, env=self.environment, cwd=os.path.join(self.path, where), input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False)
        e2e.check(done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout.decode(errors='replace')[-800:]}")
        return done.stdout.decode(errors="replace")


def run_git(home):
    home.run("git", "config", "--global", "user.email", "ada@example.org")
    home.run("git", "config", "--global", "user.name", "Ada")
    home.run("git", "init", "-q", "project")
    for number in range(3):
        with open(os.path.join(home.path, f"project/file{number}"), "w", encoding="ascii") as out:
            out.write(f"{number}\n" * 1000)
        home.run("git", "add", ".", where="project")
        home.run("git", "commit", "-qm", f"commit {number}", where="project")
    home.run("git", "gc", "-q", where="project")
    # A crash leaves a lock behind.
    open(os.path.join(home.path, "project/.git/index.lock"), "w", encoding="ascii").close()
    return {"project/.git/HEAD": "sync", "project/.git/index.lock": "local", ".gitconfig": "sync"}


def run_ssh_keygen(home):
    os.makedirs(os.path.join(home.path, ".ssh"), mode=0o700)
    home.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(home.path, ".ssh/id_ed25519"))
    with open(os.path.join(home.path, ".ssh/known_hosts"), "w", encoding="ascii") as out:
        out.write("example.org " + open(os.path.join(home.path, ".ssh/id_ed25519.pub"), encoding="ascii").read())
    home.run("ssh-keygen", "-q", "-R", "example.org", "-f", os.path.join(home.path, ".ssh/known_hosts"))
    return {".ssh/id_ed25519": "sync", ".ssh/id_ed25519.pub": "sync", ".ssh/known_hosts": "sync"}


def run_gpg(home):
    os.makedirs(home.environment["GNUPGHOME"], mode=0o700)
    home.run("gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", "--quick-generate-key", "ada@example.org", "ed25519")
    home.run("gpgconf", "--kill", "all")
    return {".gnupg/pubring.kbx": "sync", ".gnupg/trustdb.gpg": "sync"}


def run_gsettings(home):
    home.environment["GSETTINGS_BACKEND"] = "keyfile"
    home.run("gsettings", "list-schemas")
    return {}


def run_vim(home):
    home.run("vim", "-es", "-u", "NONE", "-i", ".viminfo", "-c", "set swapfile | edit note.txt | call setline(1, 'text') | write | wviminfo | quit")
    return {"note.txt": "sync"}


def run_bash(home):
    home.run("bash", "--norc", "-ic", "HISTFILE=$HOME/.bash_history; set -o history; echo one; history -s one; history -w")
    return {".bash_history": "sync"}


def run_python3(home):
    with open(os.path.join(home.path, "module.py"), "w", encoding="ascii") as out:
        out.write("value = 1\n")
    home.run("python3", "-c", "import sys; sys.dont_write_bytecode = False; sys.path.insert(0, ''); import module")
    home.run("python3", "-m", "venv", "--without-pip", "project3/.venv")
    return {"module.py": "sync", "project3/.venv/pyvenv.cfg": "local"}


def run_npm(home):
    os.makedirs(os.path.join(home.path, "web"))
    home.run("npm", "init", "-y", where="web")
    home.run("npm", "config", "set", "fund=false")
    return {"web/package.json": "sync", ".npmrc": "sync"}


def run_cargo(home):
    home.environment["CARGO_HOME"] = os.path.join(home.path, ".cargo")
    home.environment["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))
    home.run("cargo", "new", "--quiet", "--vcs", "none", "rusty")
    return {"rusty/Cargo.toml": "sync"}


PROGRAMS = {"git": run_git, "ssh-keygen": run_ssh_keygen, "gpg": run_gpg, "gsettings": run_gsettings, "vim": run_vim, "bash": run_bash,
            "python3": run_python3, "npm": run_npm, "cargo": run_cargo}


def survey(satchel, device):
    """{path below home: (action, st_mode)} of all that is there."""
    found = {}
    home = device.path("home/ada")
    for folder, directories, files in os.walk(home):
        for name in directories + files:
            path = os.path.join(folder, name)
            rule = satchel.data("explain", path)
            found[os.path.relpath(path, home)] = (rule["action"], os.lstat(path).st_mode)
    return found


def check_survey(found):
    bad = [f"{path}: {action}" for path, (action, mode) in sorted(found.items())
           if action == "sync" and not stat.S_ISDIR(mode) and (NEVER.search("/" + path) or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode))]
    e2e.check(not bad, "would be synced and should not: " + ", ".join(bad[:20]))
    e2e.check(NEVER.search("/x/.git/index.lock") and NEVER.search("/.gnupg/S.gpg-agent") and not NEVER.search("/block.txt"), "the pattern itself")


def test():
    with e2e.scratch("satchel-programs.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        repository = e2e.make_world(satchel, folder)
        first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
        try:
            first.mount()
            home = Home(first)
            expected = {}
            ran = [name for name in PROGRAMS if shutil.which(name)]
            for name in ran:
                expected.update(PROGRAMS[name](home))
            time.sleep(0.5)  # agents that were told to end
            found = survey(satchel, first)
            print(f"ran {' '.join(ran)}; {len(found)} paths")
            check_survey(found)
            for path, action in expected.items():
                e2e.check(path in found, f"{path} was not made")
                e2e.check(found[path][0] == action, f"{path}: {found[path][0]}, expected {action}")
            first.synced()
            second.mount()
            for path, (action, mode) in found.items():
                there = os.path.lexists(second.path("home/ada/" + path))
                if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                    e2e.check(there == (action == "sync"), f"{path} ({action}) is {'' if there else 'not '}on the second device")
            if "git" in ran:
                there = Home(second)
                e2e.check(there.run("git", "log", "--oneline", where="project").count("\n") == 3, "the commits")
                there.run("git", "fsck", "--strict", where="project")
                e2e.check(there.run("git", "status", "--porcelain", where="project") == "", "the work tree is clean")
        finally:
            first.tidy()
            second.tidy()


e2e.main(test)
