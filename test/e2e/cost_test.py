#!/usr/bin/env python3
"""Cost follows change, and the counters tell the truth.

usage: cost_test.py SATCHEL [--files N]

A tree of 200,000 files goes straight into a repository; 10 of them change in a mounted workspace. The sync may open 10 files and encode
2 pages per directory on the way to a change, plus 20; a second sync nothing. The counters are held against strace and against the sizes of packs. A mount and a
find of the whole tree on an empty store read no content.
"""

import argparse
import io
import os
import re
import subprocess
import tarfile
import time

import satchel_e2e as e2e


def write_archive(out, files):
    """A tar of `files` small files in directories of 100, and a hundred directories of those in each of the upper ones."""
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for name in ("home", "home/ada"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for number in range(files):
            if number % 100 == 0:
                folder = tarfile.TarInfo(f"home/ada/{number // 10000:03}/{number // 100:05}")
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            member = tarfile.TarInfo(f"home/ada/{number // 10000:03}/{number // 100:05}/{number:06}.txt")
            content = b"file %d\n" % number
            member.size, member.mtime = len(content), 1700000000 + number
            tar.addfile(member, io.BytesIO(content))


def pack_bytes(repository):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(os.path.join(repository, "packs")) for name in names)


def traced_sync(device, folder):
    """A sync with the mount's process under strace; returns (data of sync, opened upper files, bytes written to packs)."""
    trace = os.path.join(folder, "trace")
    tracer = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=openat,openat2,write,pwrite64,pwritev,writev", "-o", trace, "-p", str(device.pid())],
                              stderr=subprocess.PIPE, text=True)
    tracer.stderr.readline()  # "Process N attached"
    time.sleep(0.3)
    try:
        data = device.synced()
    finally:
        tracer.terminate()
        tracer.wait(timeout=30)
    opened, written = set(), 0
    with open(trace, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            call = re.search(r"openat2?\(.*= \d+<(.*)>", line)
            if call and "/upper/" in call.group(1) and "O_DIRECTORY" not in line:
                opened.add(call.group(1).removesuffix(".adopted"))  # its second name, on the way to being an object
            call = re.search(r"(?:p?write(?:64|v)?)\(\d+<([^>]*)>.* = (\d+)$", line)
            if call and "/packs/" in call.group(1):
                written += int(call.group(2))
    return data, opened, written


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--files", type=int, default=200000)
    options = parser.parse_args()
    with e2e.scratch("satchel-cost.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world_of_archive(satchel, folder, "many", lambda out: write_archive(out, options.files))

        device = e2e.Device(satchel, folder, "first", repository)
        try:
            device.mount()
            found = subprocess.check_output(["find", device.mount_point, "-type", "f"]).count(b"\n")
            e2e.check(found == options.files, f"find shows {found} files of {options.files}")
            status = satchel.data("status", device.mount_point)
            e2e.check(status["cache"]["bytes_from_repo"] == 0, f"mount and find read content: {status['cache']}")
            with open(device.path("home/ada/000/00000/000007.txt"), "rb") as file:
                e2e.check(file.read() == b"file 7\n", "wrong content")

            step = options.files // 10
            for number in range(0, options.files, step):
                with open(device.path(f"home/ada/{number // 10000:03}/{number // 100:05}/{number:06}.txt"), "ab") as file:
                    file.write(b"changed\n")
            ancestors = 3 + len({n // 10000 for n in range(0, options.files, step)}) + 10  # root, home, ada; upper; leaf directories
            before = pack_bytes(repository)
            data, opened, written = traced_sync(device, folder)
            last = satchel.data("status", device.mount_point)["last"]
            grown = pack_bytes(repository) - before
            print(f"10 of {options.files} changed: {last}; strace: {len(opened)} files opened, {written} bytes to packs; packs grew by {grown}")
            e2e.check(data["result"] == "pushed", f"sync: {data}")
            e2e.check(last["files_opened"] == len(opened) == 10, f"files opened: counted {last['files_opened']}, strace {len(opened)}")
            e2e.check(last["files_hashed"] == 10, f"files hashed: {last['files_hashed']}")
            e2e.check(last["pages_encoded"] <= 2 * ancestors + 20, f"{last['pages_encoded']} pages encoded for {ancestors} directories")
            e2e.check(written == grown, f"strace saw {written} bytes go to packs, they grew by {grown}")
            e2e.check(grown <= last["bytes_sent"] <= grown + 10000, f"bytes sent: counted {last['bytes_sent']}, packs grew by {grown}")
            e2e.check(last["chunks_new"] == 10, f"chunks: {last['chunks_new']}")

            before = pack_bytes(repository)
            data, opened, written = traced_sync(device, folder)
            last = satchel.data("status", device.mount_point)["last"]
            e2e.check(data["result"] == "none" and last["pages_encoded"] == 0 and last["files_opened"] == 0 and not opened and written == 0,
                      f"a sync without change: {data} {last}, {len(opened)} files opened")
            e2e.check(pack_bytes(repository) == before, "a sync without change grew the packs")
            device.umount()
        finally:
            device.tidy()


e2e.main(test)
