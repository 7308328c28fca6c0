#!/usr/bin/env python3
"""A file is replaced by rename, or rewritten from nothing, without fsync; another one is fsynced, or the filesystem commits; the power fails: the bytes are the new ones, or the old ones, never none.

usage: power_cut_replace_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--rounds N] [--seed S] [--skip-fsync POINT]

Nothing of this is acknowledged, but ext4 keeps such files, and programs rely on it. The disk is as in power_cut_test.py. The power fails right after each fsync, and N times anywhere.
--skip-fsync leaves out one step of the program: a cut must then find something missing, else the test fails.
"""

import os
import random
import subprocess
import time

import satchel_e2e as e2e
from logged_disk import test_power_cuts

REPLACED = ("home/ada/base007", "home/ada/replaced")
REWRITTEN = ("home/ada/base011", "home/ada/rewritten")  # what is there between open and close is nobody's promise


def write(path, content, mode="wb", is_synced=False):
    with open(path, mode) as out:
        out.write(content)
        out.flush()
        if is_synced:
            os.fsync(out.fileno())


class Work:
    """Replaces and rewrites; another file is fsynced then, or ext4 alone commits."""

    def prepare(self, golden):
        pass

    def work(self, options, disk, device):
        chooser = random.Random(options.seed)
        contents = {}
        for path in (REPLACED[1], REWRITTEN[1]):
            write(device.path(path), b"old", is_synced=True)
        for path in REPLACED + REWRITTEN:
            contents[path] = e2e.read_or_none(device.path(path))
        subprocess.check_call(["sync", "-f", disk.mount_point])
        self.moments = [(disk.position(), contents)]  # one per fsync of another file
        self.loose = []  # (log position, {path: contents that are allowed}), where ext4 alone has committed
        for _ in range(options.rounds):
            contents = {path: chooser.randbytes(chooser.choice((100, 5_000, 100_000))) for path in REPLACED + REWRITTEN}
            for path in REPLACED:
                write(device.path(path + ".new"), contents[path])
                os.rename(device.path(path + ".new"), device.path(path))
            for path in REWRITTEN:
                write(device.path(path), contents[path])
            time.sleep(0.1)  # until the kernel has forgotten what was replaced, and its bytes go
            write(os.path.join(disk.mount_point, "beside"), b"x", "ab", is_synced=True)
            self.loose.append((disk.position(), {path: [self.moments[-1][1][path], contents[path]] for path in REPLACED}))
            write(device.path("home/ada/other"), b"x", "ab", is_synced=True)
            self.moments.append((disk.position(), contents))

    def cuts(self, options):
        cuts = self.loose + [(position, {path: [content] for path, content in contents.items()}) for position, contents in self.moments]
        chooser = random.Random(options.seed)
        for _ in range(options.cuts):
            number = chooser.randrange(1, len(self.moments))
            (begin, before), (end, after) = self.moments[number - 1], self.moments[number]
            cuts.append((chooser.randrange(begin, end), {path: [before[path], after[path]] for path in REPLACED}))
        return [(cut, options.seed + number, allowed) for number, (cut, allowed) in enumerate(cuts)]

    def check(self, satchel, device, allowed):
        for path, contents in allowed.items():
            found = e2e.read_or_none(device.path(path))
            what = "nothing" if found is None else f"{len(found)} bytes, {found.count(0)} of them zeros"
            e2e.check(found in contents, f"{path} is neither what it was nor what it became: {what}")

    def told(self):
        return f"{len(self.loose)} rounds of files that are replaced and rewritten"


def test():
    test_power_cuts(Work(), cuts=10, rounds=8)


e2e.main(test)
