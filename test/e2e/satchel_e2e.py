"""What the end-to-end tests share: running satchel, a small world to mount, and work whose outcome is known.

Nothing here knows how Satchel works inside: it runs the program, makes system calls and compares bytes.
"""

import codecs
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time


class Failed(Exception):
    """A check of a test that did not hold."""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Satchel:
    """The program under test. `environment` is added to each run."""

    def __init__(self, binary, environment=None):
        self.binary = os.path.abspath(binary)
        self.environment = environment or {}

    def run(self, *arguments, environment=None, ok=True, timeout=120):
        """Runs a command; with ok=True a non-zero exit is a failure of the test."""
        full = {**os.environ, **self.environment, **(environment or {})}
        done = subprocess.run([self.binary, *map(str, arguments)], env=full, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        if ok and done.returncode != 0:
            raise Failed(f"satchel {' '.join(map(str, arguments))}: exit {done.returncode}\n"
                         f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return done

    def data(self, *arguments, **options):
        """The `data` of a command's JSON envelope."""
        return json.loads(self.run("--json", *arguments, **options).stdout)["data"]

    def fails(self, exit_code, *arguments, **options):
        """A command that must fail with this exit code; returns the envelope's error."""
        done = self.run("--json", *arguments, ok=False, **options)
        check(done.returncode == exit_code, f"satchel {arguments}: exit {done.returncode}, expected {exit_code}\n"
              f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return json.loads(done.stdout)["error"]


def make_world_of_archive(satchel, folder, name, write):
    """A repository with one layer of the tar that `write(out)` writes, an image `name` of it and ada's workspace; returns the repository's path."""
    repository = os.path.join(folder, "repo")
    satchel.run("init", repository)
    importer = subprocess.Popen([satchel.binary, "--json", "import", repository, f"os/{name}", "--from", "-"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **satchel.environment})
    write(importer.stdin)
    importer.stdin.close()
    check(importer.wait(timeout=900) == 0, "import failed")
    satchel.run("image", "create", repository, name, "--layer", f"os/{name}@1")
    satchel.run("workspace", "create", repository, "ada", "--image", f"{name}@1")
    return repository


def _tar_header(name, kind, mode):
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, 1700000000
    return member.tobuf(tarfile.USTAR_FORMAT)


def write_many_files(out, files):
    """A tar with `files` empty files, for make_world_of_archive(). The headers of files are one, with name and checksum put in."""
    in_folder = 250
    out.write(_tar_header("srv", tarfile.DIRTYPE, 0o755) + _tar_header("srv/many", tarfile.DIRTYPE, 0o755))
    template = bytearray(_tar_header("srv/many/000000/00000000", tarfile.REGTYPE, 0o644))
    zeros = sum(template) - sum(template[148:156]) + 8 * ord(" ") - 14 * ord("0")
    for number in range(files):
        folder = b"%06d" % (number // in_folder)
        if number % in_folder == 0:
            out.write(_tar_header("srv/many/" + folder.decode(), tarfile.DIRTYPE, 0o755))
        digits = b"%08d" % number
        template[9:15], template[16:24] = folder, digits
        template[148:156] = b"%06o\0 " % (zeros + sum(folder) + sum(digits))
        out.write(template)
    out.write(bytes(1024))


class Device:
    """One device of a person: a store, a mount point, an identity."""

    def __init__(self, satchel, folder, name, repository, user="ada"):
        self.satchel, self.name, self.repository, self.user = satchel, name, repository, user
        self.store = os.path.join(folder, name + ".store")
        self.mount_point = os.path.join(folder, name + ".view")
        os.makedirs(self.mount_point, exist_ok=True)
        self.identity = {"SATCHEL_DEVICE": name, "SATCHEL_MACHINE_ID": name}

    def mount(self, fault=None, ok=True, options=()):
        environment = dict(self.identity)
        if fault:
            environment["SATCHEL_FAULT"] = fault
        return self.satchel.run("mount", "--repo", self.repository, "--store", self.store, *options, self.user,
                                self.mount_point, environment=environment, ok=ok)

    def pid(self):
        return self.satchel.data("status", self.mount_point)["mount"]["pid"]

    def sync(self, ok=True, options=()):
        return self.satchel.run("--json", "sync", *options, self.mount_point, ok=ok)

    def synced(self, options=()):
        return json.loads(self.sync(options=options).stdout)["data"]

    def umount(self, ok=True):
        return self.satchel.run("umount", self.mount_point, ok=ok)

    def is_mounted(self):
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            return any(line.split()[4] == self.mount_point for line in mounts)

    def path(self, relative):
        return os.path.join(self.mount_point, relative)

    def tidy(self):
        """Leaves nothing mounted, whatever happened."""
        with contextlib.suppress(Exception):
            if self.is_mounted():
                self.umount(ok=False)
        while self.is_mounted():
            if subprocess.run(["umount", "-l", self.mount_point], check=False).returncode != 0:
                break


def kill_and_wait(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_gone(pid)


def wait_gone(pid, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.005)
    raise Failed(f"process {pid} is still there after {seconds} s")


def make_base_tree(folder, files=60):
    """A small golden tree: some directories, files of several sizes, a hard link, a symlink."""
    maker = random.Random(7)
    os.makedirs(folder)
    for top in ("etc", "usr/bin", "usr/share/doc", "home/ada", "var/lib/app"):
        os.makedirs(os.path.join(folder, top))
    for number in range(files):
        top = ("etc", "usr/share/doc", "var/lib/app", "home/ada")[number % 4]
        size = (0, 100, 5000, 70000, 300000)[number % 5]
        with open(os.path.join(folder, top, f"base{number:03}"), "wb") as out:
            out.write(maker.randbytes(size))
    os.link(os.path.join(folder, "etc/base000"), os.path.join(folder, "etc/linked"))
    os.symlink("base004", os.path.join(folder, "etc/symlink"))


def make_world(satchel, folder, user="ada"):
    """A repository with one image of one layer and one workspace; returns its path."""
    repository = os.path.join(folder, "repo")
    tree = os.path.join(folder, "golden")
    if not os.path.exists(tree):
        make_base_tree(tree)
    satchel.run("init", repository)
    satchel.run("import", repository, "os/golden", "--from", tree)
    satchel.run("image", "create", repository, "lab", "--layer", "os/golden@1")
    satchel.run("workspace", "create", repository, user, "--image", "lab@1")
    return repository


def same_trees(first, second, excludes=()):
    """Compares two trees by rsync: bytes, modes, owners, times, xattrs, ACLs, hard links. Returns what differs."""
    done = subprocess.run(["rsync", "-naHAXc", "--delete", "--itemize-changes", *[f"--exclude={e}" for e in excludes],
                           first + "/", second + "/"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check(done.returncode == 0, f"rsync {first} {second}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").splitlines()


class Worker:
    """Does random work on files below a directory and knows what must be there afterwards.

    `known[path]` is the content (bytes), or None for "must be absent", after the last completed operation. While an operation is under
    way, `in_flight` maps each path it touches to the contents that are allowed besides.
    Every operation ends with fsync of what it changed, so that what is in `known` is promised even after a power cut.
    """

    NAMES = 24

    def __init__(self, root, seed, base_files=()):
        self.root = root
        self.random = random.Random(seed)
        self.known = {}
        self.in_flight = {}
        self.done = 0
        for relative in base_files:
            with open(os.path.join(root, relative), "rb") as file:
                self.known[relative] = file.read()

    def allowed(self):
        """For each path the list of contents that a crash may leave."""
        result = {path: [content] for path, content in self.known.items()}
        for path, contents in self.in_flight.items():
            result.setdefault(path, [None]).extend(contents)
        return result

    def step(self):
        operations = (self.create, self.create, self.overwrite, self.append, self.rename, self.remove, self.truncate)
        self.random.choice(operations)()
        self.in_flight = {}
        self.done += 1

    def _path(self, relative):
        return os.path.join(self.root, relative)

    def _present(self):
        return sorted(path for path, content in self.known.items() if content is not None)

    def _fresh(self):
        return f"home/ada/work{self.random.randrange(self.NAMES):02}"

    def _sync_directory(self, relative):
        descriptor = os.open(self._path(os.path.dirname(relative)), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _bytes(self):
        return self.random.randbytes(self.random.choice((0, 10, 900, 4096, 20000, 200000)))

    def create(self):
        """Replaces a file the careful way: temporary file, fsync, rename over, fsync of the directory."""
        path, content = self._fresh(), self._bytes()
        temporary = path + ".new"
        self.in_flight = {path: [content], temporary: [None, *prefixes(content)]}
        descriptor = os.open(self._path(temporary), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(self._path(temporary), self._path(path))
        self._sync_directory(path)
        self.known[path] = content
        self.known[temporary] = None

    def overwrite(self):
        present = [path for path in self._present() if self.known[path]]
        if not present:
            return self.create()
        path = self.random.choice(present)
        old = self.known[path]
        at = self.random.randrange(len(old))
        piece = self.random.randbytes(min(len(old) - at, 3000))
        new = old[:at] + piece + old[at + len(piece):]
        self.in_flight = {path: [new, Torn(old, new)]}
        descriptor = os.open(self._path(path), os.O_WRONLY)
        try:
            os.pwrite(descriptor, piece, at)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.known[path] = new
        return None

    def append(self):
        present = self._present()
        if not present:
            return self.create()
        path = self.random.choice(present)
        new = self.known[path] + self.random.randbytes(self.random.choice((1, 200, 5000)))
        self.in_flight = {path: [new, Torn(self.known[path], new)]}
        descriptor = os.open(self._path(path), os.O_WRONLY | os.O_APPEND)
        try:
            write_all(descriptor, new[len(self.known[path]):])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.known[path] = new
        return None

    def truncate(self):
        present = [path for path in self._present() if self.known[path]]
        if not present:
            return self.create()
        path = self.random.choice(present)
        new = self.known[path][:self.random.randrange(len(self.known[path]))]
        self.in_flight = {path: [new]}
        descriptor = os.open(self._path(path), os.O_WRONLY)
        try:
            os.ftruncate(descriptor, len(new))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.known[path] = new
        return None

    def rename(self):
        present = self._present()
        if not present:
            return self.create()
        source, target = self.random.choice(present), self._fresh()
        if source == target:
            return None
        content = self.known[source]
        self.in_flight = {source: [None], target: [content]}
        os.rename(self._path(source), self._path(target))
        self._sync_directory(source)
        self._sync_directory(target)
        self.known[source], self.known[target] = None, content
        return None

    def remove(self):
        present = self._present()
        if not present:
            return self.create()
        path = self.random.choice(present)
        self.in_flight = {path: [None]}
        os.unlink(self._path(path))
        self._sync_directory(path)
        self.known[path] = None
        return None


class Torn:
    """A write that may have arrived in part: each byte is the old or the new one, the length one of the two or between."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def __eq__(self, content):
        if content is None:
            return False
        low, high = sorted((len(self.old), len(self.new)))
        if not low <= len(content) <= high:
            return False
        return all(byte in (self.old[at:at + 1], self.new[at:at + 1], b"\0")
                   for at, byte in ((at, content[at:at + 1]) for at in range(len(content))))

    __hash__ = None


class prefixes(list):  # noqa: N801: reads as a word in a list of allowed contents
    """Any prefix of a content that was being written (or zeros in its place)."""

    def __init__(self, content):
        super().__init__([Torn(b"", content)])


def write_all(descriptor, content):
    while content:
        content = content[os.write(descriptor, content):]


def read_or_none(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def verify(root, allowed):
    """Every path holds one of the contents that are allowed for it. Returns what each path holds."""
    found = {}
    for path, contents in sorted(allowed.items()):
        content = read_or_none(os.path.join(root, path))
        found[path] = content
        if not any(candidate == content for candidate in contents):
            shown = "absent" if content is None else f"{len(content)} bytes"
            expected = ["absent" if c is None else f"{len(c.new)} bytes, maybe in part" if isinstance(c, Torn) else f"{len(c)} bytes"
                        for c in contents]
            raise Failed(f"{path}: {shown}; allowed: {', '.join(expected)}")
    return found


def check_repository(satchel, repository, when=""):
    report = satchel.data("fsck", repository)
    check(report["ok"], f"{when}fsck: {report['errors']}")


def become_user(uid, home, device):
    """Everything that this process does from now on is that account's, on that device."""
    codecs.lookup("ascii")  # while Python's own files can surely be read
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.umask(0o022)  # so that no mode keeps others out
    for name in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.environ.update({"HOME": home, "TMPDIR": home, "SATCHEL_DEVICE": device, "SATCHEL_MACHINE_ID": device})
    tempfile.tempdir = None


@contextlib.contextmanager
def scratch(prefix, keep=False, where=None):
    folder = tempfile.mkdtemp(prefix=prefix, dir=where)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def main(test):
    """Runs a test function: prints its verdict, exits 0 or 1."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("SATCHEL-SKIP: needs root and /dev/fuse")
        sys.exit(77)
    try:
        test()
    except Failed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
