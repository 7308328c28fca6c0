#!/usr/bin/env python3
"""A large base file is changed through the mount and on a plain copy: same bytes, also after kill -9, a sync, and on a second device.

usage: block_copy_test.py SATCHEL
"""

import mmap
import os
import random
import sys

import satchel_e2e as e2e

SIZE = 80 << 20  # beyond the size from which files are copied block by block
STEPS = 150
PATH = "data/disk.img"


def make_large(path):
    """Mostly holes, as a disk image: quick to make, and holes are to stay holes."""
    with open(path, "wb") as out:
        for start in range(0, SIZE, 8 << 20):
            out.seek(start)
            out.write(os.urandom(1 << 20))
        out.truncate(SIZE)


def change(choice, path):
    """One random change, drawn from `choice`: the same for the same state of it."""
    kind = choice.random()
    size = os.path.getsize(path)
    offset = choice.randrange(size)
    content = choice.randbytes(choice.choice((1, 300, 4096, 10_000)))
    with open(path, "r+b") as out:
        if kind < 0.6:
            os.pwrite(out.fileno(), content, offset)
        elif kind < 0.7:
            os.pwrite(out.fileno(), content, offset // 4096 * 4096)
        elif kind < 0.8:
            out.seek(0, os.SEEK_END)
            out.write(content)
        elif kind < 0.9:
            os.truncate(path, max(SIZE // 2, size - choice.randrange(20_000)))
        else:
            page = mmap.mmap(out.fileno(), 0)
            page[offset : offset + 1] = b"m"
            page.flush()
            page.close()


def check_same(found, expected, when):
    result = e2e.subprocess.run(["cmp", found, expected], capture_output=True, text=True)
    e2e.check(result.returncode == 0, f"{when}: {result.stdout}{result.stderr}")


def allocated(folder):
    return sum(
        os.lstat(os.path.join(place, name)).st_blocks * 512 for place, _, names in os.walk(folder) for name in names
    )


def upper_of(device):
    for place, folders, _ in os.walk(device.store):
        if "upper" in folders and "meta" in folders:
            return os.path.join(place, "upper")
    raise AssertionError(f"{device.store} has no upper/")


def run(satchel, folder, repository, plain):
    seed = int(os.environ.get("SATCHEL_TEST_SEED", "14"))
    print(f"seed {seed}")
    ours, theirs = random.Random(seed), random.Random(seed)
    first, second = (e2e.Device(satchel, folder, name, repository) for name in ("first", "second"))
    try:
        first.mount()
        path = first.path(PATH)
        with open(path, "r+b") as out:
            os.pwrite(out.fileno(), b"first", 12345)
        with open(plain, "r+b") as out:
            os.pwrite(out.fileno(), b"first", 12345)
        used = allocated(upper_of(first))
        e2e.check(used < 1 << 20, f"the first write to a file of {SIZE} bytes copied {used} bytes")
        for step in range(STEPS):
            change(ours, path)
            change(theirs, plain)
            if step % 40 == 39:
                e2e.kill_and_wait(first.pid())
                first.mount()
                check_same(path, plain, f"after kill -9 at step {step}")
        check_same(path, plain, "after all changes")
        first.synced()
        check_same(path, plain, "after the sync")
        change(ours, path)
        change(theirs, plain)
        first.synced()
        second.mount()
        check_same(second.path(PATH), plain, "on the second device")
        e2e.check_repository(satchel, repository)
    finally:
        first.tidy()
        second.tidy()


def test():
    with e2e.scratch("satchel-block-copy.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        tree = os.path.join(folder, "tree")
        os.makedirs(os.path.join(tree, "data"))
        make_large(os.path.join(tree, PATH))
        repository = os.path.join(folder, "repository")
        satchel.run("init", repository)
        satchel.run("import", repository, "os/large", "--from", tree)
        satchel.run("image", "create", repository, "large", "--layer", "os/large@1")
        satchel.run("workspace", "create", repository, "ada", "--image", "large@1")
        run(satchel, folder, repository, os.path.join(tree, PATH))


if __name__ == "__main__":
    e2e.main(test)
