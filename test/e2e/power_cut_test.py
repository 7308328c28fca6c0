#!/usr/bin/env python3
"""The power fails at random points; nothing that fsync or sync acknowledged may be missing afterwards.

usage: power_cut_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--seed S] [--skip-fsync POINT]

Store and repository live on an ext4 on a loop device over a file that logs writes and flushes (test/support/write_log_disk.cpp). Work is done once, with a note of
the log's length at each acknowledgement; then the disk is made anew as it may be after N cuts. After each cut: ext4 recovers, the workspace mounts, all that was
acknowledged before the cut is there, fsck is clean, the next sync converges. --skip-fsync leaves out one fsync of the program: a cut must then find something missing, else the test fails.
"""

import argparse
import os
import random
import subprocess
import time

import satchel_e2e as e2e
from logged_disk import LoggedDisk, disk_after_cut

BASE_FILES = ("home/ada/base003", "home/ada/base007", "etc/base004")


def do_work(disk, device, worker, rounds):
    """Works and syncs; returns [(log position, allowed contents)], one per moment when something was acknowledged."""
    moments = []
    versions = []
    for number in range(rounds):
        for _ in range(worker.random.randrange(2, 7)):
            before = dict(worker.known)
            worker.step()
            moments.append((disk.position(), before, dict(worker.known)))
        if number % 2 == 0:
            versions.append((None, device.synced()["version"]))
            versions[-1] = (disk.position(), versions[-1][1])
    return moments, versions


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


def check_cut(options, folder, disk, moments, versions, start, cut, seed):
    with disk_after_cut(disk, folder, cut, seed) as mount_point:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        device = e2e.Device(satchel, mount_point, "first", os.path.join(mount_point, "repo"))
        try:
            os.makedirs(device.mount_point, exist_ok=True)
            device.mount()
            e2e.verify(device.mount_point, allowed_at(moments, start, cut))
            promised = max((version for position, version in versions if position <= cut), default=1)
            log = satchel.data("log", device.repository, "ada")
            newest = max(entry["version"] for entry in log)
            e2e.check(newest >= promised, f"version {promised} was acknowledged, the newest is {newest}")
            device.synced()
            e2e.check(device.synced()["result"] == "none", "the second sync after a cut still finds work")
            e2e.check_repository(satchel, device.repository)
        finally:
            device.tidy()


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
    with e2e.scratch("satchel-power.", where="/dev/shm") as folder:
        environment = {"XDG_CACHE_HOME": os.path.join(folder, "cache")}
        if options.skip_fsync:
            environment["SATCHEL_FAULT"] = options.skip_fsync + ":0:skip"
        disk = LoggedDisk(options.write_log_disk, folder)
        device = None
        try:
            disk.start()
            satchel = e2e.Satchel(options.satchel, environment)
            repository = e2e.make_world(satchel, disk.mount_point)
            device = e2e.Device(satchel, disk.mount_point, "first", repository)
            device.mount(fault=environment.get("SATCHEL_FAULT"))
            worker = e2e.Worker(device.mount_point, options.seed, BASE_FILES)
            start = dict(worker.known)
            subprocess.check_call(["sync", "-f", disk.mount_point])
            begin = disk.position()
            moments, versions = do_work(disk, device, worker, options.rounds)
            end = disk.position()
            e2e.kill_and_wait(device.pid())
        finally:
            if device:
                device.tidy()
            disk.stop()
        chooser = random.Random(options.seed)
        with e2e.scratch("satchel-cut.", where="/dev/shm") as cut_folder:
            for number in range(options.cuts):
                cut = chooser.randrange(begin, end + 1)
                try:
                    check_cut(options, cut_folder, disk, moments, versions, start, cut, chooser.randrange(1 << 32))
                except e2e.Failed as failure:
                    where = f"cut {number} at byte {cut} of the log (work: {begin}…{end}): {failure}"
                    if not options.skip_fsync:
                        raise e2e.Failed(where) from None
                    print(f"without {options.skip_fsync}: {where}")
                    return
    e2e.check(not options.skip_fsync, f"{options.cuts} power cuts did not find that {options.skip_fsync} was left out")
    print(f"{options.cuts} power cuts over {worker.done} operations and {len(versions)} syncs ({(end - begin) >> 20} MiB of writes), nothing acknowledged was lost")


e2e.main(test)
