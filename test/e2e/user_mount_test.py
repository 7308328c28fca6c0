#!/usr/bin/env python3
"""A user without root mounts through fusermount3, works, syncs, recovers from a crash and unmounts.

usage: user_mount_test.py SATCHEL

The test's own part is root's: it makes a mount namespace in which /dev/fuse has the mode that udev gives it, and in which there
is one more account. The user's part is a process of that account alone.
"""

import os
import subprocess
import sys
import time

import satchel_e2e as e2e

UID = 54321


def work(view):
    with open(os.path.join(view, "home/ada/new"), "wb") as out:
        out.write(b"mine")
        out.flush()
        os.fsync(out.fileno())
    with open(os.path.join(view, "etc/base004"), "ab") as out:
        out.write(b"more")
    os.rename(os.path.join(view, "usr/share"), os.path.join(view, "usr/moved"))
    os.symlink("new", os.path.join(view, "home/ada/link"))
    os.link(os.path.join(view, "home/ada/new"), os.path.join(view, "home/ada/second"))
    os.chmod(os.path.join(view, "home/ada/new"), 0o600)
    stat = os.stat(os.path.join(view, "home/ada/second"))
    e2e.check((stat.st_uid, stat.st_gid, stat.st_nlink, stat.st_mode & 0o777) == (UID, UID, 2, 0o600), f"{stat}")
    try:
        os.chown(os.path.join(view, "home/ada/new"), 0, 0)
        raise e2e.Failed("a user gave a file away")
    except PermissionError:
        pass


def as_user(binary, home):
    e2e.become_user(UID, home, "own")
    satchel = e2e.Satchel(binary)
    repository = e2e.make_world(satchel, home)
    view = os.path.join(home, "view")
    os.mkdir(view)
    mount = ("mount", "--repo", repository, "ada", view)
    satchel.run(*mount)
    e2e.check(os.path.isdir(os.path.join(home, ".local/share/satchel/ws/ada")), "the store is in ~/.local/share/satchel")
    work(view)
    pushed = satchel.data("sync", view)
    e2e.check(pushed["result"] == "pushed" and pushed["version"] == 2, f"{pushed}")

    # In use: refused, whoever asks.
    with open(os.path.join(view, "home/ada/new"), "rb"):
        error = satchel.fails(9, "umount", view)
        e2e.check("using" in error["message"], f"{error}")

    # A crash leaves a mount that answers nobody; the next mount takes it away and has what was written.
    with open(os.path.join(view, "home/ada/later"), "wb") as out:
        out.write(b"not synced")
    status = satchel.data("status", view)["mount"]
    e2e.check(status["passthrough"] == "off", f"a user's mount says that it passes through: {status}")
    pid = status["pid"]
    e2e.kill_and_wait(pid)
    satchel.run(*mount)
    with open(os.path.join(view, "home/ada/later"), "rb") as file:
        e2e.check(file.read() == b"not synced", "what was written before the crash")

    start = time.monotonic()
    satchel.run("umount", view)
    e2e.check(time.monotonic() - start < 1.5, f"umount took {time.monotonic() - start:.1f} s")
    e2e.check(not os.listdir(view), "still mounted")
    satchel.run(*mount)
    pid = satchel.data("status", view)["mount"]["pid"]
    satchel.run("umount", "--abort", view)
    e2e.wait_gone(pid)
    e2e.check(not os.listdir(view), "still mounted after --abort")

    other = os.path.join(home, "other")
    os.mkdir(other)
    satchel.run("mount", "--repo", repository, "--store", os.path.join(home, "other.store"), "ada", other)
    with open(os.path.join(other, "home/ada/second"), "rb") as file:
        e2e.check(file.read() == b"mine", "another store shows what was synced")
    e2e.check(os.path.isdir(os.path.join(other, "usr/moved/doc")), "the directory's new name")
    satchel.run("umount", other)


def test():
    with e2e.scratch("satchel-user.") as folder:
        os.chmod(folder, 0o755)
        home = os.path.join(folder, "home")
        os.mkdir(home)
        os.chown(home, UID, UID)
        node = os.path.join(folder, "fuse")
        os.mknod(node, 0o20666, os.stat("/dev/fuse").st_rdev)
        os.chmod(node, 0o666)
        program = os.path.join(folder, "satchel")
        subprocess.check_call(["cp", sys.argv[1], program])  # where the user may read it
        accounts = os.path.join(folder, "passwd")
        with open("/etc/passwd", encoding="utf-8") as known, open(accounts, "w", encoding="utf-8") as out:
            out.write(known.read() + f"satchel-test:x:{UID}:{UID}::{home}:/bin/sh\n")
        os.chmod(accounts, 0o644)
        script = f"mount --bind {node} /dev/fuse && mount --bind {accounts} /etc/passwd && exec python3 {os.path.abspath(__file__)} {program} --as-user {home}"
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], check=False)
        e2e.check(done.returncode == 0, "the user's part failed")


if "--as-user" in sys.argv:
    try:
        as_user(sys.argv[1], sys.argv[3])
    except e2e.Failed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
else:
    e2e.main(test)
