#!/usr/bin/env python3
"""The disk of the store is full, but for blocks that it keeps for others: what is there can be removed, then all goes on.

usage: full_disk_test.py SATCHEL

The mount runs as root without CAP_SYS_RESOURCE, as in a container: free blocks that the filesystem keeps back are no room for it.
"""

import errno
import os
import subprocess
import sys
import time

import satchel_e2e as e2e

FILES = 64
LEFT_BYTES = 512 << 10
XATTR = bytes([ord("a")]) * 60_000


def make_program(folder, satchel):
    path = os.path.join(folder, "satchel")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'#!/bin/sh\nexec setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource "{os.path.abspath(satchel)}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def make_disk(folder):
    """An ext4 of which two fifths are kept for a user who is not there."""
    image, place = os.path.join(folder, "image"), os.path.join(folder, "disk")
    os.makedirs(place)
    with open(image, "wb") as out:
        out.truncate(600 << 20)
    subprocess.check_call(["mkfs.ext4", "-q", "-F", "-m", "40", image])
    subprocess.check_call(["tune2fs", "-u", "54321", image], stdout=subprocess.DEVNULL)
    subprocess.check_call(["mount", "-o", "loop", image, place])
    return place


def fill(device):
    """Bytes, then attributes until there is no room for them either."""
    with open(device.path("home/ada/large"), "wb") as out:
        free = os.statvfs(device.mount_point)
        os.posix_fallocate(out.fileno(), 0, free.f_bavail * free.f_frsize - LEFT_BYTES)
    refused = 0
    for number in range(8 * FILES):
        try:
            os.setxattr(device.path(f"home/ada/file{number % FILES}"), "user.test", XATTR)
        except OSError as error:
            e2e.check(error.errno == errno.ENOSPC, f"setxattr: {error}")
            refused += 1
    e2e.check(refused > 0, "the disk was not filled")


def fill_to_the_last_block(device):
    """The room that names and attributes may not have."""
    with open(device.path("home/ada/large"), "r+b") as out:
        step = 16 << 20
        while step >= 4096:
            try:
                os.posix_fallocate(out.fileno(), os.fstat(out.fileno()).st_size, step)
            except OSError as error:
                e2e.check(error.errno == errno.ENOSPC, f"fallocate: {error}")
                step //= 2


def check_base_is_read(device, golden):
    """What the repository has is shown, though nothing of it can be kept."""
    fill_to_the_last_block(device)
    free = os.statvfs(device.store).f_bavail
    for directory, _, names in os.walk(golden):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as here, open(device.path(os.path.relpath(path, golden)), "rb") as there:
                e2e.check(there.read() == here.read(), f"{path} is shown otherwise")
    e2e.check(free < 16, f"{free} blocks were free: this shows nothing")


def make_when_there_is_room(path):
    """The bytes of a removed file go when the kernel has forgotten it."""
    end = time.monotonic() + 10
    while True:
        try:
            with open(path, "x", encoding="ascii"):
                return
        except OSError as error:
            e2e.check(error.errno == errno.ENOSPC and time.monotonic() < end, f"{path}: {error}")
            time.sleep(0.01)


def check_round(device, golden, last):
    for number in range(FILES):
        with open(device.path(f"home/ada/file{number}"), "x", encoding="ascii"):
            pass
    fill(device)
    check_base_is_read(device, golden)
    for number in range(FILES):
        os.unlink(device.path(f"home/ada/file{number}"))
    os.unlink(device.path("home/ada/large"))
    e2e.check(not os.path.lexists(device.path("home/ada/file0")), "a removed file is there")
    make_when_there_is_room(device.path(f"home/ada/{last}"))


def test():
    with e2e.scratch("satchel-full.") as folder:
        satchel = e2e.Satchel(make_program(folder, sys.argv[1]), {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        disk = make_disk(folder)
        device = e2e.Device(satchel, folder, "device", repository)
        device.store = os.path.join(disk, "store")
        try:
            for last in ("first", "second"):
                device.mount()
                check_round(device, os.path.join(folder, "golden"), last)
                device.umount()
            device.mount()
            names = {name for name in os.listdir(device.path("home/ada")) if not name.startswith("base")}
            e2e.check(names >= {"first", "second"} and not any(name.startswith("file") for name in names), f"{names}")
            device.synced()
            device.umount()
        finally:
            device.tidy()
            subprocess.check_call(["umount", disk])


e2e.main(test)
