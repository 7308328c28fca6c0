#!/usr/bin/env python3
"""What the kernel writes by itself reaches the next sync: also through a mapping, after the file was closed and after a sync.

usage: mapped_file_test.py SATCHEL
"""

import mmap
import os
import sys

import satchel_e2e as e2e

BYTES = 100_000


class Mapping:
    """A shared mapping that does not keep the file open: mmap.mmap holds a descriptor of its own, so it is closed by its number."""

    def __init__(self, path):
        before = set(os.listdir("/proc/self/fd"))
        descriptor = os.open(path, os.O_RDWR)
        self.page = mmap.mmap(descriptor, 4096)
        os.close(descriptor)
        for number in set(os.listdir("/proc/self/fd")) - before:
            if os.path.exists(f"/proc/self/fd/{number}") and os.readlink(f"/proc/self/fd/{number}") == path:
                os.close(int(number))
        e2e.check(not any(link == path for link in links()), f"{path} is still open")

    def store(self, at, content):
        self.page[at : at + len(content)] = content


def links():
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue


def check_second(first, second, path, expected, when):
    first.synced()
    second.synced()
    found = e2e.read_or_none(second.path(path))
    e2e.check(found == expected, f"{when}: the second device has {found[:40] if found else found!r}…, expected {expected[:40]!r}…")


def run(satchel, folder, repository):
    first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
    try:
        first.mount()
        second.mount()
        status = satchel.data("status", first.mount_point)
        e2e.check(status["mount"]["passthrough"] == "on", f"root's mount does not pass through: {status['mount']}")
        path = "home/mapped"
        os.makedirs(first.path("home"), exist_ok=True)
        content = bytearray(os.urandom(BYTES))
        with open(first.path(path), "wb") as out:
            out.write(content)
        mapping = Mapping(first.path(path))
        check_second(first, second, path, bytes(content), "after the close")
        for turn in range(3):
            content[turn * 10 : turn * 10 + 5] = b"store"
            mapping.store(turn * 10, b"store")
            check_second(first, second, path, bytes(content), f"store {turn} after a sync")
        mapping.page.close()
        content += b"appended"
        with open(first.path(path), "ab") as out:
            out.write(b"appended")
        check_second(first, second, path, bytes(content), "appended by the kernel")
        # Quiet now: the bytes become the base's, and what is read from then on is a verified object.
        first.synced()
        e2e.check(satchel.data("status", first.mount_point)["dirty_files"] == 0, "a quiet file stays changed")
        with open(first.path(path), "rb") as reader, open(first.path(path), "r+b") as writer:
            writer.write(b"again")
            writer.flush()
            content[:5] = b"again"
            e2e.check(reader.read(5) in (b"again", b"store"), "the reader sees neither what is nor what was")
        check_second(first, second, path, bytes(content), "written while somebody read the base's bytes")
        e2e.check_repository(satchel, repository)
    finally:
        first.tidy()
        second.tidy()


def test():
    with e2e.scratch("satchel-mapped.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        run(satchel, folder, repository)


e2e.main(test)
