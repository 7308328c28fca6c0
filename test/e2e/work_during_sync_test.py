#!/usr/bin/env python3
"""What people do while their workspace is synced is neither lost nor seen wrong.

usage: work_during_sync_test.py SATCHEL [--seconds N] [--seed N]

Processes work in a mount, each in a folder of its own, and know what they wrote: they append, replace, rename files and directories, link, change attributes, and keep descriptors open. Meanwhile syncs follow each other, so
changes fall between a seal and the base switch, and into the switch. After each change the file is read by its name; at the end everything is compared there, after another mount, and on a second device.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time

import satchel_e2e as e2e

WORKERS = 4
ROWS = 3000  # changed beside the work, so that a switch takes its time


class Worker:
    """Works in `folder`; `files` maps each path in it to the bytes that it must have."""

    def __init__(self, folder, seed):
        self.folder, self.random = folder, random.Random(seed)
        self.files, self.links, self.kept = {}, {}, []
        self.directories = ["d0", "d1", "d2"]
        self.made = 0
        for directory in self.directories:
            os.makedirs(self.at(directory))
        for _ in range(8):
            self.make()

    def at(self, path):
        return os.path.join(self.folder, path)

    def fresh(self, kind):
        self.made += 1
        return f"{kind}{self.made}"

    def file(self):
        return self.random.choice(sorted(self.files))

    def write(self, path, flags, content):
        descriptor = os.open(self.at(path), os.O_WRONLY | flags, 0o644)
        os.write(descriptor, content)
        time.sleep(self.random.choice((0, 0, 0.002)))
        os.close(descriptor)

    def make(self):
        path = os.path.join(self.random.choice(self.directories), self.fresh("f"))
        self.files[path] = os.urandom(self.random.choice((20, 3000, 80_000)))
        self.write(path, os.O_CREAT | os.O_EXCL, self.files[path])

    def append(self):
        path = self.file()
        content = self.fresh("+").encode()
        self.write(path, os.O_APPEND, content)
        self.see(path, self.files[path] + content)

    def overwrite(self):
        path = self.file()
        content = self.fresh("new").encode()
        self.write(path, os.O_TRUNC, content)
        self.see(path, content)

    def see(self, path, content):
        for name in (path, *(other for other in self.files if self.links.get(other) == self.links.get(path, path))):
            self.files[name] = content

    def replace(self):
        path = self.file()
        self.links.pop(path, None)
        content = self.fresh("replaced").encode()
        self.write(path + ".tmp", os.O_CREAT | os.O_EXCL, content)
        os.rename(self.at(path + ".tmp"), self.at(path))
        self.files[path] = content

    def attributes(self):
        path = self.at(self.file())
        os.chmod(path, self.random.choice((0o600, 0o644, 0o755)))
        if self.random.random() < 0.5:
            os.utime(path, (self.made, self.made))
        os.setxattr(path, "user.note", self.fresh("x").encode())

    def rename(self):
        path = self.file()
        other = os.path.join(self.random.choice(self.directories), self.fresh("f"))
        os.rename(self.at(path), self.at(other))
        self.files[other] = self.files.pop(path)
        if path in self.links:
            self.links[other] = self.links.pop(path)

    def rename_directory(self):
        directory = self.directories.pop(self.random.randrange(3))
        other = self.fresh("d")
        os.rename(self.at(directory), self.at(other))
        self.directories.append(other)
        moved = lambda path: other + path[len(directory):] if path.startswith(directory + "/") else path
        self.files = {moved(path): content for path, content in self.files.items()}
        self.links = {moved(path): group for path, group in self.links.items()}

    def link(self):
        path = self.file()
        other = os.path.join(self.random.choice(self.directories), self.fresh("l"))
        os.link(self.at(path), self.at(other))
        group = self.links.setdefault(path, self.fresh("group"))
        self.links[other] = group
        self.files[other] = self.files[path]

    def remove(self):
        if len(self.files) < 8:
            return self.make()
        path = self.file()
        os.unlink(self.at(path))
        self.links.pop(path, None)
        del self.files[path]
        return None

    def keep_open(self):
        """A descriptor for reading shows what was there, or what is now, and the file opens again beside it."""
        self.kept.append(os.open(self.at(self.file()), os.O_RDONLY))
        if len(self.kept) > 5:
            os.close(self.kept.pop(0))

    def check(self, place):
        for path, content in sorted(self.files.items()):
            found = e2e.read_or_none(os.path.join(place, path))
            e2e.check(found == content, f"{place}/{path}: {found and found[-40:]!r} of {found and len(found)} bytes, expected {content[-40:]!r} of {len(content)}")
            links = os.stat(os.path.join(place, path)).st_nlink
            names = sum(1 for other in self.files if other == path or path in self.links and self.links.get(other) == self.links[path])
            e2e.check(links == names, f"{place}/{path}: {links} links, expected {names}")

    def work(self, until):
        steps = (self.make, self.append, self.append, self.append, self.overwrite, self.replace, self.attributes, self.rename, self.rename_directory, self.link, self.remove, self.keep_open)
        done = 0
        while time.monotonic() < until:
            self.random.choice(steps)()
            done += 1
            if done % 20 == 0:
                self.check(self.folder)
        return done


def work_in_process(folder, seed, until, report):
    """Forks; the child works and writes what must be there to `report`."""
    child = os.fork()
    if child != 0:
        return child
    status = 1
    try:
        worker = Worker(folder, seed)
        done = worker.work(until)
        worker.check(folder)
        with open(report, "w", encoding="ascii") as out:
            json.dump({"steps": done, "files": {path: content.hex() for path, content in worker.files.items()}, "links": worker.links}, out)
        status = 0
    except (e2e.Failed, OSError) as error:
        print(f"{folder}, seed {seed}: {error}", file=sys.stderr)
    finally:
        os._exit(status)


def check_reports(reports, place):
    for name, report in reports.items():
        with open(report, encoding="ascii") as source:
            known = json.load(source)
        worker = Worker.__new__(Worker)
        worker.files = {path: bytes.fromhex(content) for path, content in known["files"].items()}
        worker.links = known["links"]
        worker.check(os.path.join(place, name))


def run(satchel, folder, repository, options):
    first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
    try:
        first.mount()
        rows = first.path("rows")
        os.mkdir(rows)
        for number in range(ROWS):
            open(os.path.join(rows, str(number)), "wb").close()
        until = time.monotonic() + options.seconds
        reports = {f"work{number}": os.path.join(folder, f"report{number}") for number in range(WORKERS)}
        children = [work_in_process(first.path(name), options.seed + number, until, report) for number, (name, report) in enumerate(reports.items())]
        rounds = 0
        while time.monotonic() < until:
            for number in range(0, ROWS, 3):
                os.utime(os.path.join(rows, str(number)), (rounds, rounds))
            done = first.sync(ok=False)
            e2e.check(done.returncode in (0, 3), f"sync {rounds}: exit {done.returncode} {done.stdout.decode()}{done.stderr.decode()}")
            rounds += 1
        failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
        e2e.check(not failed, f"{len(failed)} of {WORKERS} workers found something wrong")
        steps = sum(json.load(open(report, encoding="ascii"))["steps"] for report in reports.values())
        print(f"{steps} steps of {WORKERS} workers during {rounds} syncs, seed {options.seed}")
        e2e.check(rounds >= 2 and steps >= 100, "too little happened for this to say anything")
        check_reports(reports, first.mount_point)
        first.umount()
        first.mount()
        check_reports(reports, first.mount_point)
        first.synced(("--allow-deletes",))
        second.mount()
        check_reports(reports, second.mount_point)
        e2e.check_repository(satchel, repository)
    finally:
        first.tidy()
        second.tidy()


def check_reopening(satchel, folder, repository):
    """Small files that are open, or run, while they become the base's; and one that another device changed."""
    first, second = (e2e.Device(satchel, folder, name, repository) for name in ("third", "fourth"))
    try:
        first.mount()
        second.mount()
        with open(first.path("small"), "wb") as out:
            out.write(b"small")
        with open(first.path("large"), "wb") as out:
            out.write(bytes(200_000))
        subprocess.run(["cp", "/bin/sleep", first.path("sleep")], check=True)
        running = subprocess.Popen([first.path("sleep"), "600"])
        with open(first.path("small"), "rb") as small:
            first.synced()
            e2e.check(e2e.read_or_none(first.path("small")) == b"small" and small.read() == b"small", "an open file became the base's and cannot be read")
            subprocess.run([first.path("sleep"), "0"], check=True)
        running.kill()
        running.wait()
        second.synced()
        with open(first.path("large"), "rb") as large:
            with open(second.path("large"), "ab") as out:
                out.write(b"changed elsewhere")
            second.synced()
            first.synced()
            try:
                os.close(os.open(f"/proc/self/fd/{large.fileno()}", os.O_RDWR))
            except OSError as error:
                e2e.check(error.errno == 116, f"reopening what has changed elsewhere: {error}")  # ESTALE
            e2e.check(len(large.read()) == 200_000, "an open descriptor lost its content")
        e2e.check(os.stat(first.path("large")).st_size == 200_017, "the pull is not seen")
    finally:
        first.tidy()
        second.tidy()


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SATCHEL_SEED", time.time_ns() % 2**31)))
    options = parser.parse_args()
    with e2e.scratch("satchel-work.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        check_reopening(satchel, folder, repository)
        run(satchel, folder, repository, options)


e2e.main(test)
