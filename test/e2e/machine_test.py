#!/usr/bin/env python3
"""What belongs to a machine stays with it: two machine ids of one workspace differ, stay so, and both are in every version.

usage: machine_test.py SATCHEL
"""

import os
import sys

import satchel_e2e as e2e

MACHINE_FILES = ("etc/hostname", "etc/hosts", "etc/ssh/ssh_host_ed25519_key", "home/ada/.config/monitors.xml", "var/lib/NetworkManager/secret_key")


def write(device, path, text):
    os.makedirs(os.path.dirname(device.path(path)), exist_ok=True)
    with open(device.path(path), "w", encoding="ascii") as out:
        out.write(text)


def expect(device, contents):
    for path, text in contents.items():
        found = e2e.read_or_none(device.path(path))
        expected = None if text is None else text.encode()
        e2e.check(found == expected, f"{device.name}: {path} holds {found!r}, expected {expected!r}")


def own(name):
    return {path: f"{path} of {name}\n" for path in MACHINE_FILES}


def sync_all(*devices):
    for device in (*devices, *devices):
        data = device.synced()
        e2e.check(data["conflicts"] == 0, f"{device.name}: {data}")


def fresh(satchel, folder, name, machine, repository):
    """A new device, with a store of its own, that has this machine's id."""
    device = e2e.Device(satchel, folder, name, repository)
    device.identity["SATCHEL_MACHINE_ID"] = machine
    device.mount()
    return device


def test():
    with e2e.scratch("satchel-machine.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        golden = os.path.join(folder, "golden")
        e2e.make_base_tree(golden)
        for path, text in (("etc/hosts", "127.0.0.1 localhost\n"), ("etc/hostname", "golden\n")):
            with open(os.path.join(golden, path), "w", encoding="ascii") as out:
                out.write(text)
        repository = e2e.make_world(satchel, folder)
        first = e2e.Device(satchel, folder, "first", repository)
        second = e2e.Device(satchel, folder, "second", repository)
        devices = [first, second]
        try:
            first.mount()
            second.mount()
            for device in (first, second):
                for path, text in own(device.name).items():
                    write(device, path, text)
                said = satchel.data("explain", device.path("etc/hosts"))
                e2e.check(said["action"] == "machine" and said["area"] == "machine", f"{said}")
            write(first, "home/ada/letter", "for all")
            sync_all(first, second)
            expect(first, own("first"))
            expect(second, {**own("second"), "home/ada/letter": "for all"})
            said = satchel.data("explain", first.path("etc/hosts"))
            e2e.check(said["layer"] == "machine" and said["state"] == "synced", f"{said}")

            # They stay so over more rounds, changes, a deletion and new mounts.
            write(first, "etc/hosts", "changed by first\n")
            os.unlink(second.path("etc/hostname"))
            write(second, "home/ada/letter", "edited")
            sync_all(first, second)
            first_has = {**own("first"), "etc/hosts": "changed by first\n", "home/ada/letter": "edited"}
            second_has = {**own("second"), "etc/hostname": None, "home/ada/letter": "edited"}
            for device, contents in ((first, first_has), (second, second_has)):
                device.umount()
                device.mount()
                expect(device, contents)
            sync_all(second, first)
            expect(first, first_has)
            expect(second, second_has)

            # Both are in the version: a new store with a machine's id has that machine's files, a stranger the image's.
            for name, machine, contents in (("again1", "first", first_has), ("again2", "second", second_has)):
                devices.append(fresh(satchel, folder, name, machine, repository))
                expect(devices[-1], contents)
            devices.append(fresh(satchel, folder, "stranger", "third", repository))
            expect(devices[-1], {**{path: None for path in MACHINE_FILES}, "etc/hosts": "127.0.0.1 localhost\n", "etc/hostname": "golden\n",
                                 "home/ada/letter": "edited"})
            for device in devices[2:]:
                device.umount()
            e2e.check_repository(satchel, repository)
        finally:
            for device in devices:
                device.tidy()


e2e.main(test)
