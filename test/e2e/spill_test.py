#!/usr/bin/env python3
"""Discarded files that scratch memory has no room for: they go on, on the disk, and nobody can find a byte of them there.

Runs in a mount namespace of its own, in which /dev/shm has 4 MiB and the store is on a disk of its own, whose raw bytes are searched
for what was written: while it is mounted, after the unmount and after kill -9.

usage: spill_test.py SATCHEL [--seed N]
"""

import ctypes
import os
import random
import signal
import subprocess
import sys

import satchel_e2e as e2e

TOKEN = b"planted-token-77aa3"
MIB = 1 << 20
CLONE_NEWNS = 0x20000
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace():
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/dev/shm"], check=True)


class Disk:
    """An ext4 on an image file."""

    def __init__(self, folder):
        self.image, self.path = os.path.join(folder, "disk.img"), os.path.join(folder, "disk")
        with open(self.image, "wb") as out:
            out.truncate(200 * MIB)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        os.mkdir(self.path)
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)

    def holds(self, token):
        os.sync()
        return subprocess.run(["grep", "-qaF", token.decode(), self.image], check=False).returncode == 0

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


def used(folder):
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def check_large(device, disk):
    """Files beyond the memory, written in every way; the memory is free again when they have left it."""
    cache, home = device.path("home/ada/.cache"), device.path("home/ada")
    os.makedirs(cache, exist_ok=True)
    content = (TOKEN + b"." * 45) * (10 * MIB // 64)
    with open(f"{cache}/large", "wb") as out:
        for at in range(0, len(content), 100_000):
            out.write(content[at:at + 100_000])
    e2e.check(e2e.read_or_none(f"{cache}/large") == content, "what was written is read")
    e2e.check(used("/dev/shm") < 3 * MIB, f"{used('/dev/shm')} bytes of scratch memory are still used")
    e2e.check(os.stat(f"{cache}/large").st_blocks >= 10 * MIB // 512, f"{os.stat(f'{cache}/large')}")
    with open(f"{cache}/large", "r+b") as out:
        out.seek(5_000_001)
        out.write(TOKEN)
        os.fsync(out.fileno())
    content = content[:5_000_001] + TOKEN + content[5_000_001 + len(TOKEN):]
    e2e.check(e2e.read_or_none(f"{cache}/large") == content, "a change in the middle")

    # A file of the base that does not fit when it is copied up.
    with open(device.path("tmp/of-base"), "ab") as out:
        out.write(TOKEN)
    e2e.check(e2e.read_or_none(device.path("tmp/of-base")) == b"b" * (9 * MIB) + TOKEN, "a large file of the base")
    # A second descriptor, and one without a name.
    reader = os.open(f"{cache}/two", os.O_CREAT | os.O_RDWR)
    writer = os.open(f"{cache}/two", os.O_WRONLY)
    unnamed = os.open(cache, os.O_TMPFILE | os.O_RDWR, 0o600)
    for _ in range(6):
        os.write(writer, TOKEN + bytes(MIB))
        os.write(unnamed, TOKEN + bytes(MIB))
    e2e.check(os.pread(reader, len(TOKEN), 5 * (MIB + len(TOKEN))) == TOKEN and os.pread(unnamed, len(TOKEN), 0) == TOKEN, "open descriptors")
    e2e.check(os.posix_fallocate(unnamed, 0, 20 * MIB) is None and os.fstat(unnamed).st_size == 20 * MIB, "an allocation beyond the memory")
    # Between files that are spilled and such that are not.
    with open(f"{home}/kept", "wb") as out:
        e2e.check(os.copy_file_range(reader, out.fileno(), 3 * MIB) > 0, "out of a spilled file")
    e2e.check(not disk.holds(TOKEN + b"...."), "no byte of the large file is on the disk while it is mounted")
    os.unlink(f"{home}/kept")

    # Out of scratch, with descriptors open: it is a file like others then.
    os.rename(f"{cache}/two", f"{home}/two")
    os.pwrite(writer, b"after", 0)
    e2e.check(os.pread(reader, 10, 0) == b"after" + TOKEN[5:10], "an old descriptor reads what an old descriptor wrote")
    expected = b"after" + (TOKEN + bytes(MIB))[5:] + (TOKEN + bytes(MIB)) * 5
    e2e.check(e2e.read_or_none(f"{home}/two") == expected, "all of it has left scratch")
    for descriptor in (reader, writer, unnamed):
        os.close(descriptor)
    return expected


def check_random(device, folder, maker):
    """The same random calls on a spilled file and on a plain one."""
    plain, spilled = os.path.join(folder, "plain"), device.path("tmp/random")
    descriptors = [os.open(path, os.O_CREAT | os.O_RDWR) for path in (plain, spilled)]
    for step in range(600):
        offset, length = maker.randrange(7 * MIB), maker.randrange(1, 300_000)
        kind = maker.randrange(10)
        for descriptor in descriptors:
            if kind == 0:
                os.ftruncate(descriptor, offset)
            elif kind < 4:
                mode = (PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, KEEP_SIZE)[kind - 1]
                result = libc.fallocate(descriptor, mode, ctypes.c_long(offset), ctypes.c_long(length))
                e2e.check(result == 0, f"step {step}: fallocate {mode}: {os.strerror(ctypes.get_errno())}")
            else:
                e2e.check(os.pwrite(descriptor, random.Random(step).randbytes(length), offset) == length, f"step {step}: a short write")
        size = os.fstat(descriptors[0]).st_size
        e2e.check(size == os.fstat(descriptors[1]).st_size, f"step {step}: sizes differ")
        at = maker.randrange(size + 1)
        e2e.check(os.pread(descriptors[0], 200_000, at) == os.pread(descriptors[1], 200_000, at), f"step {step}: bytes differ at {at}")
    e2e.check(e2e.read_or_none(plain) == e2e.read_or_none(spilled), "all bytes")
    for descriptor in descriptors:
        os.close(descriptor)
    os.unlink(plain)


def test():
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    print(f"seed {seed}")
    enter_namespace()
    with e2e.scratch("satchel-spill.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        golden = os.path.join(folder, "golden")
        e2e.make_base_tree(golden)
        os.makedirs(os.path.join(golden, "tmp"))
        with open(os.path.join(golden, "tmp/of-base"), "wb") as out:
            out.write(b"b" * (9 * MIB))
        disk = Disk(folder)
        device = e2e.Device(satchel, disk.path, "first", e2e.make_world(satchel, folder))
        try:
            device.mount()
            kept = check_large(device, disk)
            check_random(device, folder, random.Random(seed))
            before = used(disk.path)
            with open(device.path("home/ada/.cache/again"), "wb") as out:
                out.write((TOKEN + b"!!!!") * (6 * MIB // 23))
            with_spill = used(disk.path)
            e2e.check(with_spill > before + 5 * MIB, "it is on the disk now")
            os.kill(pid := device.pid(), signal.SIGKILL)
            e2e.wait_gone(pid)
            device.tidy()
            e2e.check(used(disk.path) < with_spill - 5 * MIB, "a killed process leaves its spill behind")
            e2e.check(not disk.holds(TOKEN + b"!!!!"), "a byte is on the disk after kill -9")
            device.mount()
            e2e.check(os.listdir(device.path("home/ada/.cache")) == [], "it is gone after a crash")
            with open(device.path("home/ada/.cache/more"), "wb") as out:
                out.write((TOKEN + b"????") * (6 * MIB // 23))
            device.umount()
            e2e.check(not disk.holds(TOKEN + b"????"), "a byte is on the disk after the unmount")
            with open(os.path.join(disk.path, "control"), "wb") as out:
                out.write(kept[:100])
            e2e.check(disk.holds(kept[5:len(TOKEN)]), "the search finds what is there")
        finally:
            device.tidy()
            disk.close()


e2e.main(test)
