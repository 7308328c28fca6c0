"""A disk whose writes and flushes are logged, what is left of it after a power cut (test/support/write_log_disk.cpp), and what the tests of power cuts share."""

import argparse
import contextlib
import os
import random
import subprocess
import time

import satchel_e2e as e2e

BYTES = 192 << 20


class LoggedDisk:
    """An ext4 on a loop device over the logging disk, mounted at `folder`/disk."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.log = os.path.join(folder, "log")
        self.fuse, self.mount_point = os.path.join(folder, "fuse"), os.path.join(folder, "disk")
        self.loop = self.process = None

    def start(self):
        os.makedirs(self.fuse)
        os.makedirs(self.mount_point)
        self.process = subprocess.Popen([self.program, self.fuse, str(BYTES), self.log])
        end = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.fuse, "disk")):
            e2e.check(time.monotonic() < end, "the logging disk did not start")
            time.sleep(0.01)
        self.loop = subprocess.check_output(["losetup", "-f", "--show", "--direct-io=on", os.path.join(self.fuse, "disk")], text=True).strip()
        # Blocks of 1 KiB, so that holes may be smaller than what the program copies at a time.
        subprocess.check_call(["mkfs.ext4", "-q", "-F", "-b", "1024", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", self.loop])
        subprocess.check_call(["mount", "-o", "noatime,commit=300", self.loop, self.mount_point])

    def position(self):
        return os.path.getsize(self.log)

    def stop(self):
        subprocess.run(["umount", self.mount_point], check=False)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], check=False)
        # Lazily, and not for ever: a mount namespace that another program made meanwhile holds the disk as long as it lives. The log has all that is asked of it.
        subprocess.run(["fusermount3", "-u", "-z", self.fuse], check=False)
        if self.process:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def disk_after_cut(disk, folder, cut, seed):
    """Makes the disk as it may be if the power failed at byte `cut` of the log, and shows it; ext4 recovers."""
    image, mount_point = os.path.join(folder, "image"), os.path.join(folder, "disk")
    os.makedirs(mount_point, exist_ok=True)
    subprocess.check_output([disk.program, "--replay", disk.log, image, str(BYTES), str(cut), str(seed)])
    loop = subprocess.check_output(["losetup", "-f", "--show", image], text=True).strip()
    try:
        subprocess.check_call(["mount", loop, mount_point])
        yield mount_point
    finally:
        subprocess.run(["umount", mount_point], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", loop], check=False)
        os.remove(image)  # so that one that is still held (see stop()) is not the next one's


def do_work(options, disk, environment, test):
    disk.start()
    satchel = e2e.Satchel(options.satchel, environment)
    test.prepare(os.path.join(disk.mount_point, "golden"))
    device = e2e.Device(satchel, disk.mount_point, "first", e2e.make_world(satchel, disk.mount_point))
    try:
        device.mount(fault=environment.get("SATCHEL_FAULT"))
        test.work(options, disk, device)
        e2e.kill_and_wait(device.pid())
    finally:
        device.tidy()


def random_cuts(options, begin, end):
    """`options.cuts` of them in that part of the log; each expects what its place says."""
    chooser = random.Random(options.seed)
    for _ in range(options.cuts):
        cut = chooser.randrange(begin, end + 1)
        yield cut, chooser.randrange(1 << 32), cut


def check_cut(options, folder, disk, test, cut, seed, expected):
    with disk_after_cut(disk, folder, cut, seed) as mount_point:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        device = e2e.Device(satchel, mount_point, "first", os.path.join(mount_point, "repo"))
        try:
            device.mount()
            test.check(satchel, device, expected)
        finally:
            device.tidy()


def test_power_cuts(test, cuts, rounds):
    """Works once on a logged disk, which holds store and repository, then cuts the power in many places.

    `test` has prepare(golden), which may make another golden tree than the usual one; work(options, disk, device), which notes what it did; cuts(options), the list of (byte of the log, seed of what
    was lost, what check() is to expect) that it makes of its notes; check(satchel, device, expected), after each cut; and told(), what was done in words. `cuts` and `rounds` are defaults of options.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("write_log_disk")
    parser.add_argument("--cuts", type=int, default=cuts)
    parser.add_argument("--rounds", type=int, default=rounds)
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
            do_work(options, disk, environment, test)
        finally:
            disk.stop()
        tried = list(test.cuts(options))
        for number, (cut, seed, expected) in enumerate(tried):
            try:
                check_cut(options, cut_folder, disk, test, cut, seed, expected)
            except e2e.Failed as failure:
                where = f"cut {number} at byte {cut} of the log: {failure}"
                if not options.skip_fsync:
                    raise e2e.Failed(where) from None
                print(f"without {options.skip_fsync}: {where}")
                return
    e2e.check(not options.skip_fsync, f"{len(tried)} power cuts did not find that {options.skip_fsync} was left out")
    print(f"{len(tried)} power cuts over {test.told()}: nothing was lost")
