#!/usr/bin/env python3
"""SQLite in a view: four writers in WAL mode, killed with -9, then the mount's process too; no row whose commit was acknowledged is lost.

usage: sqlite_test.py SATCHEL [--rounds N]
"""

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import sys
import time

import satchel_e2e as e2e

WRITERS = 4


def write_rows(database, writer, first, pipe):
    """Never returns: inserts rows, and tells each through `pipe` once its transaction is durable."""
    with contextlib.closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        connection.execute("pragma synchronous=full")
        number = first
        while True:
            connection.execute("begin immediate")
            connection.execute("insert into rows values (?, ?, ?)", (writer, number, bytes([number % 256]) * (number % 3000)))
            connection.execute("commit")
            os.write(pipe, b"%d\n" % number)
            number += 1


def start_writer(database, writer, first):
    """(process, the end of the pipe from which its numbers can be read)"""
    mine, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(mine)
        try:
            write_rows(database, writer, first, its)
        except (sqlite3.Error, OSError):
            pass  # the mount is gone
        finally:
            os._exit(0)
    os.close(its)
    return pid, mine


def read_numbers(pipe):
    """All that the writer told, up to its end."""
    told = b""
    while piece := os.read(pipe, 1 << 16):
        told += piece
    os.close(pipe)
    return [int(line) for line in told.split(b"\n")[:-1]]


def rows_of(database):
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        verdict = connection.execute("pragma integrity_check").fetchall()
        e2e.check(verdict == [("ok",)], f"integrity_check: {verdict[:5]}")
        rows = connection.execute("select writer, number, content from rows").fetchall()
    for _, number, content in rows:
        e2e.check(content == bytes([number % 256]) * (number % 3000), f"row {number} holds other bytes")
    return {(writer, number) for writer, number, _ in rows}


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("satchel")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    with e2e.scratch("satchel-sqlite.", where="/var/tmp") as folder:
        satchel = e2e.Satchel(options.satchel, {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        device = e2e.Device(satchel, folder, "first", repository)
        acknowledged, daemon_kills = set(), 0
        try:
            device.mount()
            database = device.path("home/ada/rows.sqlite")
            with contextlib.closing(sqlite3.connect(database)) as connection:
                connection.execute("pragma journal_mode=wal")
                connection.execute("create table rows(writer integer, number integer, content blob, primary key(writer, number))")
            for round_number in range(options.rounds):
                first = round_number * 1000000
                writers = [start_writer(database, writer, first) for writer in range(WRITERS)]
                time.sleep(0.5 + chance.random())
                if round_number % 3 == 2:
                    daemon_kills += 1
                    e2e.kill_and_wait(device.pid())
                for pid, _ in writers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                for writer, (pid, pipe) in enumerate(writers):
                    acknowledged |= {(writer, number) for number in read_numbers(pipe)}
                    os.waitpid(pid, 0)
                if round_number % 3 == 2:
                    device.mount()
                found = rows_of(database)
                e2e.check(acknowledged <= found, f"round {round_number}: {len(acknowledged - found)} acknowledged rows are lost")
            e2e.check(len(acknowledged) > 10 * options.rounds, f"only {len(acknowledged)} rows were acknowledged")
            print(f"{options.rounds} rounds of {WRITERS} writers, the mount's process killed {daemon_kills} times: "
                  f"{len(acknowledged)} acknowledged rows, all there")
            device.umount()
        finally:
            device.tidy()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    e2e.main(test)
