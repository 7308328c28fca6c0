#!/usr/bin/env python3
"""How fast is the view, beside a plain directory, kernel overlayfs and fuse-overlayfs?

usage: mount_table.py SATCHEL FILE_CALLS [--memory PROGRAM] [--source ARCHIVE] [--where DIR] [--runs N] [--big MIB] [--tree SOURCE…] [--only WORKLOAD…] [--mount-option OPTION…]

Makes one data set (a real tree, small files, one big file, a git repository) below DIR and shows it five ways: plain, plain again (the noise), overlayfs, fuse-overlayfs
and a workspace of an image of it; with --memory also from the memory of test/bench/memory_filesystem.cpp, which is what the transport alone costs, and from there with rows of names written to a database. Each workload runs on each in turn, N times; the table gives medians as ratios to plain. Store, uppers and plain
directory lie on the same filesystem: run it once with --where on ext4, once on a tmpfs.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SMALL_FILES = 5000


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("3\n")


def make_data(folder, options):
    """The data set that every mount shows."""
    os.makedirs(os.path.join(folder, "tree"))
    os.makedirs(os.path.join(folder, "small"))
    for source in options.tree:
        shutil.copytree(source, os.path.join(folder, "tree") + source, symlinks=True)
    names = sorted(os.path.relpath(os.path.join(top, name), os.path.join(folder, "tree"))
                   for top, directories, files in os.walk(os.path.join(folder, "tree")) for name in directories + files)
    with open(os.path.join(folder, "paths"), "w", encoding="utf-8") as paths:
        paths.writelines(name + "\n" for name in names if "\n" not in name)
    for number in range(SMALL_FILES):
        with open(os.path.join(folder, "small", str(number)), "wb") as small:
            small.write(os.urandom(4096))
    with open(os.path.join(folder, "big"), "wb") as big:
        for _ in range(options.big):
            big.write(os.urandom(1 << 20))
    run("tar", "cf", os.path.join(folder, "tree.tar"), "-C", os.path.join(folder, "tree"), ".")
    repository = os.path.join(folder, "repository")
    os.mkdir(repository)
    run("git", "init", "-q", repository, stderr=subprocess.DEVNULL)
    for number in range(10000):
        path = os.path.join(repository, f"d{number % 100}", f"f{number}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"file {number}\n")
    run("git", "-C", repository, "add", "-A")
    run("git", "-C", repository, "-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-qm", "all")
    return len(names)


class Workloads:
    """Each method prepares, does the work once in the mount at `place` and returns its seconds."""

    def __init__(self, file_calls, source):
        self.file_calls = os.path.abspath(file_calls)
        self.source = source and os.path.abspath(source)

    def calls(self, workload, place):
        return float(subprocess.check_output([self.file_calls, workload, place]))

    def timed(self, *command, **options):
        begin = time.perf_counter()
        run(*command, **options)
        return time.perf_counter() - begin

    def warm(self, workload, place):
        self.calls(workload, place)
        return self.calls(workload, place)

    def stat(self, place):
        return self.warm("stat", place)

    def git_status(self, place):
        command = ("git", "-c", "safe.directory=*", "-c", "core.checkStat=minimal", "-c", "core.trustctime=false", "-C", os.path.join(place, "repository"), "status", "--porcelain")
        run(*command)
        return self.timed(*command)

    def read_sequential(self, place):
        return self.warm("read_sequential", place)

    def read_random(self, place):
        self.calls("read_sequential", place)
        return self.calls("read_random", place)

    def read_mapped(self, place):
        self.calls("read_sequential", place)
        return self.calls("read_mapped", place)

    def append(self, place):
        return self.calls("append", place)

    def overwrite_random(self, place):
        return self.calls("overwrite_random", place)

    def write_sequential(self, place):
        return self.calls("write_sequential", place)

    def find_warm(self, place):
        command = ("find", os.path.join(place, "tree"), "-type", "f", "-newermt", "2100-01-01")
        run(*command)
        return self.timed(*command)

    def find_cold(self, place):
        drop_caches()
        return self.timed("find", os.path.join(place, "tree"), "-type", "f", "-newermt", "2100-01-01")

    def list_long(self, place):
        command = ("ls", "-lR", os.path.join(place, "tree"))
        run(*command)
        return self.timed(*command)

    def read_all_warm(self, place):
        command = ("grep", "-rqs", "no such text is in the tree", os.path.join(place, "tree"))
        subprocess.run(command, check=False)
        begin = time.perf_counter()
        subprocess.run(command, check=False)
        return time.perf_counter() - begin

    def open_read_close(self, place):
        return self.warm("open_read_close", place)

    def create_write_close(self, place):
        return self.calls("create_write_close", place)

    def untar(self, place):
        return self.timed("tar", "xf", os.path.join(place, "tree.tar"), "-C", os.path.join(place, "job"))

    def rm_rf(self, place):
        run("tar", "xf", os.path.join(place, "tree.tar"), "-C", os.path.join(place, "job"))
        os.sync()
        return self.timed("rm", "-rf", os.path.join(place, "job"))

    def build(self, place):
        work = os.path.join(place, "job")
        run("tar", "xf", self.source, "-C", work, "--strip-components=1")
        return self.timed("sh", "-c", "./configure && make -j2", cwd=work, stderr=subprocess.DEVNULL)

    def first_write(self, place):
        return self.calls("first_write", place)


ALL = ("stat", "git_status", "read_sequential", "read_random", "read_mapped", "append", "overwrite_random", "write_sequential", "find_warm", "find_cold", "list_long",
       "read_all_warm", "open_read_close", "create_write_close", "untar", "rm_rf", "build", "first_write")


def show(options, folder, data, stack):
    """{name: directory} of everything that shows the data set."""
    # Of its own: what lies below an overlayfs must not change.
    plain = os.path.join(folder, "plain")
    run("cp", "-a", data, plain)
    places = {"plain": plain, "plain again": plain}
    for name, kind in (("overlayfs", "overlay"), ("fuse-overlayfs", "fuse-overlay")):
        parts = {part: os.path.join(folder, kind, part) for part in ("upper", "work", "view")}
        for part in parts.values():
            os.makedirs(part)
        mount = f"lowerdir={data},upperdir={parts['upper']},workdir={parts['work']}"
        command = ["mount", "-t", "overlay", "overlay", "-o", mount, parts["view"]] if kind == "overlay" else ["fuse-overlayfs", "-o", mount, parts["view"]]
        if shutil.which(command[0]) is None or subprocess.run(command, check=False).returncode != 0:
            print(f"{name}: cannot be mounted here, left out", file=sys.stderr)
            continue
        stack.callback(subprocess.run, ["umount", parts["view"]], check=False)
        places[name] = parts["view"]

    satchel = os.path.abspath(options.satchel)
    repository, view = os.path.join(folder, "repo"), os.path.join(folder, "view")
    os.mkdir(view)
    run(satchel, "init", repository)
    run(satchel, "import", repository, "os/data", "--from", data, stderr=subprocess.DEVNULL)
    run(satchel, "image", "create", repository, "data", "--layer", "os/data@1")
    run(satchel, "workspace", "create", repository, "ada", "--image", "data@1")
    run(satchel, "mount", "--repo", repository, "--store", os.path.join(folder, "store"), *options.mount_option, "ada", view)
    stack.callback(subprocess.run, [satchel, "umount", view], check=False, stdout=subprocess.DEVNULL)
    places["satchel"] = view
    if options.memory:  # after the view, which allows the ring
        places["memory"] = show_from_memory((options.memory,), os.path.join(folder, "memory"), data, stack)
        rows = (options.memory, os.path.join(folder, "rows"))
        places["memory, rows"] = show_from_memory(rows, os.path.join(folder, "memory-rows"), data, stack)
    return places


def show_from_memory(program, directory, data, stack):
    os.mkdir(directory)
    process = subprocess.Popen([os.path.abspath(program[0]), directory, *program[1:]])
    stack.callback(process.wait)
    stack.callback(subprocess.run, ["umount", directory], check=False)
    while not os.path.ismount(directory):
        if process.poll() is not None:
            sys.exit("memory_filesystem has ended")
        time.sleep(0.05)
    run("cp", "-dR", "--preserve=mode,ownership,timestamps,links", os.path.join(data, "."), directory)
    return directory


def measure(options, places):
    workloads = Workloads(options.file_calls, options.source)
    print(f"{'':20}" + "".join(f"{name:>16}" for name in places) + f"   (medians of {options.runs}, seconds for plain, ratios for the others)")
    for name in options.only or ALL:
        if name == "build" and not options.source:
            continue
        times = {place: [] for place in places}
        # Only the first write to a base file is one; a plain file has no such moment but the same call.
        for _ in range(1 if name == "first_write" else options.runs):
            for place, directory in places.items():
                work = os.path.join(directory, "job")
                shutil.rmtree(work, ignore_errors=True)
                os.mkdir(work)
                try:
                    times[place].append(getattr(workloads, name)(directory))
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        medians = {place: statistics.median(of) for place, of in times.items()}
        if name == "first_write":
            print(f"{name:20}" + "".join(f"{medians[place] * 1000:13.1f} ms" for place in places), flush=True)
            continue
        plain = medians["plain"]
        print(f"{name:20}" + f"{plain:15.4f}s" + "".join(f"{medians[place] / plain:16.2f}" for place in list(places)[1:]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("file_calls")
    parser.add_argument("--memory", help="the program of test/bench/memory_filesystem.cpp")
    parser.add_argument("--source", help="an archive of sources to build with ./configure and make: without it nothing is built")
    parser.add_argument("--where", default="/var/tmp")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--big", type=int, default=1024, help="MiB of the big file")
    parser.add_argument("--tree", nargs="+", default=["/usr/include", "/usr/share/doc", "/usr/lib/python3"])
    parser.add_argument("--only", nargs="+", choices=ALL)
    parser.add_argument("--mount-option", nargs="+", default=[], help="passed to satchel mount")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="satchel-bench.", dir=options.where)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        data = os.path.join(folder, "data")
        os.mkdir(data)
        names = make_data(data, options)
        print(f"{names} names in the tree, {SMALL_FILES} small files, {options.big} MiB in the big one; {folder}")
        measure(options, show(options, folder, data, stack))


if __name__ == "__main__":
    sys.exit(main())
