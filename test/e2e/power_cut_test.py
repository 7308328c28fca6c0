#!/usr/bin/env python3
"""The power fails at random points; nothing that fsync or sync acknowledged may be missing afterwards.

usage: power_cut_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--seed S] [--skip-fsync POINT]

Store and repository live on an ext4 on a loop device over a file that logs writes and flushes (test/support/write_log_disk.cpp). Work is done once, with a note of
the log's length at each acknowledgement; then the disk is made anew as it may be after N cuts. After each cut: ext4 recovers, the workspace mounts, all that was
acknowledged before the cut is there, fsck is clean, the next sync converges. --skip-fsync leaves out one fsync of the program: a cut must then find something missing, else the test fails.
"""

import subprocess

import satchel_e2e as e2e
from logged_disk import random_cuts, test_power_cuts

BASE_FILES = ("home/ada/base003", "home/ada/base007", "etc/base004")


def allowed_at(moments, start, cut):
    """What each path may hold after a cut: its last acknowledged content, or a later one that was under way or may have reached the disk early."""
    allowed = {path: [content] for path, content in start.items()}
    for position, before, after in moments:
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        for path in changed:
            new = after.get(path)
            if position <= cut:
                allowed[path] = [new]
            else:
                old = before.get(path)
                allowed.setdefault(path, [None])
                allowed[path].append(new)
                allowed[path].append(e2e.Torn(old or b"", new or b""))
                if new is not None or old is not None:
                    allowed[path].append(None if new is None or old is None else new)
    return allowed


class Work:
    """Random work on files, and syncs."""

    def prepare(self, golden):
        pass

    def work(self, options, disk, device):
        worker = self.worker = e2e.Worker(device.mount_point, options.seed, BASE_FILES)
        self.start = dict(worker.known)
        subprocess.check_call(["sync", "-f", disk.mount_point])
        self.begin = disk.position()
        self.moments, self.versions = [], []  # (log position, allowed contents) and (log position, version), whenever something was acknowledged
        for number in range(options.rounds):
            for _ in range(worker.random.randrange(2, 7)):
                before = dict(worker.known)
                worker.step()
                self.moments.append((disk.position(), before, dict(worker.known)))
            if number % 2 == 0:
                version = device.synced()["version"]
                self.versions.append((disk.position(), version))
        self.end = disk.position()

    def cuts(self, options):
        return random_cuts(options, self.begin, self.end)

    def check(self, satchel, device, cut):
        e2e.verify(device.mount_point, allowed_at(self.moments, self.start, cut))
        promised = max((version for position, version in self.versions if position <= cut), default=1)
        log = satchel.data("log", device.repository, "ada")
        newest = max(entry["version"] for entry in log)
        e2e.check(newest >= promised, f"version {promised} was acknowledged, the newest is {newest}")
        device.synced()
        e2e.check(device.synced()["result"] == "none", "the second sync after a cut still finds work")
        e2e.check_repository(satchel, device.repository)

    def told(self):
        return f"{self.worker.done} operations and {len(self.versions)} syncs ({(self.end - self.begin) >> 20} MiB of writes)"


def test():
    test_power_cuts(Work(), cuts=60, rounds=12)


e2e.main(test)
