#!/usr/bin/env python3
"""How long does it take from `satchel mount` to the first `ls` of a large image?

usage: mount_time.py SATCHEL [SATCHEL…] [--files N] [--runs N] [--where DIR]

An image of N small files (default 300,000) goes straight into a repository below DIR. It is mounted with a store that has seen it before and with an empty one; medians, and the
quickest run of each. With several programs they take turns, so that versions can be compared; the first one makes the repository.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import satchel_e2e as e2e  # noqa: E402: found by the line above


def mount_once(binary, repository, store, mount_point):
    """Milliseconds until the names of the root have been read."""
    begin = time.perf_counter()
    subprocess.run([binary, "mount", "--repo", repository, "--store", store, "ada", mount_point], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ls", mount_point], check=True, stdout=subprocess.DEVNULL)
    took = (time.perf_counter() - begin) * 1000
    subprocess.run([binary, "umount", mount_point], check=True, stdout=subprocess.DEVNULL)
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel", nargs="+")
    parser.add_argument("--files", type=int, default=300000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--where", default="/var/tmp")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="satchel-bench.", dir=options.where)
    try:
        binaries = [os.path.abspath(binary) for binary in options.satchel]
        os.environ["XDG_CACHE_HOME"] = os.path.join(folder, "cache")
        repository = e2e.make_world_of_archive(e2e.Satchel(binaries[0]), folder, "many", lambda out: e2e.write_many_files(out, options.files))
        mount_point = os.path.join(folder, "view")
        os.mkdir(mount_point)
        times = {}
        for run in range(options.runs):
            for number, binary in enumerate(binaries):
                store = os.path.join(folder, f"store-{run}-{number}")
                times.setdefault((number, "empty"), []).append(mount_once(binary, repository, store, mount_point))
                times.setdefault((number, "warm"), []).append(mount_once(binary, repository, store, mount_point))
        print(f"{options.files} files, {options.runs} runs, milliseconds from the command to the first ls: median (best)")
        for (number, kind), of in sorted(times.items()):
            print(f"{binaries[number]}: {kind:6}{statistics.median(of):8.0f} ({min(of):.0f})")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
