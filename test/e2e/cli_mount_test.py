#!/usr/bin/env python3
"""Commands that work on a mount: mount, status, explain, sync, umount.

usage: cli_mount_test.py SATCHEL
"""

import errno
import os
import resource
import subprocess
import sys

import satchel_e2e as e2e


def has(data, *keys):
    missing = [key for key in keys if key not in data]
    e2e.check(not missing, f"{missing} missing in {data}")


def check_status(satchel, device):
    status = satchel.data("status", device.mount_point)
    has(status, "state", "base_version", "dirty_files", "conflicts", "mount", "cache", "last")
    has(status["mount"], "pid", "transport", "passthrough", "requests")
    has(status["cache"], "bytes", "bytes_from_repo")
    e2e.check(os.path.exists(f"/proc/{status['mount']['pid']}"), f"{status}")
    return status


def check_explain(satchel, device):
    def explain(path):
        data = satchel.data("explain", device.path(path))
        has(data, "path", "action", "class", "area", "group", "rule", "origin", "layer", "version", "state")
        return data

    base = explain("home/ada/base003")
    e2e.check(base["action"] == "sync" and base["area"] == "data" and base["layer"] == "os/golden" and base["state"] == "synced", f"{base}")
    with open(device.path("home/ada/new"), "w", encoding="ascii") as out:
        out.write("x")
    e2e.check(explain("home/ada/new")["state"] == "new, not yet synced", "new file")
    os.chmod(device.path("home/ada/base003"), 0o600)
    e2e.check(explain("home/ada/base003")["state"] == "changed, not yet synced", "changed file")
    e2e.check(explain("tmp/nothing")["action"] == "discard", "local path")
    e2e.check(explain("usr/bin/absent")["state"] == "absent", "absent path")
    device.synced()
    mine = explain("home/ada/base003")
    e2e.check(mine["layer"] == "data" and mine["version"] == "ada@2" and mine["state"] == "synced", f"{mine}")
    satchel.fails(13, "explain", "/etc/passwd")


def check_explained_attributes(satchel, device):
    """user.satchel.* says what `explain` says, of any path and after any rename; nothing lists, copies or sets it."""
    home = device.path("home/ada")

    def attributes(path):
        found = {}
        for key in ("class", "rule", "group", "layer", "version", "state"):
            try:
                found[key] = os.getxattr(path, f"user.satchel.{key}", follow_symlinks=False).decode()
            except OSError as error:
                e2e.check(error.errno == errno.ENODATA, f"{path} {key}: {error}")
                found[key] = None
        return found

    def check(path):
        said = satchel.data("explain", path)
        expected = {key: said[key] for key in ("class", "group", "layer", "version", "state")}
        expected["rule"] = f"{said['origin']}: {said['rule']}"
        e2e.check(attributes(path) == expected, f"{path}: {attributes(path)}, and explain says {expected}")
        return expected

    os.makedirs(f"{home}/.config/editor", exist_ok=True)
    os.makedirs(f"{home}/p/.git")
    for name in ("first-name", ".config/editor/settings", "p/.git/HEAD"):
        with open(f"{home}/{name}", "w", encoding="ascii") as out:
            out.write("x")
    os.rename(f"{home}/first-name", f"{home}/.config/editor/second")
    for path in (home, device.mount_point, f"{home}/base007", f"{home}/.config/editor/settings", f"{home}/.config/editor/second",
                 f"{home}/p/.git/HEAD", f"{home}/p/.git", device.path("usr/bin"), device.path("etc/base000"),
                 device.path("etc/linked")):
        check(path)
    e2e.check(attributes(f"{home}/.config/editor/second")["class"] == "sysdata", "the path that it was renamed to counts")
    e2e.check(attributes(f"{home}/p/.git/HEAD")["group"] == "git/repo@/home/ada/p/.git", "the group")
    os.setxattr(f"{home}/p/.git/HEAD", "user.mine", b"1")
    e2e.check(os.listxattr(f"{home}/p/.git/HEAD") == ["user.mine"], f"{os.listxattr(f'{home}/p/.git/HEAD')}")
    copy = os.path.join(os.path.dirname(device.mount_point), "copy")
    subprocess.run(["cp", "-a", f"{home}/p/.git/HEAD", copy], check=True)
    e2e.check(not any(name.startswith("user.satchel.") for name in os.listxattr(copy)), f"{os.listxattr(copy)}")
    for name in ("user.satchel.state", "user.satchel.other"):
        try:
            os.setxattr(f"{home}/p/.git/HEAD", name, b"x")
            raise e2e.Failed(f"{name} could be set")
        except OSError as error:
            e2e.check(error.errno == errno.EPERM, f"{name}: {error}")
    try:
        os.getxattr(f"{home}/p/.git/HEAD", "user.satchel.other")
        raise e2e.Failed("an unknown attribute has a value")
    except OSError as error:
        e2e.check(error.errno == errno.ENODATA, f"{error}")
    device.synced()
    e2e.check(check(f"{home}/p/.git/HEAD")["state"] == "synced", "after a sync")


def check_conflict(satchel, first, second):
    for device in (first, second):
        with open(device.path("home/ada/base003"), "w", encoding="ascii") as out:
            out.write(device.name)
    first.synced()
    done = second.sync(ok=False)
    e2e.check(done.returncode == 4, f"a conflict ends with 4, not {done.returncode}: {done.stdout}")
    status = check_status(satchel, second)
    e2e.check(status["conflicts"] == 1, f"{status}")
    with open(second.path("home/ada/base003"), encoding="ascii") as file:
        e2e.check(file.read() == first.name, "the committed content stays")


def check_image(satchel, folder, repository):
    place = os.path.join(folder, "image.view")
    os.makedirs(place)
    store = os.path.join(folder, "image.store")
    satchel.run("mount", "--repo", repository, "--store", store, "--image", "lab@1", place)
    try:
        e2e.check(os.path.exists(os.path.join(place, "home/ada/base003")), "the image shows its files")
        try:
            with open(os.path.join(place, "x"), "w", encoding="ascii"):
                raise e2e.Failed("an image mount took a write")
        except OSError:
            pass
        e2e.check(satchel.data("status", place)["state"] == "read-only", "status of an image")
        e2e.check(satchel.run("sync", place, ok=False).returncode != 0, "an image has nothing to sync")
    finally:
        satchel.run("umount", place)


def check_foreground(satchel, device):
    process = subprocess.Popen([satchel.binary, "mount", "--foreground", "--repo", device.repository, "--store", device.store, device.user,
                                device.mount_point], stderr=subprocess.PIPE, env=dict(os.environ, **satchel.environment, **device.identity))
    try:
        for _ in range(200):
            # The kernel shows a mount a moment before its process can be asked.
            if device.is_mounted() and satchel.run("status", device.mount_point, ok=False).returncode == 0:
                break
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise e2e.Failed(f"mount --foreground ended: {process.stderr.read()}")
        e2e.check(check_status(satchel, device)["mount"]["pid"] == process.pid, "the process itself serves the mount")
        process.terminate()
        e2e.check(process.wait(timeout=30) == 0, "SIGTERM unmounts and ends with 0")
        e2e.check(not device.is_mounted(), "still mounted after SIGTERM")
    finally:
        process.kill()
        process.wait()


def check_mounted_again(device):
    """umount(8) returns before the process has ended, and a mount may follow at once."""
    for number in range(10):
        device.mount()
        with open(device.path(f"home/ada/again{number}"), "wb") as out:
            out.write(bytes(100_000))
        subprocess.run(["umount", device.mount_point], check=True)
    device.mount()
    for number in range(10):
        e2e.check(os.path.getsize(device.path(f"home/ada/again{number}")) == 100_000, f"file {number}")
    device.umount()


def check_few_descriptors(satchel, folder):
    """Contents that were read stay open for the next reader, whatever a process starts with."""
    few, files = 256, 400
    tree = os.path.join(folder, "large")
    os.makedirs(tree)
    for number in range(files):
        with open(os.path.join(tree, str(number)), "wb") as out:
            out.write(os.urandom(17 << 10))  # above what is kept as a value in the metadata
    folder = os.path.join(folder, "few")
    os.makedirs(folder)
    repository = os.path.join(folder, "repo")
    satchel.run("init", repository)
    satchel.run("import", repository, "os/large", "--from", tree)
    satchel.run("image", "create", repository, "large", "--layer", "os/large@1")
    satchel.run("workspace", "create", repository, "ada", "--image", "large@1")
    device = e2e.Device(satchel, folder, "few", repository)
    at_most, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    try:
        device.mount()
        for number in range(files):
            with open(device.path(str(number)), "rb") as shown, open(os.path.join(tree, str(number)), "rb") as imported:
                e2e.check(shown.read() == imported.read(), f"file {number}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (at_most, most))
        device.tidy()


def test():
    with e2e.scratch("satchel-clim.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        first = e2e.Device(satchel, folder, "first", repository)
        second = e2e.Device(satchel, folder, "second", repository)
        try:
            first.mount()
            status = check_status(satchel, first)
            e2e.check(status["state"] == "synced" and status["base_version"] == 1 and status["last"] is None, f"{status}")
            none = first.synced()
            has(none, "result", "version", "conflicts", "last")
            e2e.check(none["result"] == "none" and none["version"] == 1, f"{none}")
            check_explain(satchel, first)
            check_explained_attributes(satchel, first)
            second.mount()
            e2e.check(second.synced()["result"] == "none", "a fresh mount stands on the newest version")
            check_conflict(satchel, first, second)
            e2e.check(satchel.run("status", first.mount_point).stdout.count(b"\n") == 2, "status for people")
            second.umount()
            first.umount()
            check_foreground(satchel, first)
            check_mounted_again(first)
            check_image(satchel, folder, repository)
            check_few_descriptors(satchel, folder)
        finally:
            first.tidy()
            second.tidy()


e2e.main(test)
