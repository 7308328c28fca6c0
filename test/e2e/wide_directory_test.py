#!/usr/bin/env python3
"""One file of a very wide directory changes: how many pages does the sync encode?

usage: wide_directory_test.py SATCHEL [--entries N]

A directory of 1,000,000 files goes straight into a repository. In a mounted workspace one of them changes, one goes and one comes: each time the sync may encode 10 pages.
"""

import argparse
import os
import tarfile

import satchel_e2e as e2e


def write_archive(out, entries):
    """A tar with `entries` empty files in /srv/wide. All headers are one, with name and checksum put in."""
    folders = b"".join(header_of(name, tarfile.DIRTYPE, 0o755) for name in ("srv", "srv/wide"))
    out.write(folders)
    template = bytearray(header_of("srv/wide/00000000", tarfile.REGTYPE, 0o644))
    name_at = len("srv/wide/")
    base_sum = sum(template) - sum(template[148:156]) + 8 * ord(" ") - 8 * ord("0")
    for number in range(entries):
        digits = b"%08d" % number
        template[name_at:name_at + 8] = digits
        template[148:156] = b"%06o\0 " % (base_sum + sum(digits))
        out.write(template)
    out.write(bytes(1024))


def header_of(name, kind, mode):
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, 1700000000
    return member.tobuf(tarfile.USTAR_FORMAT)


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--entries", type=int, default=1000000)
    options = parser.parse_args()
    with e2e.scratch("satchel-wide.") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world_of_archive(satchel, folder, "wide", lambda out: write_archive(out, options.entries))
        device = e2e.Device(satchel, folder, "first", repository)
        try:
            device.mount()
            wide = device.path("srv/wide")
            e2e.check(len(os.listdir(wide)) == options.entries, "the directory is not whole")

            def change():
                with open(os.path.join(wide, f"{options.entries // 2:08}"), "wb") as file:
                    file.write(b"no longer empty\n")

            def remove():
                os.unlink(os.path.join(wide, f"{options.entries // 3:08}"))

            def make():
                with open(os.path.join(wide, f"{options.entries // 4:08}-more"), "wb") as file:
                    file.write(b"a new one\n")

            for what in (change, remove, make):
                what()
                e2e.check(device.synced()["result"] == "pushed", "nothing was pushed")
                last = satchel.data("status", device.mount_point)["last"]
                print(f"{what.__name__}: {last['pages_encoded']} pages, {last['bytes_sent']} bytes sent, {last['seconds']} s")
                e2e.check(last["pages_encoded"] <= 10, f"{what.__name__}: {last['pages_encoded']} pages encoded")
            device.umount()
        finally:
            device.tidy()


e2e.main(test)
