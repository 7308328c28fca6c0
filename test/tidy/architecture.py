#!/usr/bin/env python3
"""Checks who includes what: the arrows between modules, and the one door of each third-party header.

    architecture.py SOURCE_ROOT

Prints one line for each violation and ends with 1 if there is any.
"""

import re
import sys
from pathlib import Path

# A module may include itself and those listed.
ARROWS = {
    "base": [],
    "policies": ["base"],
    "store": ["base"],
    "redirector": ["base", "policies", "store"],
    "syncer": ["base", "policies", "store"],
    "fs": ["base", "policies", "redirector", "store"],
    "server": ["base", "policies", "store", "syncer", "fs"],
    "cli": ["base", "policies", "store", "redirector", "syncer", "fs", "server"],
    "test": ["base", "policies", "store", "redirector", "syncer", "fs", "server", "cli"],
}

# Header (pattern) -> the files (patterns, from the root) that may include it. A header outside of this
# table and of the standard library, libc and Linux has no door yet and is refused. Tests may look at our
# formats with a second pair of eyes, so some doors are open to them.
DOORS = {
    r"rocksdb/.*": [r"store/metadata_db\.cpp"],
    r"fuse(_.*)?\.h": [r"fs/(fuse_ops|fuse_reply|mount)\.(h|cpp)", r"test/support/.*", r"test/bench/memory_filesystem\.cpp"],
    r"openssl/.*": [r"base/(sector_cipher|sha256|signature)\.cpp", r"syncer/transport/tls.*", r"test/model/.*"],
    r"zstd.*": [r"store/codec\.cpp"],
    r"archive(_entry)?\.h": [r"store/archive_reader\.cpp", r"test/.*"],
    r"git2.*": [r"syncer/text_merge\.cpp"],
    r"boost/(beast|asio).*": [r"server/.*", r"syncer/transport/.*"],
    r"boost/filesystem.*": [r"(store|cli|server)/.*"],
    r"boost/system/.*": [r"(store|cli|server)/.*"],
    r"nlohmann/.*": [r"cli/.*", r"server/rest.*", r"test/.*"],
    r"CLI/.*": [r"cli/.*"],
    r"spdlog/.*": [r"base/log\.cpp"],
    r"fmt/.*": [r".*"],
    r"tl/expected\.hpp": [r"base/result\.h"],
    r"doctest/.*": [r"test/.*"],
}

# <sys/stat.h>, <linux/openat2.h>, <unistd.h>: libc and the kernel need no door. Third-party headers have
# a folder of their own or stand in DOORS.
SYSTEM = re.compile(
    r"(sys|linux|netinet|net|arpa|asm|bits)/[a-z0-9_/-]+\.h|"
    r"(assert|ctype|dirent|dlfcn|endian|err|errno|fcntl|fnmatch|ftw|getopt|glob|grp|inttypes|limits|"
    r"locale|malloc|math|mntent|netdb|poll|pthread|pty|pwd|sched|semaphore|setjmp|signal|spawn|stddef|stdint|"
    r"stdio|stdlib|string|strings|syslog|termios|time|ucontext|unistd|utime|wchar)\.h"
)
STANDARD = re.compile(r"[a-z0-9_]+")  # <vector>: no slash, no extension

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def included(text):
    """(line number, bracket, header) of each include."""
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(1)) + 1, match.group(1), match.group(2)


def check_own_header(root, module, header):
    target = header.split("/", 1)[0]
    if "/" not in header or target not in ARROWS:
        return f'"{header}" is not written from the source root'
    if not (root / header).is_file():
        return f'"{header}" does not exist below the source root'
    if target != module and target not in ARROWS[module]:
        return f"{module} may not include {target} ({header})"
    return None


def check_foreign_header(name, header):
    if header.split("/", 1)[0] in ARROWS:
        return f'<{header}> is ours: write it as "{header}"'
    for pattern, doors in DOORS.items():
        if re.fullmatch(pattern, header):
            if any(re.fullmatch(door, name) for door in doors):
                return None
            return f"<{header}> may be included only by {' '.join(doors)}"
    if STANDARD.fullmatch(header) or SYSTEM.fullmatch(header):
        return None
    return f"<{header}> has no door: add it to the table in test/tidy/architecture.py and the style"


def check_file(root, name):
    """The violations in the file `name`, a path from `root`."""
    text = (root / name).read_text(encoding="utf-8")
    module = name.split("/", 1)[0]
    if name.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield f"{name}:1: a header without #pragma once"
    for line, bracket, header in included(text):
        if bracket == '"':
            violation = check_own_header(root, module, header)
        else:
            violation = check_foreign_header(name, header)
        if violation:
            yield f"{name}:{line}: {violation}"


def check_tree(root):
    for module in ARROWS:
        for path in sorted((root / module).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield from check_file(root, path.relative_to(root).as_posix())


def main():
    violations = list(check_tree(Path(sys.argv[1])))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
