#!/usr/bin/env python3
"""Bad input: each kind gets its own clear error and exit code, and nothing is hurt by it.

usage: bad_input_test.py SATCHEL
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile

import satchel_e2e as e2e


def pack_files(repository):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(repository, "packs"))
                  for name in names if os.path.basename(folder) != "tmp")


def clear(error, *words):
    """An error for people: it says something, and mentions each of `words` in message, path or hint."""
    text = " ".join(str(error.get(field) or "") for field in ("message", "path", "hint"))
    for word in words:
        e2e.check(word in text, f"the error does not mention {word!r}: {error}")
    e2e.check(error["code"].startswith("SAT-"), f"no number: {error}")


def test_truncated_archive(satchel, folder, repository):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number in range(20):
            member = tarfile.TarInfo(f"dir/file{number}")
            member.size = 10000
            tar.addfile(member, io.BytesIO(os.urandom(10000)))
    path = os.path.join(folder, "cut.tar")
    with open(path, "wb") as out:
        out.write(archive.getvalue()[:123456])
    clear(satchel.fails(7, "import", repository, "group/cut", "--from", path))
    with open(path, "wb") as out:
        out.write(b"this is no archive at all" * 100)
    clear(satchel.fails(7, "import", repository, "group/cut", "--from", path))
    satchel.fails(9, "ls", repository, "group/cut@1")


def test_missing_things(satchel, folder, repository):
    clear(satchel.fails(9, "image", "create", repository, "other", "--layer", "os/nowhere@1"), "os/nowhere")
    clear(satchel.fails(9, "image", "create", repository, "other", "--layer", "os/golden@99"), "99")
    clear(satchel.fails(9, "workspace", "create", repository, "bob", "--image", "nothing@1"), "nothing")
    clear(satchel.fails(9, "cat", repository, "os/golden@1:etc/nofile"), "nofile")
    clear(satchel.fails(9, "log", repository, "nobody"), "nobody")
    clear(satchel.fails(9, "import", repository, "os/x", "--from", os.path.join(folder, "absent")), "absent")
    clear(satchel.fails(9, "fsck", os.path.join(folder, "absent")), "absent")
    clear(satchel.fails(2, "import", repository, "os/Bad Name", "--from", folder), "Bad Name")
    clear(satchel.fails(2, "import", repository, "planet/x", "--from", folder), "planet")
    e2e.check(satchel.run("nonsense", ok=False).returncode == 2, "an unknown command is a usage error")
    e2e.check(satchel.run("mount", ok=False).returncode == 2, "missing arguments are a usage error")


def test_mount_point(satchel, folder, repository):
    common = ("mount", "--repo", repository, "--store", os.path.join(folder, "s"), "ada")
    clear(satchel.fails(9, *common, os.path.join(folder, "no-such-directory")), "no-such-directory")
    plain = os.path.join(folder, "plain")
    with open(plain, "w", encoding="ascii"):
        pass
    e2e.check(satchel.run(*common, plain, ok=False).returncode != 0, "a file is no mount point")
    e2e.check(satchel.run("umount", folder, ok=False).returncode == 13, "umount of what is not a Satchel mount")
    e2e.check(satchel.run("sync", folder, ok=False).returncode == 13, "sync of what is not a Satchel mount")


def test_store_in_use(satchel, folder, repository):
    first = e2e.Device(satchel, folder, "one", repository)
    other = os.path.join(folder, "other.view")
    os.makedirs(other)
    first.mount()
    try:
        error = satchel.fails(6, "mount", "--repo", repository, "--store", first.store, "ada", other)
        clear(error, str(first.pid()))
    finally:
        first.tidy()


def test_wrong_repository(satchel, folder, repository):
    device = e2e.Device(satchel, folder, "mine", repository)
    device.mount()
    with open(device.path("home/ada/precious"), "w", encoding="ascii") as out:
        out.write("not synced yet")
    device.umount()
    stranger = os.path.join(folder, "stranger")
    os.makedirs(stranger)
    device.repository = e2e.make_world(satchel, stranger)
    done = device.mount(ok=False)
    e2e.check(done.returncode == 7, f"a store of another repository: exit {done.returncode}: {done.stderr}")
    device.repository = repository
    device.mount()
    with open(device.path("home/ada/precious"), encoding="ascii") as file:
        e2e.check(file.read() == "not synced yet", "the refused mount hurt the store")
    device.synced()
    device.umount()


def test_unknown_format(satchel, folder, repository):
    newer = os.path.join(folder, "newer")
    shutil.copytree(repository, newer)
    path = os.path.join(newer, "format")
    with open(path, encoding="ascii") as file:
        text = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.write(text.replace("satchel repository 0", "satchel repository 9"))
    clear(satchel.fails(12, "log", newer, "ada"), "9")
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "shiny new-thing\n")
    clear(satchel.fails(12, "log", newer, "ada"), "shiny")
    record = os.path.join(newer, "refs/users/ada/1")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    with open(record, "rb") as file:
        content = file.read()
    with open(record, "wb") as file:
        file.write(content.replace(b"SATREF00", b"SATREF09", 1))
    clear(satchel.fails(12, "log", newer, "ada"))


def test_corrupted_pack(satchel, folder, repository):
    """Whatever byte is hit: fsck names it, reading gives an error or the right bytes, never wrong ones."""
    bad = os.path.join(folder, "bad")
    with open(os.path.join(folder, "golden/home/ada/base003"), "rb") as file:
        right = file.read()
    packs = pack_files(repository)
    data = max(packs, key=os.path.getsize)
    for at in (20, os.path.getsize(data) // 2, os.path.getsize(data) - 100, os.path.getsize(data) - 10):
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(repository, bad)
        path = data.replace(repository, bad, 1)
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
        report = satchel.run("--json", "fsck", bad, ok=False)
        e2e.check(report.returncode == 7, f"fsck of a flipped byte at {at}: exit {report.returncode}")
        e2e.check(os.path.basename(path)[:16].encode() in report.stdout, "fsck does not name the pack")
        done = satchel.run("cat", bad, "os/golden@1:home/ada/base003", ok=False)
        e2e.check(done.returncode == 7 or done.stdout == right, f"wrong bytes after a flip at {at}")


def test_read_only_repository(satchel, folder, repository):
    frozen = os.path.join(folder, "frozen")
    os.makedirs(frozen)
    subprocess.check_call(["mount", "--bind", repository, frozen])
    try:
        subprocess.check_call(["mount", "-o", "remount,bind,ro", frozen])
        clear(satchel.fails(1, "import", frozen, "group/tool", "--from", os.path.join(folder, "golden/etc")), frozen)
        satchel.run("log", frozen, "ada")
        device = e2e.Device(satchel, folder, "reader", frozen)
        device.mount()
        try:
            with open(device.path("home/ada/offline"), "w", encoding="ascii") as out:
                out.write("kept")
            done = device.sync(ok=False)
            e2e.check(done.returncode == 1, f"sync to a read-only repository: exit {done.returncode}")
            subprocess.check_call(["mount", "-o", "remount,bind,rw", frozen])
            e2e.check(device.synced()["result"] == "pushed", "after the repository became writable the work did not arrive")
        finally:
            device.tidy()
    finally:
        subprocess.check_call(["umount", frozen])


def test_full_disk(satchel, folder, repository):
    small = os.path.join(folder, "small")
    os.makedirs(small)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small])
    try:
        tiny = os.path.join(small, "repo")
        shutil.copytree(repository, tiny)
        big = os.path.join(folder, "big")
        os.makedirs(big, exist_ok=True)
        with open(os.path.join(big, "noise"), "wb") as out:
            out.write(os.urandom(40 << 20))
        clear(satchel.fails(10, "import", tiny, "group/big", "--from", big))
        e2e.check_repository(satchel, tiny, "after a full disk: ")
        satchel.run("import", tiny, "group/small", "--from", os.path.join(folder, "golden/etc"))
    finally:
        subprocess.check_call(["umount", small])


def test():
    binary = sys.argv[1]
    with e2e.scratch("satchel-bad.") as folder:
        satchel = e2e.Satchel(binary, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        for name, case in sorted(globals().items()):
            if name.startswith("test_"):
                place = os.path.join(folder, name)
                os.makedirs(place)
                os.symlink(os.path.join(folder, "golden"), os.path.join(place, "golden"))
                case(satchel, place, repository)
                e2e.check_repository(satchel, repository, f"after {name}: ")
                print(f"ok: {name[5:].replace('_', ' ')}")


e2e.main(test)
