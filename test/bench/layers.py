#!/usr/bin/env python3
"""Does a look-up cost more when the same tree is made of more layers?

usage: layers.py SATCHEL [--tree DIR] [--runs N]

Cuts a tree (default: /usr/share/doc and /usr/include of this machine) into 1, 4 and 16 overlapping layers: every file is in one of them, and one in four again, older, in
a lower one. Each image is mounted afresh with caches dropped, and every path looked up in random order. Prints medians and the ratio to one layer;
the image of one layer is measured twice, and the second ratio is the noise.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def cut(tree, folder, layers):
    """`layers` directories whose composition is `tree`."""
    chooser = random.Random(layers)
    for top, directories, names in os.walk(tree):
        relative = os.path.relpath(top, tree)
        for number in range(layers):
            os.makedirs(os.path.join(folder, str(number), relative), exist_ok=True)
        for name in names + [d for d in directories if os.path.islink(os.path.join(top, d))]:
            source = os.path.join(top, name)
            number = chooser.randrange(layers)
            shutil.copy2(source, os.path.join(folder, str(number), relative, name), follow_symlinks=False)
            if number > 0 and not os.path.islink(source) and chooser.random() < 0.25:
                with open(os.path.join(folder, str(chooser.randrange(number)), relative, name), "wb") as old:
                    old.write(b"an older file that a higher layer hides\n")


def look_up_all(mount_point, paths):
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("3\n")
    begin = time.perf_counter()
    for path in paths:
        os.lstat(mount_point + path)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--tree")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    satchel = os.path.abspath(options.satchel)
    folder = tempfile.mkdtemp(prefix="satchel-layers.")
    os.environ["XDG_CACHE_HOME"] = os.path.join(folder, "cache")

    def run(*arguments):
        subprocess.run([satchel, *arguments], check=True, stdout=subprocess.DEVNULL)

    tree = options.tree
    if not tree:
        tree = os.path.join(folder, "tree")
        for source in ("/usr/share/doc", "/usr/include"):
            shutil.copytree(source, tree + source, symlinks=True)
    paths = [os.path.join(top, name)[len(tree):] for top, directories, names in os.walk(tree) for name in directories + names]
    random.Random(1).shuffle(paths)
    repository, mount_point = os.path.join(folder, "repo"), os.path.join(folder, "view")
    os.mkdir(mount_point)
    os.mkdir(os.path.join(folder, "store"))
    run("init", repository)
    counts = (1, 4, 16)
    for layers in counts:
        pieces = os.path.join(folder, "pieces")
        cut(tree, pieces, layers)
        names = []
        for number in range(layers):
            name = f"{'os' if number == 0 else 'group'}/cut{layers}-{number}"
            run("import", repository, name, "--from", os.path.join(pieces, str(number)))
            names += ["--layer", name + "@1"]
        run("image", "create", repository, f"cut{layers}", *names)
        shutil.rmtree(pieces)

    times = {}
    rounds = [(str(c), f"cut{c}@1") for c in counts] + [("1 again", "cut1@1")]
    for _ in range(options.runs):
        for label, image in rounds:
            run("mount", "--repo", repository, "--store", os.path.join(folder, "store", image), "--image", image, mount_point)
            times.setdefault(label, []).append(look_up_all(mount_point, paths))
            run("umount", mount_point)
    one = statistics.median(times["1"])
    print(f"{len(paths)} paths, fresh mount, caches dropped, medians of {options.runs}")
    for label, _ in rounds:
        median = statistics.median(times[label])
        print(f"{label:>8} layers: {median / len(paths) * 1e6:7.1f} us per look-up   x{median / one:.2f}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
