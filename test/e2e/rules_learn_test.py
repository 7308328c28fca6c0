#!/usr/bin/env python3
"""`rules learn` runs a program in a mount and proposes rules for what it writes, which can be used as they are.

usage: rules_learn_test.py SATCHEL
"""

import json
import os
import signal
import subprocess
import sys
import time

import satchel_e2e as e2e

# A program as many are: settings, a cache, a lock, a socket, a database, a log, a temporary file renamed over its settings.
PROGRAM = """
import os, socket, sqlite3
home = os.path.abspath("home/ada")
own = home + "/.config/noter"
os.makedirs(own + "/Cache/deep")
print("said by the program")
open(own + "/settings.ini", "w").write("x")
for number in range(3):
    open(own + f"/Cache/deep/{number}", "w").write("x" * 1000)
open(own + "/LOCK", "w").close()
socket.socket(socket.AF_UNIX).bind(os.path.relpath(own + "/ctl"))
os.mkfifo(own + "/pipe")
database = sqlite3.connect(own + "/notes.db")
database.execute("pragma journal_mode=wal")
database.execute("create table t (x)")
database.commit()
open(own + "/noter.log", "w").write("x")
for number in range(4):
    open(own + f"/settings.ini.Xy12{number}z", "w").write("y")
    os.rename(own + f"/settings.ini.Xy12{number}z", own + "/settings.ini")
for number in range(30):
    with open(own + "/state", "w") as out:
        out.write("s" * (2 << 20))
os.rename(own + "/Cache", own + "/My Cache")
os.makedirs(home + "/.cache/noter")
open(home + "/.cache/noter/x", "w").write("decided by a shipped rule")
os.unlink(own + "/LOCK")
os._exit(3)
"""

EXPECTED = {
    'local    "~/.config/noter/My Cache/**"': 3,
    "discard  ~/.config/noter/LOCK": 1,
    "discard  ~/.config/noter/ctl": 1,
    "discard  ~/.config/noter/pipe": 1,
    "sync     ~/.config/noter//notes.db{,-wal,-journal} group=notes.db quiesce=sqlite": 3,
    "local    ~/.config/noter/notes.db-shm": 1,
    "local    ~/.config/noter/noter.log": 1,
    "local    ~/.config/noter/settings.ini.??????": 4,
    "local    ~/.config/noter/state": 1,
}


def learn(satchel, device, *arguments):
    """Runs in the mount; returns the process's result."""
    return subprocess.run([satchel.binary, *arguments], env={**os.environ, **satchel.environment}, cwd=device.mount_point, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)


def check_proposals(satchel, device):
    done = learn(satchel, device, "--json", "rules", "learn", "--app", "noter", "--", "python3", "-c", PROGRAM)
    e2e.check(done.returncode == 0, f"{done}")
    e2e.check(b"said by the program" in done.stderr, f"{done.stderr}")
    said = json.loads(done.stdout)
    data = said["data"]
    rules = {rule["rule"]: rule["paths"] for rule in data["rules"]}
    e2e.check(rules == EXPECTED, f"{json.dumps(data, indent=1)}")
    doubtful = [rule["rule"] for rule in data["rules"] if rule["is_doubtful"]]
    e2e.check(doubtful == ["local    ~/.config/noter/state"], f"{doubtful}")
    e2e.check(data["app"] == "noter" and data["exit_code"] == 3 and said["warnings"] == ["the program ended with 3"], f"{said}")
    e2e.check(data["others"] == [{"directory": "~/.config/noter", "paths": 1}] and data["decided"] >= 1, f"{data}")


def check_use(satchel, device, folder):
    """What is proposed can be put in place, and decides; a second run has nothing more to propose."""
    home = device.path("home/ada")
    subprocess.run(["rm", "-r", f"{home}/.config/noter", f"{home}/.cache/noter"], check=True)
    done = learn(satchel, device, "rules", "learn", "--app", "noter", "--", "python3", "-c", PROGRAM)
    e2e.check(done.stdout.startswith(b"satchel-rules 1\n") and b"[app noter]" in done.stdout and b"# local    ~/.config/noter/state\n" in done.stdout,
              f"{done.stdout.decode()}")
    rules = os.path.join(folder, "50-noter.rules")
    with open(rules, "wb") as out:
        out.write(done.stdout)
    satchel.run("rules", "check", "--own", rules)
    os.makedirs(f"{home}/.config/satchel/rules.d")
    with open(f"{home}/.config/satchel/rules.d/50-noter.rules", "wb") as out:
        out.write(done.stdout)
    satchel.run("rules", "reload", device.mount_point)
    for path, action in (("My Cache/deep/0", "local"), ("LOCK", "discard"), ("ctl", "discard"), ("pipe", "discard"), ("notes.db", "sync"),
                         ("notes.db-shm", "local"), ("noter.log", "local"), ("settings.ini", "sync"), ("settings.ini.abcdef", "local"),
                         ("state", "sync")):
        explained = satchel.data("explain", f"{home}/.config/noter/{path}")
        e2e.check(explained["action"] == action, f"{path}: {explained}")
    e2e.check(satchel.data("explain", f"{home}/.config/noter/notes.db-wal")["group"] == "noter/notes.db@/home/ada/.config/noter", "the database's group")
    subprocess.run(["rm", "-r", f"{home}/.config/noter", f"{home}/.cache/noter"], check=True)
    again = json.loads(learn(satchel, device, "--json", "rules", "learn", "--app", "noter", "--", "python3", "-c", PROGRAM).stdout)["data"]
    e2e.check([rule["rule"] for rule in again["rules"]] == ["local    ~/.config/noter/state"], f"{again}")


def check_who_is_seen(satchel, device, folder):
    """All that the mount does is seen while the program runs, nothing before or after; and not what happens elsewhere."""
    with open(device.path("home/ada/before.lock"), "w", encoding="ascii"):
        pass
    script = f"touch {folder}/elsewhere.lock home/ada/during.lock && mkdir home/ada/a && touch home/ada/a/x.lock && mv home/ada/a home/ada/b"
    done = satchel.data("rules", "learn", "--mnt", device.mount_point, "--", "sh", "-c", f"cd {device.mount_point} && {script}")
    e2e.check([rule["rule"] for rule in done["rules"]] == ["discard  ~/b/x.lock", "discard  ~/during.lock"] and done["app"] == "sh", f"{done}")
    done = satchel.data("rules", "learn", "--mnt", device.mount_point, "--", "true")
    e2e.check(done["rules"] == [] and done["others"] == [] and done["paths"] == 0, f"{done}")


def check_errors(satchel, device):
    e2e.check("no/such" in satchel.fails(9, "rules", "learn", "--mnt", device.mount_point, "--", "/no/such")["path"], "the program is named")
    satchel.fails(13, "rules", "learn", "--", "true")
    satchel.fails(2, "rules", "learn", "--mnt", device.mount_point)
    # One that is killed leaves its watch behind; more of them than the mount keeps.
    for _ in range(12):
        learner = subprocess.Popen([satchel.binary, "rules", "learn", "--mnt", device.mount_point, "--", "sleep", "100"],
                                   env={**os.environ, **satchel.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        children = f"/proc/{learner.pid}/task/{learner.pid}/children"
        deadline = time.monotonic() + 20
        while not e2e.read_or_none(children) and time.monotonic() < deadline:
            time.sleep(0.02)
        sleeper = int((e2e.read_or_none(children) or b"0").split()[0])
        learner.kill()
        learner.wait()
        os.kill(sleeper, signal.SIGKILL)
    done = satchel.data("rules", "learn", "--mnt", device.mount_point, "--", "touch", device.path("home/ada/late.pid"))
    e2e.check([rule["rule"] for rule in done["rules"]] == ["discard  ~/late.pid"], f"{done}")


def test():
    with e2e.scratch("satchel-learn.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        e2e.make_base_tree(os.path.join(folder, "golden"))
        device = e2e.Device(satchel, folder, "first", e2e.make_world(satchel, folder))
        try:
            device.mount()
            check_proposals(satchel, device)
            check_use(satchel, device, folder)
            check_who_is_seen(satchel, device, folder)
            check_errors(satchel, device)
        finally:
            device.tidy()


e2e.main(test)
