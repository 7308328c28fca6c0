#!/usr/bin/env python3
"""The same random system calls on a mounted view and on a plain directory of ext4: every answer is the same.

usage: differential_test.py SATCHEL DIFFERENTIAL [--operations N] [--processes P] [--seed S] [--disturb]

The base is a small golden tree, cut into two layers, so that copy-up, whiteouts and renames of base directories take part. After it the golden layers are verified
unchanged, the workspace is synced and a second device compared. --disturb: remounts, kill -9 and syncs between slices of the stream.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import satchel_e2e as e2e  # noqa: E402


def make_start(folder, processes):
    """Two layers, and the plain directory that their composition is."""
    low, high, plain = (os.path.join(folder, name) for name in ("low", "high", "plain"))
    for process in range(processes):
        for number in range(12):
            top = os.path.join(low, f"p{process}", "abcdef"[number % 6])
            os.makedirs(top, exist_ok=True)
            with open(os.path.join(top, "abcdef"[number % 5] + str(number)), "wb") as out:
                out.write(os.urandom((0, 100, 5000, 70000)[number % 4]))
        os.link(os.path.join(low, f"p{process}", "a", "a0"), os.path.join(low, f"p{process}", "b", "hard"))
        os.symlink("a", os.path.join(low, f"p{process}", "s"))
        os.makedirs(os.path.join(high, f"p{process}", "b", "new"))
        with open(os.path.join(high, f"p{process}", "b", "new", "file"), "wb") as out:
            out.write(b"from the higher layer")
    subprocess.check_call(["cp", "-a", low, plain])
    subprocess.check_call(["cp", "-a", high + "/.", plain])
    for top, _, _ in os.walk(plain):  # both sides start with the same attributes of directories
        for root in (low, high, plain):
            path = os.path.join(root, os.path.relpath(top, plain))
            if os.path.isdir(path):
                os.chmod(path, 0o755)
    return low, high, plain


def golden_digest(repository):
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(repository) for name in names if "/refs/users" not in folder)
    return {path: (os.path.getsize(path), open(path, "rb").read()) for path in files}


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("differential")
    parser.add_argument("--operations", type=int, default=100000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SATCHEL_SEED", time.time())))
    parser.add_argument("--disturb", action="store_true")
    parser.add_argument("--slices", type=int, default=10)
    options = parser.parse_args()
    with e2e.scratch("satchel-differential.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        low, high, plain = make_start(folder, options.processes)
        repository = os.path.join(folder, "repo")
        satchel.run("init", repository)
        satchel.run("import", repository, "os/low", "--from", low)
        satchel.run("import", repository, "group/high", "--from", high)
        satchel.run("image", "create", repository, "both", "--layer", "os/low@1", "--layer", "group/high@1")
        satchel.run("workspace", "create", repository, "ada", "--image", "both@1")
        golden = golden_digest(repository)
        device = e2e.Device(satchel, folder, "first", repository)
        second = e2e.Device(satchel, folder, "second", repository)
        slices = options.slices if options.disturb else 1
        try:
            device.mount()
            for number in range(slices):
                done = subprocess.run([options.differential, device.mount_point, plain, "--operations", str(options.operations // slices),
                                       "--processes", str(options.processes), "--seed", str(options.seed + number)],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                print(done.stdout.decode(errors="replace"))
                e2e.check(done.returncode == 0, f"slice {number}: the view and the plain directory differ")
                if options.disturb:
                    disturb(device, number)
            bring_up(device.mount_point)
            data = device.synced(options=["--allow-deletes"])
            report = satchel.data("fsck", repository)
            e2e.check(report["ok"], f"fsck: {report['errors']}")
            second.mount()
            difference = e2e.same_trees(device.mount_point, second.mount_point)
            e2e.check(not difference, f"after the sync ({data}) a second device differs: {difference[:5]}")
            for path, content in golden.items():
                with open(path, "rb") as file:
                    e2e.check((os.path.getsize(path), file.read()) == content, f"{path} of the golden image changed")
        finally:
            device.tidy()
            second.tidy()
        planted = subprocess.run([options.differential, *twins(folder), "--operations", "2000", "--seed", "1", "--plant-bug"], stdout=subprocess.PIPE, check=False)
        e2e.check(planted.returncode == 1, "the planted bug was not found")


def bring_up(root, depth_max=12):
    """Moves directories that stand deep to the top: renames have nested them beyond the longest path, which rsync cannot say."""
    waiting, moved = [root], 0
    while waiting:
        top = waiting.pop()
        for folder, directories, _ in os.walk(top):
            if os.path.relpath(folder, top).count("/") < depth_max:
                continue
            for name in directories:
                waiting.append(os.path.join(root, f"deep{moved}"))
                os.rename(os.path.join(folder, name), waiting[-1])
                moved += 1
            directories.clear()


def twins(folder):
    pair = [os.path.join(folder, name) for name in ("twin1", "twin2")]
    for path in pair:
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
    return pair


def disturb(device, number):
    if number % 3 == 0:
        device.synced(options=["--allow-deletes"])
    elif number % 3 == 1:
        device.umount()
        device.mount()
    else:
        e2e.kill_and_wait(device.pid())
        device.mount()


e2e.main(test)
