#!/usr/bin/env python3
"""A repository whose server stops answering: requests end with ETIMEDOUT, what is on the device goes on, and a mount can be ended.

usage: hanging_repository_test.py SATCHEL SLOW_FOLDER
"""

import contextlib
import errno
import glob
import os
import signal
import subprocess
import sys
import time

import satchel_e2e as e2e

DEADLINE = 2
TIMEOUT_EXIT = 124


class Server:
    """Shows a directory at another place, until it is told to hang."""

    def __init__(self, binary, source, place):
        self.place = place
        os.makedirs(place)
        self.process = subprocess.Popen([binary, source, place], stderr=subprocess.DEVNULL)
        while not os.path.ismount(place):
            e2e.check(self.process.poll() is None, "slow_folder ended")
            time.sleep(0.02)

    def _has_stopped(self):
        states = []
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/stat"):
            with open(path, encoding="ascii") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
        return set(states) == {"T"}

    @contextlib.contextmanager
    def hanging(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            # Each thread stops for itself; one that still took a request would hold its caller in the kernel, unkillable.
            deadline = time.monotonic() + 10
            while not self._has_stopped():
                e2e.check(time.monotonic() < deadline, "slow_folder does not stop")
                time.sleep(0.01)
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        subprocess.run(["umount", "-l", self.place], check=False)
        self.process.terminate()
        self.process.wait()


def timed(function):
    """What happened: an errno, or 0; and how long it took."""
    start = time.monotonic()
    try:
        function()
        code = 0
    except OSError as error:
        code = error.errno
    return code, time.monotonic() - start


def check_late(what, function, seconds_max):
    code, seconds = timed(function)
    e2e.check(code == errno.ETIMEDOUT, f"{what}: {errno.errorcode.get(code, code)} instead of ETIMEDOUT")
    e2e.check(seconds < seconds_max, f"{what}: ETIMEDOUT after {seconds:.1f} s")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def listing_ends_late(device, server, golden):
    """What has been read stays; what was not ends late; when the server answers again all is there."""
    os.listdir(device.path("etc"))
    here = read(device.path("etc/base004"))
    with server.hanging():
        check_late("the first list", lambda: os.listdir(device.path("usr/share/doc")), DEADLINE + 3)
        check_late("the second list", lambda: os.listdir(device.path("var/lib/app")), 3)
        # The kernel asks more than once: it reads ahead, and then what was asked for.
        check_late("a file", lambda: read(device.path("etc/base008")), DEADLINE + 5)
        check_late("a change", lambda: os.mkdir(device.path("usr/share/doc/new")), 3)
        start = time.monotonic()
        e2e.check(read(device.path("etc/base004")) == here, "a file that was read is there")
        with open(device.path("etc/written"), "wb") as out:
            out.write(b"while it hung")
            os.fsync(out.fileno())
        e2e.check("etc" in os.listdir(device.path("")), "the root can be listed")
        device.satchel.data("status", device.mount_point)
        e2e.check(time.monotonic() - start < 5, "what is here is as quick as ever")
    deadline = time.monotonic() + 20
    while timed(lambda: os.listdir(device.path("usr/share/doc")))[0] != 0:
        e2e.check(time.monotonic() < deadline, "the server answers, and the view does not")
    # The device's own file stands in no golden tree.
    found = e2e.same_trees(golden, device.path(""), excludes=("/etc/written", "/etc/"))
    e2e.check(not found, f"the trees differ: {found}")


def caller_can_be_killed(device, server, directory):
    with server.hanging():
        caller = subprocess.Popen(["ls", device.path(directory)], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        e2e.check(caller.poll() is None, "ls waits")
        caller.kill()
        start = time.monotonic()
        caller.wait()
        e2e.check(time.monotonic() - start < 5, "a killed ls goes")


def mount_can_be_ended(device, server, options):
    """--abort with a request that waits; a clean unmount with threads that wait; and both leave what was written."""
    device.mount(options=("--deadline", "60"))
    with server.hanging():
        caller = subprocess.Popen(["ls", device.path("usr/bin")], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        start = time.monotonic()
        device.satchel.run("umount", "--abort", device.mount_point)
        e2e.check(time.monotonic() - start < 10, "umount --abort is quick")
        e2e.check(caller.wait(timeout=10) != 0, "ls has failed")
        e2e.check(not device.is_mounted(), "it is gone")
    device.mount(options=options)
    e2e.check(read(device.path("etc/written")) == b"while it hung", "an abort loses nothing that was fsynced")
    with server.hanging():
        check_late("a list", lambda: os.listdir(device.path("usr/bin")), DEADLINE + 3)
        start = time.monotonic()
        device.umount()
        e2e.check(time.monotonic() - start < 40, "umount waits for no repository")
    device.mount(options=options)
    e2e.check(read(device.path("etc/written")) == b"while it hung", "nor does an unmount")
    device.umount()


def mounting_ends_late(device, server, options):
    with server.hanging():
        start = time.monotonic()
        done = device.mount(ok=False, options=options)
        e2e.check(done.returncode == TIMEOUT_EXIT, f"mount: exit {done.returncode} {done.stderr}")
        e2e.check(time.monotonic() - start < 4 * DEADLINE + 20, "mount does not wait for ever")
        e2e.check(not device.is_mounted(), "nothing is mounted")
    device.mount(options=options)
    device.umount()


def test():
    binary, slow_folder = sys.argv[1:3]
    with e2e.scratch("satchel-hanging.") as folder:
        satchel = e2e.Satchel(binary)
        repository = e2e.make_world(satchel, folder)
        server = Server(slow_folder, repository, os.path.join(folder, "far"))
        options = ("--deadline", str(DEADLINE))
        first, second, third = (e2e.Device(satchel, folder, name, server.place) for name in ("first", "second", "third"))
        try:
            first.mount(options=options)
            listing_ends_late(first, server, os.path.join(folder, "golden"))
            first.synced()
            first.umount()
            for transport, directory in (("auto", "usr/share/doc"), ("off", "var/lib/app")):
                second.mount(options=("--deadline", "60", "--io-uring", transport))
                caller_can_be_killed(second, server, directory)
                second.umount()
            third.mount(options=options)
            with open(third.path("etc/written"), "rb") as file:
                e2e.check(file.read() == b"while it hung", "it was synced")
            third.umount()
            mount_can_be_ended(third, server, options)
            mounting_ends_late(third, server, options)
        finally:
            server.process.send_signal(signal.SIGCONT)
            for device in (first, second, third):
                device.tidy()
            server.end()


if __name__ == "__main__":
    e2e.main(test)
