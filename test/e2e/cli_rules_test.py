#!/usr/bin/env python3
"""Redirect rules as people meet them: shipped, the site's and the person's own, their faults, and what a mount makes of them.

usage: cli_rules_test.py SATCHEL
"""

import json
import mmap
import os
import sys
import time

import satchel_e2e as e2e

HEAD = "satchel-rules 1\n[default]\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def own_rules(device, name="50-own.rules"):
    return device.path(f"home/{device.user}/.config/satchel/rules.d/{name}")


def check_explain(satchel, device):
    """What `explain` says of a path: the rule, where it stands, the group it is in."""
    profile = "home/ada/.mozilla/firefox/a.default"
    write(device.path(profile + "/prefs.js"), "x")
    said = satchel.data("explain", device.path(profile + "/prefs.js"))
    e2e.check(said["action"] == "sync" and said["class"] == "sysdata" and said["area"] == "sysdata", f"{said}")
    e2e.check(said["group"] == f"firefox/profile@/{profile}", f"{said}")
    e2e.check(said["origin"].startswith("40-firefox.rules:") and said["rule"].startswith("sync "), f"{said}")
    e2e.check(said["state"] == "new, not yet synced", f"{said}")
    said = satchel.data("explain", device.path("usr/bin/x"))
    e2e.check(said["origin"] == "built-in" and said["action"] == "image" and said["group"] is None, f"{said}")
    said = satchel.data("explain", device.path("boot/vmlinuz"))
    e2e.check(said["action"] == "deny" and said["area"] is None, f"{said}")
    said = satchel.data("explain", device.path("home/ada/.ssh/id_x"))
    e2e.check(said["origin"].startswith("40-ssh.rules:"), f"{said}")
    said = satchel.data("explain", device.path("root/.cache/x"))
    e2e.check(said["action"] == "discard", f"root's home is a home: {said}")


def check_group(satchel, device):
    """What else is in a path's group, and that a writer in it is seen: in a real mount, with real descriptors."""
    profile = device.path("home/ada/.mozilla/firefox/g.default")
    write(f"{profile}/prefs.js", "x")
    write(f"{profile}/storage/a.sqlite", "x")
    write(f"{profile}/cache2/entry", "x")
    write(f"{profile}/lock", "x")
    root = "/home/ada/.mozilla/firefox/g.default"

    def unrest(path=f"{profile}/prefs.js"):
        return {(line["path"], line["why"]) for line in satchel.data("explain", path, "--group")["unrest"]}

    said = satchel.data("explain", f"{profile}/prefs.js", "--group")
    e2e.check(sorted(said["members"]) == [f"{root}/cache2", f"{root}/prefs.js", f"{root}/storage", f"{root}/storage/a.sqlite"], f"{said}")
    e2e.check(said["members_count"] == 4 and (f"{root}/prefs.js", "changed a moment ago") in unrest(), f"{said}")
    deadline = time.monotonic() + 20
    while unrest() and time.monotonic() < deadline:
        time.sleep(0.2)
    e2e.check(unrest() == set(), f"{unrest()}")
    with open(f"{profile}/cache2/entry", "a", encoding="utf-8"):
        write(f"{profile}/cache2/new", "x")
        e2e.check(unrest() == set(), f"the cache is none of the group: {unrest()}")
    with open(f"{profile}/storage/a.sqlite", "a", encoding="utf-8"):
        e2e.check(unrest() == {(f"{root}/storage/a.sqlite", "open for writing")}, f"{unrest()}")
    e2e.check(unrest() == set(), "closed, and nothing was written")
    with open(f"{profile}/storage/a.sqlite", "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 1)
    e2e.check((f"{root}/storage/a.sqlite", "open for writing") in unrest(), f"mapped, though closed: {unrest()}")
    mapped.close()
    e2e.check((f"{root}/storage/a.sqlite", "open for writing") not in unrest(), f"{unrest()}")
    os.unlink(f"{profile}/storage/a.sqlite")
    e2e.check((f"{root}/storage", "changed a moment ago") in unrest(), f"{unrest()}")
    e2e.check("members" not in satchel.data("explain", device.path("home/ada/x"), "--group"), "a path without a group")


def check_order(satchel, device, site):
    """A site's file replaces the shipped one of its name; the person's own is read after its namesake and stays in `~`."""
    write(os.path.join(site, "40-firefox.rules"), HEAD + "local ~/.mozilla/**\n")
    write(own_rules(device, "40-firefox.rules"), HEAD + "sync ~/.mozilla/kept class=data\nlocal ~/x/**\n")
    device.umount()
    device.mount()
    for path, action, origin in (("home/ada/.mozilla/firefox/a.default/prefs.js", "local", f"{site}/40-firefox.rules:3"),
                                 ("home/ada/.mozilla/kept", "sync", "/home/ada/.config/satchel/rules.d/40-firefox.rules:3"),
                                 ("home/ada/x/y", "local", "/home/ada/.config/satchel/rules.d/40-firefox.rules:4"),
                                 ("root/x/y", "sync", "10-xdg.rules:10")):
        said = satchel.data("explain", device.path(path))
        e2e.check((said["action"], said["origin"]) == (action, origin), f"{path}: {said}")
    os.unlink(os.path.join(site, "40-firefox.rules"))
    os.unlink(own_rules(device, "40-firefox.rules"))


def check_faults(satchel, device, site):
    """A mount refuses rules with mistakes, names file, line and column, and can be made without the person's own."""
    bad = os.path.join(site, "50-site.rules")
    device.umount()
    for text, place, words in ((HEAD + "sync ~/.mine/** clas=data\n", ":3:17", "unknown key `clas`, did you mean `class`?"),
                               (HEAD + "snyc ~/x\n", ":3:1", "did you mean `sync`"),
                               ("satchel-rules 2\n", ":1:15", "knows only format 1")):
        write(bad, text)
        done = device.mount(ok=False)
        said = done.stderr.decode()
        e2e.check(done.returncode == (12 if "format" in words else 2), f"exit {done.returncode}: {said}")
        e2e.check(bad + place in said and words in said, f"{place} {words}: {said}")
        e2e.check(not device.is_mounted(), "mounted in spite of the fault")
    os.unlink(bad)
    os.symlink("/etc/passwd", bad)
    e2e.check(device.mount(ok=False).returncode == 2, "a link is no rule file")
    os.unlink(bad)

    device.mount()
    write(own_rules(device), HEAD + "local /etc/x\nlocal ~/fine\n")
    device.umount()
    done = device.mount(ok=False)
    said = done.stderr.decode()
    e2e.check(done.returncode == 2 and "/home/ada/.config/satchel/rules.d/50-own.rules:3:7" in said, f"{done.returncode}: {said}")
    e2e.check("--ignore-own-rules" in said, f"no way out is named: {said}")
    device.mount(options=["--ignore-own-rules"])
    e2e.check(satchel.data("explain", device.path("home/ada/fine"))["action"] == "sync", "own rules are left out")
    write(own_rules(device), HEAD + "local ~/fine\n")
    device.umount()
    device.mount()
    e2e.check(satchel.data("explain", device.path("home/ada/fine"))["action"] == "local", "own rules are read again")
    os.unlink(own_rules(device))


def check_bounds(device, site):
    """Rules made to be too large or too deep are refused, and soon."""
    bad = os.path.join(site, "50-site.rules")
    device.umount()
    for what, text in (("10 MB of rules", HEAD + "local ~/some/name/**  # and a comment to fill it\n" * 200_000),
                       ("10,000 directories deep", HEAD + "local ~/" + "d/" * 10_000 + "x\n"),
                       ("10,000 braces deep", HEAD + "local ~/" + "{a," * 10_000 + "b" + "}" * 10_000 + "\n"),
                       ("braces that multiply", HEAD + "local ~/" + "{a,b}" * 40 + "\n"),
                       ("many deep patterns", HEAD + ("local ~/" + "**/x*/" * 100 + "*\n") * 1500)):
        write(bad, text)
        start = time.monotonic()
        done = device.mount(ok=False)
        seconds = time.monotonic() - start
        e2e.check(done.returncode == 2, f"{what}: exit {done.returncode}: {done.stderr.decode()[:500]}")
        e2e.check(seconds < 10, f"{what}: {seconds:.1f} s")
    os.unlink(bad)
    device.mount()


def check_check(satchel, site, folder):
    """`rules check` finds what a mount would refuse, each mistake at its line and column."""
    good = satchel.data("rules", "check")
    e2e.check(good["files"] >= 30 and good["faults"] == [], f"{good}")
    mine = os.path.join(folder, "60-mine.rules")
    write(mine, HEAD + "sync ~/a clas=data\nlocal /etc/x\nlocal ~/b prio=3\n")
    for options, lines in (((), [(3, 10), (5, 7)]), (("--own",), [(3, 10), (4, 7), (5, 7)])):
        done = satchel.run("--json", "rules", "check", *options, mine, ok=False)
        said = json.loads(done.stdout)
        e2e.check(done.returncode == 2 and said["error"]["code"] == "SAT-0202", f"{done.returncode}: {said}")
        e2e.check([(fault["line"], fault["column"]) for fault in said["data"]["faults"]] == lines, f"{options}: {said['data']}")
        e2e.check(all(fault["file"] == mine for fault in said["data"]["faults"]), f"{said['data']}")
    e2e.check("did you mean `class`" in satchel.run("rules", "check", mine, ok=False).stderr.decode(), "no suggestion for people")
    write(os.path.join(site, "61-site.rules"), "satchel-rules 1\n[defualt]\n")
    e2e.check(satchel.run("rules", "check", ok=False).returncode == 2, "the site's own files are checked too")
    os.unlink(os.path.join(site, "61-site.rules"))
    write(mine, HEAD + "local ~/x\n" * 200_000)
    satchel.fails(2, "rules", "check", mine)
    satchel.fails(9, "rules", "check", mine + ".not-there")


def check_test(satchel, folder):
    """`rules test` replays what is shipped, and the cases of a person's own files."""
    shipped = satchel.data("rules", "test")
    e2e.check(shipped["cases"] >= 400 and shipped["failed"] == 0, f"{shipped}")
    rules, cases = os.path.join(folder, "70-mine.rules"), os.path.join(folder, "70-mine.cases")
    write(rules, HEAD + "local ~/scratch/**\n")
    write(cases, "~/scratch/x  local\n~/letter  sync class=data\n")
    e2e.check(satchel.data("rules", "test", rules, cases) == {"cases": 2, "failed": 0, "failures": []}, "own cases")
    done = satchel.run("--json", "rules", "test", cases, ok=False)
    said = json.loads(done.stdout)
    e2e.check(done.returncode == 1 and said["data"]["failed"] == 1, f"{done.returncode}: {said}")
    e2e.check(f"{cases}:1:" in said["data"]["failures"][0]["text"], f"{said}")
    satchel.fails(2, "rules", "test", rules)
    write(cases, "~/scratch/x\n")
    satchel.fails(2, "rules", "test", rules, cases)


def check_reload(satchel, device, site):
    """`rules reload -n` lists what would change; without -n the next sync goes by the rules."""
    rules = own_rules(device, "80-reload.rules")
    for name in ("a", "b/c"):
        write(device.path("home/ada/plans/" + name), name)
    same = satchel.data("rules", "reload", "-n", device.mount_point)
    e2e.check(same["changed"] is False and same["relabelled"] == 0, f"{same}")
    write(rules, HEAD + "local ~/plans/**\nsync ~/plans/b class=app\n")
    seen = satchel.data("rules", "reload", "-n", device.mount_point)
    e2e.check(seen["changed"] and seen["relabelled"] == 3, f"{seen}")
    e2e.check(seen["paths"] == [{"path": "/home/ada/plans/a", "before": "sync data", "after": "local"},
                                {"path": "/home/ada/plans/b", "before": "sync data", "after": "sync app"},
                                {"path": "/home/ada/plans/b/c", "before": "sync data", "after": "local"}], f"{seen}")
    e2e.check(satchel.data("explain", device.path("home/ada/plans/a"))["action"] == "sync", "-n changes nothing")
    done = satchel.data("rules", "reload", device.mount_point)
    e2e.check(done["changed"] and done["rules_id"] == seen["rules_id"], f"{done}")
    e2e.check(satchel.data("explain", device.path("home/ada/plans/a"))["action"] == "local", "the rules are in force")
    e2e.check(satchel.data("rules", "reload", device.mount_point)["changed"] is False, "the same again is no change")
    shown = satchel.data("rules", "show", device.mount_point)
    e2e.check({"origin": "/home/ada/.config/satchel/rules.d/80-reload.rules:3", "rule": "local ~/plans/**", "app": None} in shown, f"{shown[-9:]}")
    plain = satchel.data("rules", "show")
    e2e.check(len(shown) == len(plain) + 2 and shown[0]["origin"] == "built-in", f"{len(shown)} {len(plain)}")
    # Faults leave the rules as they are.
    write(rules, HEAD + "lokal ~/plans/**\n")
    error = satchel.fails(2, "rules", "reload", device.mount_point)
    e2e.check("80-reload.rules:3:1" in error["message"] and "`local`" in error["message"], f"{error}")
    e2e.check(satchel.data("explain", device.path("home/ada/plans/a"))["action"] == "local", "the old rules go on")
    write(os.path.join(site, "99-x.rules"), HEAD + "local ~/everything\n")
    os.unlink(rules)
    satchel.run("rules", "reload", device.mount_point)
    e2e.check(satchel.data("explain", device.path("home/ada/everything"))["action"] == "local", "the site's are read again too")
    os.unlink(os.path.join(site, "99-x.rules"))
    satchel.run("rules", "reload", device.mount_point)
    e2e.check(satchel.data("explain", device.path("home/ada/plans/a"))["action"] == "sync", "own rules that are gone are gone")


def check_two_persons(satchel, repository, folder, ada):
    """Each mount has the rules of its own person, and shows nothing of the other's."""
    satchel.run("workspace", "create", repository, "bob", "--image", "lab@1")
    bob = e2e.Device(satchel, folder, "bobs", repository, user="bob")
    try:
        bob.mount()
        write(own_rules(bob), HEAD + "local ~/mine/**\n")
        write(bob.path("home/bob/secret"), "bob's")
        bob.umount()
        bob.mount()
        for device, user, action in ((bob, "bob", "local"), (bob, "ada", "sync"), (ada, "ada", "sync"), (ada, "bob", "sync")):
            said = satchel.data("explain", device.path(f"home/{user}/mine/x"))
            e2e.check(said["action"] == action, f"{device.name} {user}: {said}")
        e2e.check(not os.path.exists(ada.path("home/bob")), "ada sees what is bob's")
        bob.synced()
        ada.synced()
        e2e.check(not os.path.exists(ada.path("home/bob")), "ada was given what is bob's")
    finally:
        bob.tidy()


def test():
    with e2e.scratch("satchel-rules.") as folder:
        site = os.path.join(folder, "site.d")
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": site})
        repository = e2e.make_world(satchel, folder)
        device = e2e.Device(satchel, folder, "first", repository)
        try:
            device.mount()
            check_explain(satchel, device)
            check_group(satchel, device)
            check_order(satchel, device, site)
            check_faults(satchel, device, site)
            check_bounds(device, site)
            check_check(satchel, site, folder)
            check_test(satchel, folder)
            check_reload(satchel, device, site)
            check_two_persons(satchel, repository, folder, device)
        finally:
            device.tidy()


e2e.main(test)
