#!/usr/bin/env python3
"""Fifty people on one golden image store it once: repository ≤ 1.10 × (image + 50 × 1 MiB).

usage: shared_image_test.py SATCHEL [--people N]
"""

import argparse
import os
import subprocess

import satchel_e2e as e2e


def folder_bytes(path):
    return int(subprocess.check_output(["du", "-sb", path]).split()[0])


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--people", type=int, default=50)
    options = parser.parse_args()
    with e2e.scratch("satchel-shared.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        golden = os.path.join(folder, "golden")
        e2e.make_base_tree(golden)
        with open(os.path.join(golden, "usr/bin/big"), "wb") as out:
            out.write(os.urandom(64 << 20))
        repository = e2e.make_world(satchel, folder)
        image = folder_bytes(repository)
        for number in range(options.people):
            user = f"pupil{number:02}"
            satchel.run("workspace", "create", repository, user, "--image", "lab@1")
            device = e2e.Device(satchel, folder, user, repository, user)
            try:
                device.mount()
                with open(device.path("home/ada/own"), "wb") as out:
                    out.write(os.urandom(1 << 20))
                device.synced()
            finally:
                device.tidy()
        total, limit = folder_bytes(repository), 1.10 * (image + options.people * (1 << 20))
        print(f"image {image >> 20} MiB, {options.people} people with 1 MiB each: {total >> 20} MiB, {total / (image + options.people * (1 << 20)):.3f} × the sum")
        e2e.check(total <= limit, f"{total} bytes, allowed {limit:.0f}")
        e2e.check_repository(satchel, repository)


e2e.main(test)
