#!/usr/bin/env python3
"""Plants violations in a small tree and sees architecture.py find each of them, and nothing else."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import architecture  # noqa: E402: after the switch above

CLEAN = {
    "base/error.h": "#pragma once\n#include <string>\n#include <sys/stat.h>\n",
    "store/refs.h": '#pragma once\n#include "base/error.h"\n#include "store/refs.h"\n',
    "store/metadata_db.cpp": '#include <rocksdb/db.h>\n#include "store/refs.h"\n',
    "fs/fuse_ops.cpp": '#include <fuse_lowlevel.h>\n#include "store/refs.h"\n',
    "test/unit/store/refs_test.cpp": '#include <doctest/doctest.h>\n#include "store/refs.h"\n',
}

# What is added to the clean tree, and what must be said about it.
VIOLATIONS = [
    ("base/a.cpp", '#include "store/refs.h"\n', "base may not include store"),
    ("fs/a.cpp", '#include "syncer/a.h"\n', "fs may not include syncer"),
    ("store/a.cpp", "\n\n#include <rocksdb/db.h>\n", "store/a.cpp:3: <rocksdb/db.h> may be included only by"),
    ("store/a.cpp", "#include <fuse.h>\n", "<fuse.h> may be included only by"),
    ("store/a.cpp", "# include <spdlog/spdlog.h>\n", "<spdlog/spdlog.h> may be included only by"),
    ("store/a.cpp", "#include <doctest/doctest.h>\n", "<doctest/doctest.h> may be included only by"),
    ("store/a.cpp", "#include <surprise/new.h>\n", "<surprise/new.h> has no door"),
    ("store/a.cpp", "#include <store/refs.h>\n", "<store/refs.h> is ours"),
    ("store/a.cpp", '#include "refs.h"\n', '"refs.h" is not written from the source root'),
    ("store/a.cpp", '#include "../base/error.h"\n', "is not written from the source root"),
    ("store/a.cpp", '#include "store/absent.h"\n', '"store/absent.h" does not exist'),
    ("store/import/a.h", "#include <vector>\n", "store/import/a.h:1: a header without #pragma once"),
]


def violations_of(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return list(architecture.check_tree(root))


class ArchitectureTest(unittest.TestCase):
    def test_a_clean_tree_has_no_violation(self):
        self.assertEqual(violations_of(CLEAN), [])

    def test_each_planted_violation_is_found_and_nothing_else(self):
        syncer = {"syncer/a.h": "#pragma once\n"}
        for name, text, expected in VIOLATIONS:
            with self.subTest(expected):
                found = violations_of({**CLEAN, **syncer, name: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_the_arrows_have_no_cycle(self):
        done = set()
        remaining = dict(architecture.ARROWS)
        while remaining:
            ready = [module for module, uses in remaining.items() if done.issuperset(uses)]
            self.assertTrue(ready, f"cycle among {sorted(remaining)}")
            done.update(ready)
            for module in ready:
                del remaining[module]


if __name__ == "__main__":
    unittest.main()
