#!/usr/bin/env python3
"""The man pages say what the program does: every command and option of --help is there and no other, and every SAT number.

usage: cli_documentation_test.py SATCHEL SOURCE_ROOT
"""

import os
import re
import subprocess
import sys

import satchel_e2e as e2e


def help_of(satchel, *words):
    return satchel.run(*words, "--help").stdout.decode()


def commands_of(text):
    """The names below "Subcommands:"."""
    match = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    return [line.split()[0] for line in match.group(1).splitlines() if re.match(r"  \S", line)] if match else []


def options_of(text):
    """Every option that --help lists, without --help itself."""
    names = set()
    for line in text.splitlines():
        match = re.match(r"  (-\S+)", line)
        if match:
            names.update(match.group(1).rstrip(",").split(","))
    return {name for name in names if name} - {"-h", "--help"}


def sections_of(page):
    """{"image create": text …} of the COMMANDS chapter, and the text before it."""
    before, _, rest = page.partition("# COMMANDS\n")
    chapter = rest.split("\n# ")[0]
    sections = {}
    for part in chapter.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        words = title.split()
        sections[" ".join(word for word in words[:2] if word.islower() and not word.startswith("-"))] = text
    return before, sections


def documented_options(text):
    names = set()
    for line in text.splitlines():
        if line.startswith("*-"):
            names.update(re.findall(r"\*(--?[a-z][a-z-]*)\*", line))
    return names - {"-h", "--help"}


def check_page(satchel, page):
    before, sections = sections_of(page)
    top = help_of(satchel)
    e2e.check(documented_options(before) == options_of(top),
              f"global options: documented {sorted(documented_options(before))}, --help {sorted(options_of(top))}")
    found = set()
    for command in commands_of(top):
        text = help_of(satchel, command)
        below = commands_of(text)
        for name in [f"{command} {sub}" for sub in below] or [command]:
            found.add(name)
            e2e.check(name in sections, f"satchel(8) has no section on `{name}`")
            real = options_of(help_of(satchel, *name.split()))
            said = documented_options(sections[name])
            e2e.check(real == said, f"`{name}`: documented {sorted(said)}, --help {sorted(real)}")
    e2e.check(found == set(sections), f"sections without a command: {sorted(set(sections) - found)}")


def check_errors(root, page):
    with open(os.path.join(root, "base/error.h"), encoding="utf-8") as file:
        numbers = dict(re.findall(r"^\s+(k\w+) = (\d+),", file.read(), re.MULTILINE))
    with open(os.path.join(root, "base/error.cpp"), encoding="utf-8") as file:
        rows = re.findall(r"SatDescription\{Sat::(k\w+), (\d+),\s*\"([^\"]*)\"\}", file.read())
    e2e.check(len(rows) == len(numbers), f"{len(numbers)} numbers, {len(rows)} descriptions")
    said = re.findall(r"^\*SAT-(\d{4})\* \(exit (\d+)\): (.*)$", page, re.MULTILINE)
    real = [(f"{int(numbers[name]):04}", code, title) for name, code, title in rows]
    e2e.check(said == real, f"satchel-errors(7) differs: {sorted(set(said) ^ set(real))}")


def test():
    satchel, root = e2e.Satchel(sys.argv[1]), sys.argv[2]
    pages = {}
    for name in ("satchel.8", "satchel-errors.7"):
        path = os.path.join(root, "docs/man", name + ".scd")
        with open(path, encoding="utf-8") as file:
            pages[name] = file.read()
        done = subprocess.run(["scdoc"], input=pages[name].encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        e2e.check(done.returncode == 0, f"scdoc {name}: {done.stderr.decode()}")
    check_page(satchel, pages["satchel.8"])
    check_errors(root, pages["satchel-errors.7"])
    # A planted gap is found.
    try:
        check_page(satchel, pages["satchel.8"].replace("*--allow-deletes*\n", "*--allow-everything*\n"))
    except e2e.Failed:
        return
    raise e2e.Failed("an option that is not there was not noticed")


e2e.main(test)
