#!/usr/bin/env python3
"""How much memory does a mount take while somebody looks at every file of a large tree, and does it give it back?

usage: large_tree_test.py SATCHEL [--files N]

A tree of 1,000,000 files goes straight into a repository. While `find` asks for the size of each, the mount's process stays below
300 MiB; once the kernel has forgotten the files, it gives most of what that took back.
"""

import argparse
import os
import subprocess
import time

import satchel_e2e as e2e

MIB = 1 << 20


def memory(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise e2e.Failed(f"no {field} of process {pid}")


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--files", type=int, default=1000000)
    options = parser.parse_args()
    with e2e.scratch("satchel-large.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world_of_archive(satchel, folder, "many", lambda out: e2e.write_many_files(out, options.files))
        device = e2e.Device(satchel, folder, "first", repository)
        try:
            device.mount()
            pid = device.pid()
            start = memory(pid, "VmRSS")
            began = time.monotonic()
            sizes = subprocess.check_output(["find", device.path("srv"), "-type", "f", "-printf", "%s\\n"])
            seconds = time.monotonic() - began
            e2e.check(sizes.count(b"0\n") == options.files, f"find shows {sizes.count(10)} files")
            after, peak = memory(pid, "VmRSS"), memory(pid, "VmHWM")
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
                file.write("2")
            for _ in range(100):  # FORGETs come in the background
                back = memory(pid, "VmRSS")
                if back - start < (after - start) / 2:
                    break
                time.sleep(0.1)
            print(f"find over {options.files} files: {seconds:.1f} s; RSS {start / MIB:.0f} MiB before, {peak / MIB:.0f} at most, "
                  f"{after / MIB:.0f} after it, {back / MIB:.0f} when the kernel had forgotten them")
            e2e.check(peak < 300 * MIB, f"{peak / MIB:.0f} MiB at most")
            e2e.check(back - start < (after - start) / 2, "the memory does not come back")
            device.umount()
        finally:
            device.tidy()


e2e.main(test)
