#!/usr/bin/env python3
"""Two people on one host, each with a mount of the same image: neither sees or can reach what is the other's.

usage: two_users_test.py SATCHEL

The test's own part is root's: it makes a mount namespace with two more accounts, in which /dev/fuse has the mode that udev gives it.
Each person is processes of their own account.
"""

import glob
import os
import shutil
import subprocess
import sys
import traceback

import satchel_e2e as e2e

PEOPLE = {"ada": 54321, "bob": 54322}
SECRET = b"for nobody else"


def person_does(user, home, action):
    """Runs action() in a process of the person; a failure is one of the test."""
    child = os.fork()
    if child == 0:
        try:
            e2e.become_user(PEOPLE[user], home, user)
            action()
            os._exit(0)
        except BaseException as failure:  # whatever it is, it ends here
            traceback.print_exception(failure)
            os._exit(1)
    e2e.check(os.waitpid(child, 0)[1] == 0, f"{user}'s part failed")


def begin(satchel, user, home):
    view = os.path.join(home, "view")
    os.mkdir(view)
    satchel.run("mount", "--repo", os.path.join(home, "repo"), user, view)
    for path in (f"home/{user}/mine", f"home/{user}/.cache/mine", "etc/of-" + user):
        os.makedirs(os.path.dirname(os.path.join(view, path)), exist_ok=True)
        with open(os.path.join(view, path), "wb") as out:
            out.write(SECRET + user.encode())


def refused(what, action):
    try:
        result = action()
    except OSError:
        return
    raise e2e.Failed(f"{what} was allowed: {result!r:.100}")


def look_for(satchel, user, home, other, other_home):
    """What `user` sees of `other`: nothing in the own view, and no way into the other's."""
    view, theirs = os.path.join(home, "view"), os.path.join(other_home, "view")
    with open(os.path.join(view, f"home/{user}/mine"), "rb") as file:
        e2e.check(file.read() == SECRET + user.encode(), "the own file")
    e2e.check(not os.path.exists(os.path.join(view, f"home/{other}/mine")) and not os.path.exists(os.path.join(view, "etc/of-" + other)),
              f"{other}'s files are in the view of {user}")
    refused("listing the other's view", lambda: os.listdir(theirs))
    refused("looking at the other's view", lambda: os.stat(os.path.join(theirs, "etc")))
    refused("reading in the other's view", lambda: open(os.path.join(theirs, f"home/{other}/mine"), "rb").read())
    store = os.path.join(other_home, ".local/share/satchel")
    for folder in ("ws/" + other, f"ws/{other}/upper", f"ws/{other}/meta"):
        refused(f"listing the other's {folder}", lambda folder=folder: os.listdir(os.path.join(store, folder)))
    refused("the other's control socket", lambda: os.stat(os.path.join(store, "ws", other, "control.sock")))
    e2e.check(satchel.run("umount", theirs, ok=False).returncode != 0, "the other's mount was taken away")
    folders = glob.glob("/dev/shm/satchel-*")
    owned = [folder for folder in folders if os.stat(folder).st_uid == PEOPLE[other]]
    e2e.check(len(owned) == 1, f"the other's scratch memory: {folders}")
    refused("the other's scratch memory", lambda: os.listdir(owned[0]))


def inside(binary, folder):
    satchel = e2e.Satchel(binary, {"SATCHEL_RULES": os.path.join(folder, "none")})
    homes = {user: os.path.join(folder, user) for user in PEOPLE}
    world = os.path.join(folder, "world")
    os.mkdir(world)
    golden = os.path.join(world, "golden")
    e2e.make_base_tree(golden)
    os.chmod(os.path.join(golden, "etc"), 0o777)
    for user, uid in PEOPLE.items():
        os.makedirs(os.path.join(golden, "home", user), exist_ok=True)
        os.chown(os.path.join(golden, "home", user), uid, uid)
    repository = e2e.make_world(satchel, world)
    satchel.run("workspace", "create", repository, "bob", "--image", "lab@1")
    for user, home in homes.items():
        os.mkdir(home)
        shutil.copytree(repository, os.path.join(home, "repo"))
        subprocess.run(["chown", "-R", f"{PEOPLE[user]}:{PEOPLE[user]}", home], check=True)
    try:
        for user, home in homes.items():
            person_does(user, home, lambda user=user, home=home: begin(satchel, user, home))
        for user, other in (("ada", "bob"), ("bob", "ada")):
            person_does(user, homes[user],
                        lambda user=user, other=other: look_for(satchel, user, homes[user], other, homes[other]))
        for user, home in homes.items():
            person_does(user, home, lambda home=home: satchel.run("umount", os.path.join(home, "view")))
    finally:
        for home in homes.values():
            subprocess.run(["umount", "-l", os.path.join(home, "view")], stderr=subprocess.DEVNULL, check=False)


def test():
    with e2e.scratch("satchel-users.") as folder:
        os.chmod(folder, 0o755)
        node = os.path.join(folder, "fuse")
        os.mknod(node, 0o20666, os.stat("/dev/fuse").st_rdev)
        os.chmod(node, 0o666)
        program = os.path.join(folder, "satchel")
        subprocess.check_call(["cp", sys.argv[1], program])
        accounts = os.path.join(folder, "passwd")
        with open("/etc/passwd", encoding="utf-8") as known, open(accounts, "w", encoding="utf-8") as out:
            out.write(known.read() + "".join(f"satchel-{user}:x:{uid}:{uid}::{folder}/{user}:/bin/sh\n" for user, uid in PEOPLE.items()))
        os.chmod(accounts, 0o644)
        script = (f"mount --bind {node} /dev/fuse && mount --bind {accounts} /etc/passwd && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "
                  f"exec python3 {os.path.abspath(__file__)} {program} --inside {folder}")
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], check=False)
        e2e.check(done.returncode == 0, "a part of the test failed")


if "--inside" in sys.argv:
    try:
        inside(sys.argv[1], sys.argv[3])
    except e2e.Failed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
else:
    e2e.main(test)
