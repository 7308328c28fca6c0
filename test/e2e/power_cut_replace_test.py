#!/usr/bin/env python3
"""A file is replaced by rename, or rewritten from nothing, without fsync; another one is fsynced, or the filesystem commits; the power fails: the bytes are the new ones, or the old ones, never none.

usage: power_cut_replace_test.py SATCHEL WRITE_LOG_DISK [--cuts N] [--rounds N] [--seed S] [--skip-fsync POINT]

Nothing of this is acknowledged, but ext4 keeps such files, and programs rely on it. The disk is as in power_cut_test.py. The power fails right after each fsync, and N times anywhere.
--skip-fsync leaves out one step of the program: a cut must then find something missing, else the test fails.
"""

import argparse
import os
import random
import subprocess
import time

import satchel_e2e as e2e
from logged_disk import LoggedDisk, disk_after_cut

REPLACED = ("home/ada/base007", "home/ada/replaced")
REWRITTEN = ("home/ada/base011", "home/ada/rewritten")  # what is there between open and close is nobody's promise


def write(path, content, mode="wb", is_synced=False):
    with open(path, mode) as out:
        out.write(content)
        out.flush()
        if is_synced:
            os.fsync(out.fileno())


def work(options, disk, environment):
    """[(log position, contents)], one per fsync of another file; [(log position, {path: contents that are allowed})], where ext4 alone has committed."""
    disk.start()
    satchel = e2e.Satchel(options.satchel, environment)
    device = e2e.Device(satchel, disk.mount_point, "first", e2e.make_world(satchel, disk.mount_point))
    chooser = random.Random(options.seed)
    try:
        device.mount(fault=environment.get("SATCHEL_FAULT"))
        contents = {}
        for path in (REPLACED[1], REWRITTEN[1]):
            write(device.path(path), b"old", is_synced=True)
        for path in REPLACED + REWRITTEN:
            contents[path] = e2e.read_or_none(device.path(path))
        subprocess.check_call(["sync", "-f", disk.mount_point])
        moments, loose = [(disk.position(), contents)], []
        for _ in range(options.rounds):
            contents = {path: chooser.randbytes(chooser.choice((100, 5_000, 100_000))) for path in REPLACED + REWRITTEN}
            for path in REPLACED:
                write(device.path(path + ".new"), contents[path])
                os.rename(device.path(path + ".new"), device.path(path))
            for path in REWRITTEN:
                write(device.path(path), contents[path])
            time.sleep(0.1)  # until the kernel has forgotten what was replaced, and its bytes go
            write(os.path.join(disk.mount_point, "beside"), b"x", "ab", is_synced=True)
            loose.append((disk.position(), {path: [moments[-1][1][path], contents[path]] for path in REPLACED}))
            write(device.path("home/ada/other"), b"x", "ab", is_synced=True)
            moments.append((disk.position(), contents))
        e2e.kill_and_wait(device.pid())
    finally:
        device.tidy()
    return moments, loose


def check_cut(options, folder, disk, allowed, cut, seed):
    with disk_after_cut(disk, folder, cut, seed) as mount_point:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        device = e2e.Device(satchel, mount_point, "first", os.path.join(mount_point, "repo"))
        try:
            os.makedirs(device.mount_point, exist_ok=True)
            device.mount()
            for path, contents in allowed.items():
                found = e2e.read_or_none(device.path(path))
                what = "nothing" if found is None else f"{len(found)} bytes, {found.count(0)} of them zeros"
                e2e.check(found in contents, f"{path} is neither what it was nor what it became: {what}")
        finally:
            device.tidy()


def cuts_of(options, moments, loose):
    """[(where, {path: contents that are allowed})]"""
    cuts = loose + [(position, {path: [content] for path, content in contents.items()}) for position, contents in moments]
    chooser = random.Random(options.seed)
    for _ in range(options.cuts):
        number = chooser.randrange(1, len(moments))
        (begin, before), (end, after) = moments[number - 1], moments[number]
        cuts.append((chooser.randrange(begin, end), {path: [before[path], after[path]] for path in REPLACED}))
    return cuts


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("write_log_disk")
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=8)
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
            moments, loose = work(options, disk, environment)
        finally:
            disk.stop()
        cuts = cuts_of(options, moments, loose)
        for number, (cut, allowed) in enumerate(cuts):
            try:
                check_cut(options, cut_folder, disk, allowed, cut, options.seed + number)
            except e2e.Failed as failure:
                where = f"cut {number} at byte {cut} of the log: {failure}"
                if not options.skip_fsync:
                    raise e2e.Failed(where) from None
                print(f"without {options.skip_fsync}: {where}")
                return
    e2e.check(not options.skip_fsync, f"{len(cuts)} power cuts did not find that {options.skip_fsync} was left out")
    print(f"{len(cuts)} power cuts, no file was without its bytes")


e2e.main(test)
