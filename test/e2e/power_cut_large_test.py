#!/usr/bin/env python3
"""The power fails while a large base file, which is copied block by block, is changed, cut off and completed; nothing that fsync acknowledged may be missing.

usage: power_cut_large_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--seed S] [--skip-fsync POINT]

As power_cut_test.py, with one file. Each change ends with fsync before the next begins, so after a cut the file is as it was after the last acknowledged one, or the next
one has arrived too, in whole or, for a write, in some of its sectors: a filesystem with blocks of 1 KiB may write a page in parts.
"""

import argparse
import os
import random
import subprocess
import time

import satchel_e2e as e2e
from logged_disk import LoggedDisk, disk_after_cut

BLOCK = 4096
SECTOR = 512  # what a disk writes whole
SIZE = (64 << 20) + 3 * BLOCK  # beyond the size from which files are copied block by block
PATH = "data/large"


def make_tree(folder):
    """One file, mostly holes."""
    os.makedirs(os.path.join(folder, "data"))
    with open(os.path.join(folder, PATH), "wb") as out:
        for start in range(0, SIZE, 8 << 20):
            out.seek(start)
            out.write(os.urandom(1 << 18))
        out.truncate(SIZE)


class Change:
    """A write of `content` at `offset`, or without content a new size."""

    def __init__(self, choice, size):
        self.content = None
        self.offset = choice.randrange(SIZE // 2, SIZE)
        if choice.random() < 0.8:
            self.content = choice.randbytes(choice.choice((100, BLOCK, 5 * BLOCK)))
            self.offset = choice.randrange(size)

    def do(self, path):
        with open(path, "r+b") as out:
            if self.content is None:
                out.truncate(self.offset)
            else:
                os.pwrite(out.fileno(), self.content, self.offset)
            os.fsync(out.fileno())

    def apply(self, content):
        if self.content is None:
            del content[self.offset:]
            content.extend(bytes(self.offset - len(content)))
        else:
            content.extend(bytes(max(0, self.offset + len(self.content) - len(content))))
            content[self.offset:self.offset + len(self.content)] = self.content
        return content


def is_allowed(found, before, change):
    """`found` is `before`, or what `change` makes of it, or for a write some of its sectors."""
    if found == before:
        return True
    if change is None:
        return False
    after = change.apply(bytearray(before))
    if found == after:
        return True
    if change.content is None or len(found) not in (len(before), len(after)):
        return False
    if len(after) > len(before):
        before = before + bytes(len(after) - len(before))
    return all(found[at:at + SECTOR] in (before[at:at + SECTOR][:len(found) - at], after[at:at + SECTOR][:len(found) - at])
               for at in range(0, len(found), SECTOR))


def do_work(disk, device, choice, rounds):
    """[(log position before, and when it was acknowledged, the change)]."""
    path = device.path(PATH)
    done = []
    for number in range(rounds):
        for _ in range(choice.randrange(2, 6)):
            change = Change(choice, os.path.getsize(path))
            before = disk.position()
            change.do(path)
            done.append((before, disk.position(), change))
        if number % 4 == 1:
            # Read through, so that it is worth completing; from the next open on it is the kernel's.
            with open(path, "rb") as reader:
                while reader.read(1 << 20):
                    pass
            time.sleep(0.5)
        if number % 4 == 3:
            device.synced()
    return done


def check_cut(options, folder, disk, base, done, cut, seed):
    content = bytearray(base)
    under_way = None
    for before, acknowledged, change in done:
        if acknowledged <= cut:
            content = change.apply(content)
        elif before <= cut:
            under_way = change
    with disk_after_cut(disk, folder, cut, seed) as mount_point:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        device = e2e.Device(satchel, mount_point, "first", os.path.join(mount_point, "repo"))
        try:
            device.mount()
            with open(device.path(PATH), "rb") as file:
                found = bytearray(file.read())
            e2e.check(is_allowed(found, content, under_way), f"{PATH} is neither as acknowledged nor as the change under way would make it")
            device.synced()
            e2e.check_repository(satchel, device.repository)
        finally:
            device.tidy()


def work(options, disk, environment):
    """(the file at the beginning, where the work begins and ends in the log, what was done)."""
    disk.start()
    satchel = e2e.Satchel(options.satchel, environment)
    golden = os.path.join(disk.mount_point, "golden")
    make_tree(golden)
    with open(os.path.join(golden, PATH), "rb") as file:
        base = file.read()
    device = e2e.Device(satchel, disk.mount_point, "first", e2e.make_world(satchel, disk.mount_point))
    try:
        device.mount(fault=environment.get("SATCHEL_FAULT"))
        subprocess.check_call(["sync", "-f", disk.mount_point])
        begin = disk.position()
        done = do_work(disk, device, random.Random(options.seed), options.rounds)
        end = disk.position()
        e2e.kill_and_wait(device.pid())
    finally:
        device.tidy()
    return base, begin, end, done


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("write_log_disk")
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SATCHEL_SEED", time.time())))
    parser.add_argument("--skip-fsync", default="")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with e2e.scratch("satchel-power.", where="/dev/shm") as folder, e2e.scratch("satchel-cut.", where="/dev/shm") as cut_folder:
        environment = {"XDG_CACHE_HOME": os.path.join(folder, "cache")}
        if options.skip_fsync:
            environment["SATCHEL_FAULT"] = options.skip_fsync + ":0:skip"
        disk = LoggedDisk(options.write_log_disk, folder)
        try:
            base, begin, end, done = work(options, disk, environment)
        finally:
            disk.stop()
        chooser = random.Random(options.seed)
        for number in range(options.cuts):
            cut = chooser.randrange(begin, end + 1)
            try:
                check_cut(options, cut_folder, disk, base, done, cut, chooser.randrange(1 << 32))
            except e2e.Failed as failure:
                where = f"cut {number} at byte {cut} of the log (work: {begin}…{end}): {failure}"
                if not options.skip_fsync:
                    raise e2e.Failed(where) from None
                print(f"without {options.skip_fsync}: {where}")
                return
    e2e.check(not options.skip_fsync, f"{options.cuts} power cuts did not find that {options.skip_fsync} was left out")
    print(f"{options.cuts} power cuts over {len(done)} changes ({(end - begin) >> 20} MiB of writes), nothing acknowledged was lost")


e2e.main(test)
