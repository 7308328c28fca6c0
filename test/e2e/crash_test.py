#!/usr/bin/env python3
"""The mount's process is killed -9 at random points; nothing that was completed may be missing afterwards.

usage: crash_test.py SATCHEL [--crashes N] [--seed S]

Two kinds of crash, half each: at the N-th pass of a named point in the code (SATCHEL_FAULT), and at a random time while files are being
changed and synced. After each: remount, every completed operation is there, fsck is clean, the next sync works. At the end a second device shows
the same. Prints how often each point was hit.
"""

import argparse
import collections
import os
import random
import threading
import time

import satchel_e2e as e2e

POINTS = ("upper.create", "upper.open_for_writing", "upper.rename", "upper.copy_up", "upper.base_switch",
          "pack.write", "pack.fsync", "pack.rename", "ref.write", "ref.fsync", "ref.link")
BASE_FILES = ("home/ada/base003", "home/ada/base007", "home/ada/base011", "etc/base004", "etc/base008")


def work_until_dead(device, worker, sync_every, deadline):
    """Works until the mount dies under it; True if it did."""
    end = time.monotonic() + deadline
    try:
        while time.monotonic() < end:
            worker.step()
            if worker.done % sync_every == 0:
                if device.sync(ok=False).returncode != 0:
                    return True
    except OSError:
        return True
    return False


def one_crash(device, worker, chooser, crash, hits):
    point = POINTS[crash // 2 % len(POINTS)] if crash % 2 == 0 else None
    if point:
        device.mount(fault=f"{point}:{chooser.randrange(1, 4 if point.startswith(('ref', 'upper.base')) else 12)}:kill")
    else:
        device.mount()
    pid = device.pid()
    timer = None
    if not point:
        timer = threading.Timer(chooser.uniform(0.05, 0.6), lambda: os.kill(pid, 9))
        timer.start()
    died = work_until_dead(device, worker, sync_every=chooser.randrange(3, 9), deadline=20)
    if timer:
        timer.join()
    e2e.check(died, f"crash {crash} ({point or 'timer'}): the process lived on; the point was never passed")
    e2e.wait_gone(pid)
    hits[point or "random time"] += 1
    device.mount()  # recovers the mount point that the dead process left
    found = e2e.verify(device.mount_point, worker.allowed())
    worker.known.update(found)
    worker.in_flight = {}
    device.synced()
    device.umount()
    e2e.check_repository(device.satchel, device.repository, f"crash {crash} ({point or 'timer'}): ")


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--crashes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SATCHEL_SEED", time.time())))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chooser = random.Random(options.seed)
    hits = collections.Counter()
    with e2e.scratch("satchel-crash.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        first = e2e.Device(satchel, folder, "first", repository)
        second = e2e.Device(satchel, folder, "second", repository)
        try:
            first.mount()
            worker = e2e.Worker(first.mount_point, options.seed, BASE_FILES)
            first.umount()
            for crash in range(options.crashes):
                one_crash(first, worker, chooser, crash, hits)
            first.mount()
            second.mount()
            e2e.verify(first.mount_point, worker.allowed())
            e2e.verify(second.mount_point, worker.allowed())
            difference = e2e.same_trees(first.mount_point, second.mount_point)
            e2e.check(not difference, f"the two devices differ: {difference[:5]}")
        finally:
            first.tidy()
            second.tidy()
    for point, count in sorted(hits.items()):
        print(f"{count:4} {point}")
    print(f"{sum(hits.values())} crashes, {worker.done} operations, nothing lost")


e2e.main(test)
