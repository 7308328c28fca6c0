#!/usr/bin/env python3
"""What rules discard lives in memory and is gone at the end of the mount; what they deny cannot be changed.

A token is planted in discarded files in every way that programs write them; no byte of it may ever reach the store or the
repository. Files are moved into and out of scratch while they are open.

usage: discard_test.py SATCHEL
"""

import ctypes
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys

import satchel_e2e as e2e

TOKEN = b"planted-token-5f1c9"
EXCHANGE = 2
SYMLINK_FOLLOW = 0x400


def holds_token(*folders):
    """The files below which the token's bytes are."""
    found = subprocess.run(["grep", "-rlaF", TOKEN.decode(), *folders], stdout=subprocess.PIPE, check=False)
    return found.stdout.decode().splitlines()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)


def expect(device, contents, when):
    for path, content in contents.items():
        found = e2e.read_or_none(device.path(path))
        e2e.check(found == content, f"{when}: {path} holds {found!r:.80}, expected {content!r:.80}")


def exchange(first, second):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, first.encode(), -100, second.encode(), EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def name_unnamed(descriptor, path):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.linkat(-100, f"/proc/self/fd/{descriptor}".encode(), -100, path.encode(), SYMLINK_FOLLOW) != 0:
        raise OSError(ctypes.get_errno(), "linkat")


def plant(device):
    """The ways in which bytes get into discarded files."""
    cache = device.path("home/ada/.cache")
    write(os.path.join(cache, "plain"), TOKEN)
    write(os.path.join(cache, "deep/er/large"), TOKEN * 50_000)
    descriptor = os.open(device.path("tmp"), os.O_TMPFILE | os.O_RDWR, 0o600)
    e2e.write_all(descriptor, TOKEN)
    os.fsync(descriptor)
    name_unnamed(descriptor, device.path("tmp/linked"))
    os.close(descriptor)
    with open(device.path("tmp/synced"), "wb") as out:
        out.write(TOKEN)
        out.flush()
        os.fsync(out.fileno())
    # A file of the base that is changed where it is, and one that is moved there and then changed.
    with open(device.path("tmp/of-base"), "ab") as out:
        out.write(TOKEN)
    shutil.rmtree(device.path("tmp/taken"))
    os.unlink(device.path("tmp/replaced"))
    write(device.path("tmp/replaced/below"), TOKEN)
    os.rename(device.path("home/ada/base003"), os.path.join(cache, "moved"))
    with open(os.path.join(cache, "moved"), "ab") as out:
        out.write(TOKEN)
    with open(os.path.join(cache, "truncated"), "wb") as out:
        out.write(TOKEN)
    os.truncate(os.path.join(cache, "truncated"), 1 << 20)
    with open(os.path.join(cache, "truncated"), "r+b") as out:
        out.seek(500_000)
        out.write(TOKEN)
    with open(os.path.join(cache, "plain"), "rb") as source, open(os.path.join(cache, "copied"), "wb") as out:
        os.copy_file_range(source.fileno(), out.fileno(), len(TOKEN))
    os.symlink("plain", os.path.join(cache, "link"))
    os.mkfifo(os.path.join(cache, "fifo"))


def scratch_folder(device):
    """Other mounts on this machine have theirs."""
    return "/dev/shm/satchel-" + hashlib.sha256(f"{device.store}/ws/{device.user}".encode()).hexdigest()[:32]


def check_nowhere(device, repository):
    device.mount()
    plant(device)
    device.synced()
    e2e.check(os.path.exists(scratch_folder(device)), "scratch memory has another name than is looked for")
    e2e.check(holds_token(device.path("home/ada/.cache"), device.path("tmp")), "the search finds the token in the view")
    e2e.check(holds_token(device.store, repository) == [], "the token is on disk while mounted")
    device.umount()
    e2e.check(holds_token(device.store, repository) == [], "the token is on disk after unmounting")
    e2e.check(not os.path.exists(scratch_folder(device)), "scratch memory is left behind")
    device.mount()
    e2e.check(os.listdir(device.path("home/ada/.cache")) == [], f"{os.listdir(device.path('home/ada/.cache'))}")
    e2e.check(sorted(os.listdir(device.path("tmp"))) == ["of-base", "replaced", "taken"], f"{os.listdir(device.path('tmp'))}")
    expect(device, {"tmp/of-base": b"base", "tmp/taken/away": b"base", "tmp/replaced": b"base"}, "the base is seen again")
    e2e.check(os.stat(device.path("tmp")).st_nlink == 3, f"{os.stat(device.path('tmp')).st_nlink} links of a directory with one in it")


def check_moves(device, second):
    """Out of scratch and into it, with descriptors open: nothing is lost, and what is out is kept."""
    cache, home = device.path("home/ada/.cache"), device.path("home/ada")
    write(f"{cache}/f", b"one ")
    descriptor = os.open(f"{cache}/f", os.O_RDWR | os.O_APPEND)
    reader = os.open(f"{cache}/f", os.O_RDONLY)
    os.rename(f"{cache}/f", f"{home}/f")
    os.write(descriptor, b"two")
    e2e.check(os.pread(reader, 100, 0) == b"one two", "an old descriptor reads what an old descriptor wrote")
    os.fsync(descriptor)

    write(f"{cache}/tree/a", b"a")
    write(f"{cache}/tree/sub/b", b"b" * 200_000)
    held = os.open(f"{cache}/tree/sub/b", os.O_RDWR)
    os.rename(f"{cache}/tree", f"{home}/tree")
    os.pwrite(held, b"B", 0)
    write(f"{home}/tree/sub/after", b"after")

    write(f"{home}/in", b"in")
    inside = os.open(f"{home}/in", os.O_RDWR)
    os.rename(f"{home}/in", f"{cache}/in")
    os.pwrite(inside, b"IN", 0)
    expect(device, {"home/ada/.cache/in": b"IN"}, "moved in")

    write(f"{cache}/x", b"from cache")
    write(f"{home}/x", b"from home")
    exchange(f"{cache}/x", f"{home}/x")

    write(f"{cache}/h", b"hard")
    os.link(f"{cache}/h", f"{home}/h")
    with open(f"{cache}/h", "ab") as out:
        out.write(b" link")

    # One name of a base file is discarded; what is written by the other is not.
    base = e2e.read_or_none(f"{home}/base007")
    os.link(f"{home}/base007", f"{cache}/of-base")
    with open(f"{home}/base007", "ab") as out:
        out.write(b" and more")

    write(f"{cache}/target", b"new")
    write(f"{home}/target", b"old")
    os.rename(f"{cache}/target", f"{home}/target")
    write(f"{cache}/sparse", b"")
    os.truncate(f"{cache}/sparse", 5 << 20)
    os.rename(f"{cache}/sparse", f"{home}/sparse")
    for open_one in (descriptor, reader, held, inside):
        os.close(open_one)

    kept = {"home/ada/f": b"one two", "home/ada/tree/a": b"a", "home/ada/tree/sub/b": b"B" + b"b" * 199_999,
            "home/ada/tree/sub/after": b"after",
            "home/ada/x": b"from cache", "home/ada/h": b"hard link", "home/ada/target": b"new", "home/ada/sparse": bytes(5 << 20),
            "home/ada/base007": base + b" and more"}
    expect(device, {**kept, "home/ada/.cache/x": b"from home", "home/ada/.cache/h": b"hard link"}, "after the moves")
    pid = device.pid()
    os.kill(pid, signal.SIGKILL)
    e2e.wait_gone(pid)
    device.tidy()
    device.mount()
    expect(device, {**kept, "home/ada/in": None, "home/ada/.cache/x": None, "home/ada/.cache/h": None}, "after a crash")
    e2e.check(os.listdir(cache) == [], f"after a crash: {os.listdir(cache)}")
    e2e.check(os.stat(f"{home}/h").st_nlink == 1, "the discarded name still counts")
    device.synced()
    second.mount()
    second.synced()
    expect(second, {**kept, "home/ada/in": None}, "on the second device")
    device.umount()
    device.mount()
    expect(device, kept, "mounted again")


def check_reload(satchel, device):
    """Rules that no longer discard a path keep what is there."""
    cache = device.path("home/ada/.cache")
    write(f"{cache}/app/kept", b"kept")
    write(f"{cache}/gone", b"gone")
    descriptor = os.open(f"{cache}/app/kept", os.O_RDWR)
    rules = device.path("home/ada/.config/satchel/rules.d/80-x.rules")
    write(rules, b"satchel-rules 1\n[default]\nsync $XDG_CACHE_HOME/app/** class=sysdata\n")
    satchel.run("rules", "reload", device.mount_point)
    os.pwrite(descriptor, b"KEPT", 0)
    os.close(descriptor)
    device.synced()
    device.umount()
    device.mount()
    expect(device, {"home/ada/.cache/app/kept": b"KEPT", "home/ada/.cache/gone": None}, "after a reload")
    os.unlink(rules)
    satchel.run("rules", "reload", device.mount_point)


def check_deny(satchel, device):
    """What rules deny cannot be made, changed, moved or removed, and the log says by which rule."""
    boot = device.path("boot")

    def denied(what, action):
        try:
            action()
        except OSError as error:
            e2e.check(error.errno == errno.EPERM, f"{what}: {error}")
            return
        raise e2e.Failed(f"{what} was not denied")

    write(device.path("home/ada/kernel"), b"k")
    denied("create", lambda: write(f"{boot}/new", b""))
    denied("mkdir", lambda: os.mkdir(f"{boot}/new"))
    denied("symlink", lambda: os.symlink("x", f"{boot}/new"))
    denied("mknod", lambda: os.mkfifo(f"{boot}/new"))
    denied("link", lambda: os.link(device.path("home/ada/kernel"), f"{boot}/new"))
    denied("rename to", lambda: os.rename(device.path("home/ada/kernel"), f"{boot}/new"))
    denied("rename from", lambda: os.rename(f"{boot}/vmlinuz", device.path("home/ada/taken")))
    denied("rename over", lambda: os.rename(device.path("home/ada/kernel"), f"{boot}/vmlinuz"))
    denied("exchange", lambda: exchange(device.path("home/ada/kernel"), f"{boot}/vmlinuz"))
    denied("write", lambda: os.close(os.open(f"{boot}/vmlinuz", os.O_WRONLY)))
    denied("truncate", lambda: os.truncate(f"{boot}/vmlinuz", 0))
    denied("chmod", lambda: os.chmod(f"{boot}/vmlinuz", 0o600))
    denied("utime", lambda: os.utime(f"{boot}/vmlinuz"))
    denied("setxattr", lambda: os.setxattr(f"{boot}/vmlinuz", "user.x", b"1"))
    denied("unlink", lambda: os.unlink(f"{boot}/vmlinuz"))
    denied("rmdir", lambda: os.rmdir(f"{boot}/grub"))
    expect(device, {"boot/vmlinuz": b"kernel", "home/ada/kernel": b"k"}, "after what was denied")
    e2e.check(sorted(os.listdir(boot)) == ["grub", "vmlinuz"], f"{os.listdir(boot)}")
    log = subprocess.run(["grep", "-rh", "denied by rule", device.store], stdout=subprocess.PIPE, check=False).stdout.decode()
    e2e.check(log.count("rule=50-system.rules:") >= 16 and "vmlinuz" not in log, f"{log}")

    # A file that was changed before a rule denied it.
    write(device.path("home/ada/sealed"), b"old")
    writer = os.open(device.path("home/ada/sealed"), os.O_WRONLY)
    rules = device.path("home/ada/.config/satchel/rules.d/81-x.rules")
    write(rules, b"satchel-rules 1\n[default]\ndeny ~/sealed\n")
    satchel.run("rules", "reload", device.mount_point)
    denied("write what was changed before", lambda: os.close(os.open(device.path("home/ada/sealed"), os.O_WRONLY)))
    denied("truncate what was changed before", lambda: os.truncate(device.path("home/ada/sealed"), 0))
    denied("chmod what was changed before", lambda: os.chmod(device.path("home/ada/sealed"), 0o600))
    os.write(writer, b"new")
    os.close(writer)
    expect(device, {"home/ada/sealed": b"new"}, "an open descriptor goes on")
    os.unlink(rules)
    satchel.run("rules", "reload", device.mount_point)
    write(device.path("home/ada/sealed"), b"unsealed")


def test():
    with e2e.scratch("satchel-discard.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        golden = os.path.join(folder, "golden")
        e2e.make_base_tree(golden)
        for path, content in (("boot/vmlinuz", b"kernel"), ("tmp/of-base", b"base"), ("tmp/taken/away", b"base"),
                              ("tmp/replaced", b"base")):
            write(os.path.join(golden, path), content)
        for path in ("boot/grub", "home/ada/.cache"):
            os.makedirs(os.path.join(golden, path))
        repository = e2e.make_world(satchel, folder)
        device = e2e.Device(satchel, folder, "first", repository)
        second = e2e.Device(satchel, folder, "second", repository)
        try:
            check_nowhere(device, repository)
            check_moves(device, second)
            check_reload(satchel, device)
            check_deny(satchel, device)
        finally:
            device.tidy()
            second.tidy()
        shutil.rmtree(golden)


e2e.main(test)
