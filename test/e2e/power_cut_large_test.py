#!/usr/bin/env python3
"""The power fails while a large base file, which is copied block by block, is changed, cut off and completed; nothing that fsync acknowledged may be missing.

usage: power_cut_large_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--seed S] [--skip-fsync POINT]

As power_cut_test.py, with one file. Each change ends with fsync before the next begins, so after a cut the file is as it was after the last acknowledged one, or the next
one has arrived too, in whole or, for a write, in some of its sectors: a filesystem with blocks of 1 KiB may write a page in parts.
"""

import os
import random
import subprocess
import time

import satchel_e2e as e2e
from logged_disk import random_cuts, test_power_cuts

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
    """`found` is `before`, or what `change` makes of it, or some of its sectors; of a new size, those that are cleared behind it in its block come first."""
    if found == before:
        return True
    if change is None:
        return False
    after = change.apply(bytearray(before))
    if found == after:
        return True
    if change.content is None and len(found) == len(before):
        end = min(len(before), -(-change.offset // BLOCK) * BLOCK)
        after = before[:change.offset] + bytes(max(0, end - change.offset)) + before[max(end, change.offset):]
    elif change.content is None or len(found) not in (len(before), len(after)):
        return False
    if len(after) > len(before):
        before = before + bytes(len(after) - len(before))
    return all(found[at:at + SECTOR] in (before[at:at + SECTOR][:len(found) - at], after[at:at + SECTOR][:len(found) - at])
               for at in range(0, len(found), SECTOR))


class Work:
    """Changes of one file, each of them fsynced."""

    def prepare(self, golden):
        make_tree(golden)
        with open(os.path.join(golden, PATH), "rb") as file:
            self.base = file.read()

    def work(self, options, disk, device):
        subprocess.check_call(["sync", "-f", disk.mount_point])
        self.begin = disk.position()
        self.done = []  # (log position before, and when it was acknowledged, the change)
        path = device.path(PATH)
        choice = random.Random(options.seed)
        for number in range(options.rounds):
            for _ in range(choice.randrange(2, 6)):
                change = Change(choice, os.path.getsize(path))
                before = disk.position()
                change.do(path)
                self.done.append((before, disk.position(), change))
            if number % 4 == 1:
                # Read through, so that it is worth completing; from the next open on it is the kernel's.
                with open(path, "rb") as reader:
                    while reader.read(1 << 20):
                        pass
                time.sleep(0.5)
            if number % 4 == 3:
                device.synced()
        self.end = disk.position()

    def cuts(self, options):
        return random_cuts(options, self.begin, self.end)

    def check(self, satchel, device, cut):
        content = bytearray(self.base)
        under_way = None
        for before, acknowledged, change in self.done:
            if acknowledged <= cut:
                content = change.apply(content)
            elif before <= cut:
                under_way = change
        with open(device.path(PATH), "rb") as file:
            found = bytearray(file.read())
        e2e.check(is_allowed(found, content, under_way), f"{PATH} is neither as acknowledged nor as the change under way would make it")
        device.synced()
        e2e.check_repository(satchel, device.repository)

    def told(self):
        return f"{len(self.done)} changes ({(self.end - self.begin) >> 20} MiB of writes)"


def test():
    test_power_cuts(Work(), cuts=60, rounds=12)


e2e.main(test)
