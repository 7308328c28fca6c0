#!/usr/bin/env python3
"""Public load programs in a view: fio writes and verifies, stress-ng's filesystem class, dbench; afterwards all of it is deleted again.

usage: load_test.py SATCHEL [--seconds N]

A stressor of stress-ng that fails in a plain directory too says nothing about the view; everything else must pass.
"""

import argparse
import os
import re
import shutil
import subprocess

import satchel_e2e as e2e

# Each writes a file in a random order and reads all of it back.
FIO_JOBS = {
    "psync": ["--ioengine=psync", "--rw=randwrite", "--bs=512-64k"],
    "direct": ["--ioengine=libaio", "--direct=1", "--iodepth=16", "--rw=randwrite", "--bs=4k"],
    "mmap": ["--ioengine=mmap", "--rw=randwrite", "--bs=4k"],
    "append": ["--ioengine=psync", "--rw=write", "--bs=1000", "--fsync=500"],
    "mixed": ["--ioengine=psync", "--rw=randrw", "--bs=4k", "--numjobs=4", "--group_reporting"],
}
# Of the class, those that do nothing to files, or change the machine.
NO_FILES = {"bind-mount", "binderfs", "eventfd", "ioprio", "procfs"}


def run(arguments, timeout=300):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def check_fio(folder):
    for name, options in FIO_JOBS.items():
        code, printed = run(["fio", f"--name={name}", f"--directory={folder}", "--size=32m", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1",
                             "--verify_state_save=0", *options])
        e2e.check(code == 0 and "err= 0" in printed, f"fio {name}: exit {code}\n{printed[-2000:]}")
    print(f"fio: {', '.join(FIO_JOBS)}: each byte verified")


def stressors():
    # The list stands on stderr, and asking for it is an error to stress-ng.
    listed = re.search(r"stressors: (.*)", run(["stress-ng", "--class", "filesystem?"])[1])
    e2e.check(listed, "stress-ng does not list its filesystem class")
    return [name for name in listed.group(1).split() if name not in NO_FILES]


def stress(name, folder, seconds):
    return run(["stress-ng", f"--{name}", "2", "--timeout", f"{seconds}s", "--verify", "--temp-path", folder], timeout=seconds + 120)


def check_stress(folder, plain, seconds):
    names, failed = stressors(), []
    for name in names:
        code, printed = stress(name, folder, seconds)
        if code in (0, 3, 4):  # passed, no resources, not implemented on this machine
            continue
        plain_code, _ = stress(name, plain, seconds)
        if plain_code == 0:
            failed.append(f"{name}: exit {code}\n{printed[-1500:]}")
        else:
            print(f"stress-ng {name}: exit {code} in the view, {plain_code} in a plain directory")
    e2e.check(not failed, "stress-ng, passed in a plain directory: " + "\n".join(failed))
    print(f"stress-ng: {len(names)} stressors of its filesystem class")


def check_dbench(folder, seconds):
    code, printed = run(["dbench", "-t", str(seconds), "-D", folder, "8"], timeout=seconds + 300)
    e2e.check(code == 0 and "Throughput" in printed and "ERROR" not in printed, f"dbench: exit {code}\n{printed[-2000:]}")
    print("dbench: " + printed.strip().splitlines()[-1])


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    with e2e.scratch("satchel-load.", where="/var/tmp") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        device = e2e.Device(satchel, folder, "first", repository)
        plain = os.path.join(folder, "plain")
        os.makedirs(plain)
        try:
            device.mount()
            pid = device.pid()
            # One place of new files, one that the image has, with its files below the load's.
            for place in ("home/ada/load", "usr/share/doc"):
                view = device.path(place)
                os.makedirs(view, exist_ok=True)
                check_fio(view)
                check_dbench(view, 5 * options.seconds)
            check_stress(device.path("home/ada/load"), plain, options.seconds)
            e2e.check(device.pid() == pid, "the mount's process is another one")
            shutil.rmtree(device.path("home/ada/load"))
            e2e.check(not os.path.exists(device.path("home/ada/load")), "the load is still there")
            device.synced()
            satchel.run("fsck", repository)
            device.umount()
        finally:
            device.tidy()


e2e.main(test)
