#!/usr/bin/env python3
"""Commands that work on a repository: what they print for people and for programs, and how they end.

usage: cli_repository_test.py SATCHEL
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time

import satchel_e2e as e2e


def envelope(satchel, *arguments, **options):
    done = satchel.run("--json", *arguments, ok=False, **options)
    document = json.loads(done.stdout)
    e2e.check(list(document) == ["satchel", "command", "ok", "data", "warnings", "error"], f"envelope: {list(document)}")
    e2e.check(document["satchel"] == 1 and document["ok"] == (done.returncode == 0) == (document["error"] is None), f"{document}")
    if document["error"]:
        e2e.check(document["error"]["exit"] == done.returncode, f"{document} and exit {done.returncode}")
        e2e.check(re.fullmatch(r"SAT-\d{4}", document["error"]["code"]) is not None, f"{document}")
    return document


def has(data, *keys):
    missing = [key for key in keys if key not in data]
    e2e.check(not missing, f"{missing} missing in {data}")


def check_usage(satchel):
    for arguments in ((), ("nonsense",), ("init",), ("import", "r", "os/x"), ("image",), ("image", "create", "r", "x"),
                      ("mount", "--repo", "r", "--store", "s", "--io-uring", "maybe", "ada", "m"), ("gc", "r", "--force"), ("log", "r", "ada", "extra")):
        document = envelope(satchel, *arguments)
        e2e.check(document["error"] and document["error"]["exit"] == 2 and document["error"]["code"] == "SAT-0100", f"{arguments}: {document}")
        plain = satchel.run(*arguments, ok=False)
        e2e.check(plain.returncode == 2 and not plain.stdout and plain.stderr.startswith(b"satchel: "), f"{arguments}: {plain}")
    e2e.check(re.fullmatch(rb"satchel \d+\.\d+\.\d+\n", satchel.run("--version").stdout) is not None, "--version")
    e2e.check(envelope(satchel, "--version")["data"]["version"], "--version --json")
    e2e.check(b"Subcommands" in satchel.run("--help").stdout, "--help goes to stdout")


def check_import(satchel, folder, repository):
    tree = os.path.join(folder, "tree")
    e2e.make_base_tree(tree)
    first = envelope(satchel, "import", repository, "os/golden", "--from", tree)
    e2e.check(first["command"] == "import", first["command"])
    has(first["data"], "layer", "version", "root", "files", "bytes", "chunks_new", "bytes_stored")
    e2e.check(first["data"]["layer"] == "os/golden" and first["data"]["version"] == 1 and first["data"]["chunks_new"] > 0, f"{first}")
    again = envelope(satchel, "import", repository, "os/golden", "--from", tree)["data"]
    e2e.check(again["version"] == 1 and again["root"] == first["data"]["root"] and again["chunks_new"] == 0 and again["bytes_stored"] == 0, f"{again}")
    archive = os.path.join(folder, "tree.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, arcname=".")
    with open(archive, "rb") as stdin:
        done = subprocess.run([satchel.binary, "--json", "import", repository, "group/fromtar", "--from", "-"], stdin=stdin,
                              stdout=subprocess.PIPE, check=True, env=dict(os.environ, **satchel.environment))
    e2e.check(json.loads(done.stdout)["data"]["files"] == first["data"]["files"], "stdin")
    plain = satchel.run("import", repository, "os/golden", "--from", tree)
    e2e.check(b"os/golden@1" in plain.stdout and b"unchanged" in plain.stdout and not plain.stderr, f"{plain}")


def check_look(satchel, folder, repository):
    image = envelope(satchel, "image", "create", repository, "lab", "--layer", "os/golden@1", "--layer", "group/fromtar@1")["data"]
    has(image, "name", "version", "root")
    same = envelope(satchel, "image", "create", repository, "lab", "--layer", "os/golden@1", "--layer", "group/fromtar@1")["data"]
    e2e.check(same["version"] == image["version"] == 1, f"{same}")
    has(envelope(satchel, "workspace", "create", repository, "ada", "--image", "lab@1")["data"], "name", "version", "root")
    taken = envelope(satchel, "workspace", "create", repository, "ada", "--image", "lab@1")
    e2e.check(taken["error"]["code"] == "SAT-0302", f"{taken}")
    log = satchel.data("log", repository, "ada")
    e2e.check(len(log) == 1, f"{log}")
    has(log[0], "version", "device", "time", "message", "bytes_new")
    for what in ("ada@1", "lab@1", "os/golden@1", "users/ada@1", "images/lab@1", "ada", "ada@main"):
        names = {entry["name"] for entry in satchel.data("ls", repository, what + ":/home/ada")}
        e2e.check("base003" in names, f"ls {what}: {names}")
        with open(os.path.join(folder, "tree/home/ada/base003"), "rb") as file:
            content = file.read()
        e2e.check(satchel.run("cat", repository, what + ":home/ada/base003").stdout == content, f"cat {what}")
    linked = satchel.run("cat", repository, "lab@1:etc/symlink").stdout
    with open(os.path.join(folder, "tree/etc/symlink"), "rb") as file:
        e2e.check(linked == file.read(), "cat follows links in the tree")
    e2e.check(envelope(satchel, "cat", repository, "lab@1:etc")["error"]["exit"] == 2, "cat of a directory")
    e2e.check(envelope(satchel, "ls", repository, "lab@1:no/where")["error"]["exit"] == 9, "ls of nothing")
    e2e.check(satchel.data("diff", repository, "ada@1", "lab@1") == [], "a new workspace is its image")
    tree = os.path.join(folder, "tree")
    with open(os.path.join(tree, "etc/new"), "w", encoding="ascii") as out:
        out.write("new")
    os.unlink(os.path.join(tree, "etc/base004"))
    os.chmod(os.path.join(tree, "etc/base008"), 0o600)
    satchel.run("import", repository, "os/golden", "--from", tree)
    changes = {line["path"]: line["change"] for line in satchel.data("diff", repository, "os/golden@1", "os/golden@2")}
    e2e.check(changes.get("/etc/new") == "added" and changes.get("/etc/base004") == "removed" and changes.get("/etc/base008") == "attributes", f"{changes}")


def check_odd_names(satchel, folder, repository):
    tree = os.fsencode(os.path.join(folder, "odd"))
    os.makedirs(tree)
    for name in (b"caf\xc3\xa9", b"\xff\xfe", b"new\nline", b"esc\x1b[2J"):
        with open(os.path.join(tree, name), "wb") as out:
            out.write(name)
    satchel.run("import", repository, "group/odd", "--from", os.fsdecode(tree))
    names = satchel.data("ls", repository, "group/odd@1")
    e2e.check({entry.get("name") for entry in names} == {"caf\u00e9", None, "new\nline", "esc\x1b[2J"}, f"{names}")
    odd = [entry["name_b64"] for entry in names if "name_b64" in entry]
    e2e.check(base64.b64decode(odd[0]) == b"\xff\xfe", f"{odd}")
    plain = satchel.run("ls", repository, "group/odd@1").stdout
    e2e.check(b"\x1b" not in plain and plain.count(b"\n") == 4, f"a terminal would obey this: {plain}")
    # An error names a path that is not UTF-8 too.
    done = subprocess.run([satchel.binary, "--json", "import", repository, "os/x", "--from", b"/no/\xff"], stdout=subprocess.PIPE, check=False,
                          env=dict(os.environ, **satchel.environment))
    error = json.loads(done.stdout)["error"]
    e2e.check(base64.b64decode(error["path_b64"]) == b"/no/\xff" and done.returncode == 9, f"{error}")


def check_interruption(satchel, folder, repository):
    tree = os.path.join(folder, "large")
    os.makedirs(tree)
    with open(os.path.join(tree, "noise"), "wb") as out:
        for _ in range(64):
            out.write(os.urandom(4 << 20))
    importer = subprocess.Popen([satchel.binary, "--json", "import", repository, "os/large", "--from", tree], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=dict(os.environ, **satchel.environment))
    time.sleep(0.7)
    importer.send_signal(signal.SIGINT)
    stdout, _ = importer.communicate(timeout=60)
    e2e.check(importer.returncode == 130, f"exit {importer.returncode} after SIGINT: {stdout}")
    e2e.check(json.loads(stdout)["error"]["code"] == "SAT-0901", f"{stdout}")
    satchel.fails(9, "ls", repository, "os/large@1")
    e2e.check_repository(satchel, repository, "after an interrupted import: ")
    # A command that waits for nothing ends too: stdin that never says anything.
    waiter = subprocess.Popen([satchel.binary, "import", repository, "os/large", "--from", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, **satchel.environment))
    time.sleep(0.5)
    waiter.send_signal(signal.SIGINT)
    try:
        waiter.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        waiter.kill()
        raise e2e.Failed("an import that waits for its input cannot be interrupted") from None
    e2e.check(waiter.returncode == 130, f"exit {waiter.returncode}")


def check_care(satchel, repository):
    report = satchel.data("fsck", repository)
    has(report, "ok", "errors", "packs", "refs")
    e2e.check(satchel.data("fsck", repository, "--rebuild")["ok"], "--rebuild")
    garbage = satchel.data("gc", repository, "-n")
    has(garbage, "packs_unreferenced", "bytes_unreferenced", "bytes_total")
    e2e.check(envelope(satchel, "gc", repository)["error"]["exit"] == 2, "gc without -n")
    full = open("/dev/full", "wb")
    done = subprocess.run([satchel.binary, "ls", repository, "os/golden@1"], stdout=full, stderr=subprocess.PIPE, check=False,
                          env=dict(os.environ, **satchel.environment))
    e2e.check(done.returncode == 1 and done.stderr, "output that cannot be written is a failure")
    e2e.check(not satchel.run("-q", "fsck", repository).stderr, "-q")


def test():
    with e2e.scratch("satchel-cli.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = os.path.join(folder, "repo")
        check_usage(satchel)
        made = envelope(satchel, "init", repository)
        has(made["data"], "repository", "id")
        e2e.check(envelope(satchel, "init", repository)["error"]["code"] == "SAT-0302", "init twice")
        check_import(satchel, folder, repository)
        check_look(satchel, folder, repository)
        check_odd_names(satchel, folder, repository)
        check_interruption(satchel, folder, repository)
        check_care(satchel, repository)


e2e.main(test)
