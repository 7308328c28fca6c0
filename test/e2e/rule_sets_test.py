#!/usr/bin/env python3
"""Two devices of one person with different rules for the same paths: nothing is deleted anywhere.

A snapshot speaks only for the paths that its own rules sync. Each case gives the two devices rule files that disagree, lets both
work, sync several times in both orders and mount again, and then knows what every device and the newest version must hold.

usage: rule_sets_test.py SATCHEL
"""

import os
import shutil
import sys

import satchel_e2e as e2e

HEAD = "satchel-rules 1\n[default]\n"


class RuledDevice(e2e.Device):
    """A device with a directory of site rules of its own."""

    def __init__(self, satchel, folder, name, repository, rules):
        super().__init__(satchel, folder, name, repository)
        self.site = os.path.join(folder, name + ".rules.d")
        self.identity["SATCHEL_RULES"] = self.site
        os.makedirs(self.site)
        self.set_rules(rules)

    def set_rules(self, rules):
        """Takes effect with the next mount."""
        with open(os.path.join(self.site, "95-test.rules"), "w", encoding="ascii") as out:
            out.write(HEAD + rules)

    def remount(self):
        self.umount()
        self.mount()

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="ascii") as out:
            out.write(text)

    def read(self, path):
        content = e2e.read_or_none(self.path(path))
        return None if content is None else content.decode()

    def remove(self, path):
        shutil.rmtree(self.path(path)) if os.path.isdir(self.path(path)) else os.unlink(self.path(path))


class World:
    """One repository, two devices, and what the newest version holds."""

    def __init__(self, satchel, folder, rules):
        os.makedirs(folder)
        self.satchel = satchel
        self.repository = e2e.make_world(satchel, folder)
        self.first = RuledDevice(satchel, folder, "first", self.repository, rules[0])
        self.second = RuledDevice(satchel, folder, "second", self.repository, rules[1])

    def __enter__(self):
        self.first.mount()
        self.second.mount()
        return self

    def __exit__(self, *_):
        self.first.tidy()
        self.second.tidy()

    def sync_all(self):
        """Until everybody has what everybody said."""
        for device in (self.first, self.second, self.first, self.second):
            device.synced()

    def version_has(self, path):
        done = self.satchel.run("cat", self.repository, f"ada:{path}", ok=False)
        return done.stdout.decode() if done.returncode == 0 else None

    def expect(self, where, expected):
        """`where`: a device, or None for the newest version. {path: text, or None for absent}"""
        for path, text in expected.items():
            found = where.read(path) if where else self.version_has(path)
            e2e.check(found == text, f"{where.name if where else 'the version'}: {path} holds {found!r}, expected {text!r}")

    def expect_everywhere(self, expected):
        for where in (None, self.first, self.second):
            self.expect(where, expected)


SYNCED = {"home/ada/music/a": "a", "home/ada/music/b": "b", "home/ada/music/sub/c": "c", "home/ada/music/sub/deep/d": "d"}


def local_on_one(world):
    """What the second keeps to itself it may remove, change and move: the first and the version keep all of theirs."""
    first, second = world.first, world.second
    for path, text in SYNCED.items():
        first.write(path, text)
    world.sync_all()
    world.expect_everywhere(SYNCED)

    second.remove("home/ada/music/a")
    second.write("home/ada/music/b", "b of second")
    second.write("home/ada/music/own", "own")
    os.rename(second.path("home/ada/music/sub"), second.path("home/ada/music/moved"))
    here = {"home/ada/music/a": None, "home/ada/music/b": "b of second", "home/ada/music/own": "own", "home/ada/music/sub/c": None,
            "home/ada/music/moved/c": "c", "home/ada/music/moved/deep/d": "d"}
    for _ in range(2):
        world.sync_all()
        world.expect(None, {**SYNCED, "home/ada/music/own": None, "home/ada/music/moved/c": None})
        world.expect(first, {**SYNCED, "home/ada/music/own": None, "home/ada/music/moved/c": None})
        world.expect(second, here)
        second.remount()

    # The first goes on: what is new to the second arrives, what it has its own of stays its own.
    first.write("home/ada/music/b", "b, newer")
    first.write("home/ada/music/new", "new")
    second.write("home/ada/letter", "travels")
    world.sync_all()
    world.expect(None, {"home/ada/music/b": "b, newer", "home/ada/music/new": "new", "home/ada/letter": "travels", "home/ada/music/a": "a"})
    world.expect(first, {"home/ada/music/b": "b, newer", "home/ada/music/new": "new", "home/ada/letter": "travels"})
    world.expect(second, {**here, "home/ada/music/new": "new"})

    # All of it removed on the second is removed nowhere else, however many files that is.
    for number in range(120):
        first.write(f"home/ada/music/many/{number}", "m")
    world.sync_all()
    second.remove("home/ada/music/many")
    world.sync_all()
    many = {f"home/ada/music/many/{number}": "m" for number in range(120)}
    world.expect(None, many)
    world.expect(first, many)
    world.expect(second, {path: None for path in many})


def local_directory_itself(world):
    """The directory's own name is local too; the second removes it whole."""
    for path, text in SYNCED.items():
        world.first.write(path, text)
    world.sync_all()
    world.second.remove("home/ada/music")
    world.sync_all()
    world.second.remount()
    world.sync_all()
    world.expect(None, SYNCED)
    world.expect(world.first, SYNCED)
    e2e.check(not os.path.exists(world.second.path("home/ada/music")), "the second keeps what it removed away")
    # One of the same name is the second's own again.
    world.second.write("home/ada/music/b", "mine")
    world.sync_all()
    world.expect(None, SYNCED)
    world.expect(world.first, SYNCED)
    world.expect(world.second, {"home/ada/music/b": "mine", "home/ada/music/a": None})


def local_on_both_then_changed(world):
    """Each keeps something else to itself; then the rules change on one, in both directions."""
    first, second = world.first, world.second
    first.write("home/ada/x/of-first", "1")
    first.write("home/ada/y/of-first", "1")
    second.write("home/ada/x/of-second", "2")
    second.write("home/ada/y/of-second", "2")
    world.sync_all()
    # The first keeps x to itself, the second y.
    world.expect(None, {"home/ada/x/of-first": None, "home/ada/y/of-first": "1", "home/ada/x/of-second": "2", "home/ada/y/of-second": None})
    world.expect(first, {"home/ada/x/of-first": "1", "home/ada/y/of-first": "1", "home/ada/x/of-second": "2", "home/ada/y/of-second": None})
    world.expect(second, {"home/ada/x/of-first": None, "home/ada/y/of-first": "1", "home/ada/x/of-second": "2", "home/ada/y/of-second": "2"})

    # From sync to local: no deletion, on neither side, and what is changed there afterwards stays there.
    first.set_rules("local ~/{x,y}/**\n")
    first.remount()
    world.sync_all()
    world.expect_everywhere({"home/ada/y/of-first": "1", "home/ada/x/of-second": "2"})
    first.remove("home/ada/y/of-first")
    first.remove("home/ada/x/of-second")
    world.sync_all()
    world.expect(None, {"home/ada/y/of-first": "1", "home/ada/x/of-second": "2"})
    world.expect(second, {"home/ada/y/of-first": "1", "home/ada/x/of-second": "2", "home/ada/y/of-second": "2"})

    # From local to sync: what was only here arrives everywhere.
    second.set_rules("")
    second.remount()
    world.sync_all()
    world.expect(None, {"home/ada/y/of-second": "2", "home/ada/y/of-first": "1", "home/ada/x/of-second": "2"})
    world.expect(second, {"home/ada/y/of-second": "2", "home/ada/y/of-first": "1", "home/ada/x/of-second": "2"})
    world.expect(first, {"home/ada/y/of-second": "2", "home/ada/x/of-first": "1"})


def other_classes(world):
    """The two put one path into different areas: it is one file all the same, and lives on through edits on both sides."""
    path = "home/ada/desk/plan"
    world.first.write(path, "1")
    world.sync_all()
    for round_number, device in enumerate((world.second, world.first, world.second, world.first)):
        device.write(path, f"edit {round_number}")
        device.write(f"home/ada/desk/more{round_number}", "m")
        world.sync_all()
        world.expect_everywhere({path: f"edit {round_number}", **{f"home/ada/desk/more{n}": "m" for n in range(round_number + 1)}})
    world.second.remove(path)
    world.sync_all()
    world.expect_everywhere({path: None, "home/ada/desk/more0": "m"})


def machine_on_one(world):
    """A machine's own file on the first, a synced one on the second: each keeps what it wrote."""
    first, second = world.first, world.second
    first.write("etc/where", "first")
    world.sync_all()
    world.expect(second, {"etc/where": None})
    second.write("etc/where", "everywhere")
    world.sync_all()
    world.expect(first, {"etc/where": "first"})
    world.expect(second, {"etc/where": "everywhere"})
    first.remount()
    second.remount()
    world.sync_all()
    world.expect(first, {"etc/where": "first"})
    world.expect(second, {"etc/where": "everywhere"})
    world.expect(None, {"etc/where": "everywhere"})


def moved_between(world):
    """Out of what travels and into it, on the device that keeps a place to itself."""
    first, second = world.first, world.second
    first.write("home/ada/paper/p", "p")
    first.write("home/ada/keep/k", "k")
    world.sync_all()
    world.expect_everywhere({"home/ada/paper/p": "p", "home/ada/keep/k": "k"})
    second.write("home/ada/keep/mine", "mine")
    os.rename(second.path("home/ada/keep/k"), second.path("home/ada/brought"))
    world.sync_all()
    # What is brought out travels; where it came from nobody else loses it.
    world.expect_everywhere({"home/ada/brought": "k", "home/ada/paper/p": "p"})
    world.expect(None, {"home/ada/keep/k": "k", "home/ada/keep/mine": None})
    world.expect(first, {"home/ada/keep/k": "k"})
    world.expect(second, {"home/ada/keep/k": None, "home/ada/keep/mine": "mine"})
    second.remount()
    world.sync_all()
    world.expect(first, {"home/ada/keep/k": "k", "home/ada/brought": "k"})
    world.expect(second, {"home/ada/keep/k": None, "home/ada/brought": "k", "home/ada/keep/mine": "mine"})


CASES = (
    (local_on_one, ("", "local ~/music/**\n")),
    (local_directory_itself, ("", "local ~/music{,/**}\n")),
    (local_on_both_then_changed, ("local ~/x/**\n", "local ~/y/**\n")),
    (other_classes, ("sync ~/desk/** class=data\n", "sync ~/desk/** class=app\n")),
    (machine_on_one, ("machine /etc/where\n", "sync /etc/where class=sysdata\n")),
    (moved_between, ("", "local ~/keep/**\n")),
)


def test():
    with e2e.scratch("satchel-rulesets.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        failures = []
        for case, rules in CASES:
            try:
                with World(satchel, os.path.join(folder, case.__name__), rules) as world:
                    case(world)
                    e2e.check_repository(satchel, world.repository)
            except e2e.Failed as failure:
                failures.append(f"{case.__name__}: {failure}")
        e2e.check(not failures, "\n".join(failures))


e2e.main(test)
