#!/usr/bin/env python3
"""What two devices make under one name while they use it is one thing after a sync, and syncs come to rest.

usage: busy_on_two_devices_test.py SATCHEL

Each device keeps files open for writing, or writes them without a pause, so that a sync has to leave them to the device; the other device has made the same names meanwhile.
"""

import argparse
import contextlib
import json
import os
import shutil
import threading
import time

import satchel_e2e as e2e


class Writer:
    """Writes a file from beginning to end again and again: no sync finds it at rest."""

    def __init__(self, path, size):
        self.path, self.size, self.rounds, self.ends = path, size, 0, threading.Event()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.started.wait()

    def run(self):
        with open(self.path, "wb", buffering=0) as out:
            while not self.ends.is_set():
                self.rounds += 1
                for offset in range(0, self.size, 4096):
                    os.pwrite(out.fileno(), bytes([self.rounds % 251]) * 4096, offset)
                self.started.set()

    def stop(self):
        self.ends.set()
        self.thread.join()


def rest(devices, what):
    """Syncs in turn until nobody has anything to say."""
    for number in range(8):
        if all(device.synced()["result"] == "none" for device in devices):
            return number
    raise e2e.Failed(f"{what}: syncs go on for ever")


def same(devices, path, attribute):
    found = [getattr(os.stat(device.path(path)), attribute) for device in devices]
    e2e.check(found[0] == found[1], f"{path}: {attribute} is {found[0]} here and {found[1]} there")


def contents(devices, path):
    return [e2e.read_or_none(device.path(path)) for device in devices]


def check_new_file(first, second):
    """The second is still writing its new file when it hears of the first's."""
    with open(first.path("new"), "wb") as out:
        out.write(b"first's")
    first.synced()
    writer = Writer(second.path("new"), 4 << 20)
    for number in range(3):
        done = second.sync(ok=False)
        busy = json.loads(done.stdout)["data"]["busy"]
        e2e.check(done.returncode == 3 and busy == [{"path": "/new"}], f"sync {number} beside a writer: exit {done.returncode}, busy: {busy}")
    writer.stop()
    done = second.sync(ok=False)
    lost = json.loads(done.stdout)["data"]["conflict_paths"]
    e2e.check(done.returncode == 4 and lost == [{"path": "/new", "kind": "content"}], f"what lost is not told of: exit {done.returncode}, {lost}")
    rest((first, second), "a new file")
    here, there = contents((first, second), "new")
    e2e.check(here == there == b"first's", f"the committed file is not the live one: {here and here[:20]!r}, {there and there[:20]!r}")
    same((first, second), "new", "st_ino")


def check_gone(first, second):
    """The second has to keep its files, while nobody there has seen the first's: what is done to the names afterwards does not take those away."""
    names = ("removed", "moved", "replaced")
    for name in names:
        with open(first.path(name), "wb") as out:
            out.write(b"first's " + name.encode())
    first.synced()
    writers = [Writer(second.path(name), 1 << 20) for name in names]
    done = second.sync(ok=False)
    e2e.check(done.returncode == 3 and len(json.loads(done.stdout)["data"]["busy"]) == 3, f"a sync beside writers: exit {done.returncode} {done.stdout}")
    for writer in writers:
        writer.stop()
    os.unlink(second.path("removed"))
    os.rename(second.path("moved"), second.path("elsewhere"))
    with open(second.path("replaced.new"), "wb") as out:
        out.write(b"second's")
    os.rename(second.path("replaced.new"), second.path("replaced"))
    done = second.sync(ok=False)
    lost = json.loads(done.stdout)["data"]["conflict_paths"]
    e2e.check(done.returncode == 4 and lost == [{"path": "/replaced", "kind": "content"}], f"exit {done.returncode}, {lost}")
    rest((first, second), "names that are gone")
    for name in names:
        e2e.check(contents((first, second), name) == [b"first's " + name.encode()] * 2, f"{name}: {contents((first, second), name)}")
    e2e.check([len(found) for found in contents((first, second), "elsewhere")] == [1 << 20] * 2, "what was moved is lost")


def check_moved_directory(first, second):
    """As check_gone, for the directory in which the name is."""
    tops = ("renamed", "deleted/deep", "wandered", "trashed")
    for top in tops:
        os.makedirs(first.path(top))
        with open(first.path(top + "/known"), "wb") as out:
            out.write(b"known")
    rest((first, second), "directories that both know")
    for top in tops:
        with open(first.path(top + "/new"), "wb") as out:
            out.write(b"first's")
    first.synced()
    writers = [Writer(second.path(top + "/new"), 1 << 20) for top in tops]
    second.sync(ok=False)
    for writer in writers:
        writer.stop()
    os.rename(second.path("renamed"), second.path("renamed too"))
    shutil.rmtree(second.path("deleted"))
    os.rename(second.path("wandered"), second.path("wandered off"))
    shutil.rmtree(second.path("wandered off"))
    os.makedirs(second.path("home/ada/.cache"), exist_ok=True)
    os.rename(second.path("trashed"), second.path("home/ada/.cache/trashed"))
    second.sync(ok=False)
    rest((first, second), "directories that are gone")
    for path in (top + "/new" for top in tops):
        e2e.check(contents((first, second), path) == [b"first's"] * 2, f"{path}: {contents((first, second), path)}")
    e2e.check([len(found) for found in contents((first, second), "renamed too/new")] == [1 << 20] * 2, "what was moved is lost")


def check_reverted(first, second):
    """What the first brings back while the second is busy stays."""
    for content in (b"old", b"new"):
        with open(first.path("reverted"), "wb") as out:
            out.write(content)
        first.synced()
        if content == b"old":
            second.synced()
            writer = Writer(second.path("reverted"), 1 << 20)
        second.sync(ok=False)
    with open(first.path("reverted"), "wb") as out:
        out.write(b"old")
    first.synced()
    done = second.sync(ok=False)
    e2e.check(done.returncode == 3, f"a sync beside a writer: exit {done.returncode} {done.stdout}")
    first.synced()
    e2e.check(contents((first,), "reverted") == [b"old"], f"{contents((first,), 'reverted')}")
    writer.stop()
    second.sync(ok=False)
    rest((first, second), "a file that was brought back")


def check_open_for_long(first, second):
    """What the second writes to a file that stays open is its own change each time, not one against a state long gone."""
    with open(second.path("long"), "wb", buffering=0) as file:
        for number in range(4):
            os.pwrite(file.fileno(), b"%d" % number, 0)
            second.synced()
            os.chmod(first.path("long"), 0o600 + number) if number else first.synced()
            first.synced()
    rest((first, second), "a file that was open for long")
    e2e.check(contents((first, second), "long") == [b"3", b"3"], f"{contents((first, second), 'long')}")


def check_directory_over_file(first, second):
    """The second has a file open in a directory where the first has made a file."""
    with open(first.path("either"), "wb") as out:
        out.write(b"first's")
    first.synced()
    os.mkdir(second.path("either"))
    with open(second.path("either/log"), "wb", buffering=0) as log:
        for _ in range(2):
            log.write(b"log")
            done = second.sync(ok=False)
            lost = json.loads(done.stdout)["data"]["conflict_paths"]
            e2e.check(done.returncode == 4 and lost == [{"path": "/either", "kind": "kind"}], f"exit {done.returncode}, {lost}")
        second.synced()  # nothing new: what lost has been kept
    rest((first, second), "a directory over a file")
    e2e.check(contents((first, second), "either") == [b"first's"] * 2, f"{contents((first, second), 'either')}")


def check_directory(first, second):
    """Both have a file open for writing in a directory that both made, below another one."""
    kept = []
    for device, text in ((first, b"1"), (second, b"2")):
        os.makedirs(device.path("both/below"))
        kept.append(open(device.path("both/below/of-" + device.name), "wb", buffering=0))
        kept[-1].write(text)
    rest((first, second), "a directory")
    for directory in ("both", "both/below"):
        same((first, second), directory, "st_ino")
        listed = [{entry.name: entry.inode() for entry in os.scandir(os.path.dirname(device.path(directory)))}[os.path.basename(directory)] for device in (first, second)]
        e2e.check(listed[0] == listed[1] == os.stat(first.path(directory)).st_ino, f"{directory}: readdir says {listed}")
    for file in kept:
        file.write(b" more")
        file.close()
    rest((first, second), "a directory at rest")
    for name, text in (("first", b"1 more"), ("second", b"2 more")):
        e2e.check(contents((first, second), "both/below/of-" + name) == [text, text], f"of-{name} is lost")


def bytes_below(folder):
    total = 0
    for top, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # a temporary file
                total += os.path.getsize(os.path.join(top, name))
    return total


def check_removed_during_sync(first, second):
    """The second removes and moves directories while it hears that the first has changed files in them."""
    os.makedirs(first.path("leaving/deep"))
    os.makedirs(first.path("leaving/moving"))
    os.makedirs(first.path("emptied"))
    for name in ("leaving/one", "leaving/moving/known", "leaving/deep/changed", "leaving/deep/three", "emptied/one", "emptied/two"):
        with open(first.path(name), "wb") as out:
            out.write(b"known")
    shutil.copy2(first.path("leaving/one"), first.path("twin"))
    rest((first, second), "directories that both know")
    os.rename(first.path("twin"), first.path("leaving/one"))  # another file, though it looks the same
    for name in ("leaving/deep/changed", "leaving/moving/known"):
        with open(first.path(name), "r+b") as out:
            out.write(b"NEWS!")
    os.unlink(first.path("emptied/one"))
    for device in (first, second):  # both make this one
        os.makedirs(device.path("pair/inner"))
        with open(device.path("pair/inner/of-" + device.name), "wb") as out:
            out.write(b"pair")
    first.synced()
    with open(second.path("ballast"), "wb") as out:  # so that the sync takes its time
        for _ in range(256):
            out.write(os.urandom(1 << 20))
    stored = bytes_below(second.repository)
    sync = threading.Thread(target=second.sync, kwargs={"ok": False})
    sync.start()
    while sync.is_alive() and bytes_below(second.repository) < stored + (1 << 20):
        time.sleep(0.01)  # what is sent has been sealed
    os.rename(second.path("leaving/moving"), second.path("arrived"))
    for name in ("leaving", "emptied", "pair"):
        shutil.rmtree(second.path(name))
        e2e.check(not os.path.exists(second.path(name)), f"{name} is there")  # which the kernel remembers
    e2e.check(sync.is_alive(), "the sync was over before the directories were removed: it needs more ballast")
    sync.join()
    expected = ["leaving/deep/changed", "leaving/one", "arrived/known", "pair/inner/of-first"]

    def files(device):
        found = []
        for name in ("leaving", "emptied", "arrived", "pair"):
            if os.path.exists(device.path(name)):
                found += sorted(os.path.relpath(os.path.join(top, file), device.mount_point) for top, _, files in os.walk(device.path(name)) for file in files) or [name + " is empty"]
        return found

    e2e.check(files(second) == expected, f"after the sync there are {files(second)}")
    os.unlink(second.path("ballast"))
    for device in (second, first):
        device.sync(ok=False)
    rest((first, second), "directories that are gone")
    for device in (first, second):
        e2e.check(files(device) == expected, f"{device.name} has {files(device)}")
    for name in ("leaving/deep/changed", "arrived/known"):
        e2e.check(contents((first, second), name) == [b"NEWS!"] * 2, f"{name}: {contents((first, second), name)}")


def check_same_bytes(first, second):
    """Both have the same new file open for writing, and write no more."""
    kept = []
    for device in (first, second):
        kept.append(open(device.path("same"), "wb", buffering=0))
        kept[-1].write(b"the same")
    rest((first, second), "the same file")
    same((first, second), "same", "st_ino")
    kept[1].write(b", and more")
    for file in kept:
        file.close()
    rest((first, second), "the same file at rest")
    e2e.check(contents((first, second), "same") == [b"the same, and more"] * 2, "what was written last is lost")


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    options = parser.parse_args()
    with e2e.scratch("satchel-busy.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
        try:
            first.mount()
            second.mount()
            for check in (check_new_file, check_gone, check_moved_directory, check_reverted, check_open_for_long, check_directory_over_file, check_directory, check_removed_during_sync, check_same_bytes):
                check(first, second)
                print(f"{check.__name__}: at rest")
            for device in (first, second):
                before = {path: os.stat(device.path(path)).st_ino for path in ("new", "both", "both/below", "same")}
                device.umount()
                device.mount()
                after = {path: os.stat(device.path(path)).st_ino for path in before}
                e2e.check(after == before, f"{device.name}: {after} after a remount, {before} before")
            e2e.check_repository(satchel, repository)
        finally:
            first.tidy()
            second.tidy()


e2e.main(test)
