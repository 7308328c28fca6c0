#!/usr/bin/env python3
"""A dozen packages installed by apt in a view, and a database server that is killed there again and again.

usage: packages_test.py SATCHEL

dpkg has no complaint after it; nothing that the golden tree has is missing but what dpkg took away, nothing is reported as removed that was
never there; the golden image is what it was. PostgreSQL, installed so, is killed with -9 while pgbench writes, recovers each time, and has every row
whose commit it acknowledged; once the mount's process is killed too.
"""

import os
import re
import sys
import time

import debian_view
import satchel_e2e as e2e

PACKAGES = "postgresql-15 postgresql-contrib git vim-tiny python3 openssh-server nginx-light gcc libc6-dev make rsync sqlite3 cron less man-db"
SERVER = "/usr/lib/postgresql/15/bin"
DATA = "/var/lib/postgresql/data"
LOG = "/tmp/postgres.log"
ROUNDS = 5


def check_packages(satchel, system, repository):
    device = system.device
    system.install(PACKAGES)
    e2e.check(system.run("dpkg", "--audit") == "", "dpkg --audit has complaints")
    system.run("sh", "-c", "printf 'int main(){return 0;}' > /tmp/a.c && gcc -o /tmp/a /tmp/a.c && /tmp/a && git --version && python3 -c 'import json'")
    version = device.synced()["version"]
    golden = debian_view.golden_tree()
    removed = [change["path"] for change in satchel.data("diff", repository, "lab@1", f"ada@{version}") if change["change"] == "removed"]
    for path in removed:
        path = path.lstrip("/")
        e2e.check(os.path.lexists(os.path.join(golden, path)), f"{path} is reported as removed and was never there")
        e2e.check(not os.path.lexists(device.path(path)), f"{path} is reported as removed and is there")
    # dpkg and ldconfig replace files by renaming over them: hardly anything of a base goes when packages come.
    e2e.check(len(removed) < 20, f"{len(removed)} files of the golden tree are gone: {removed[:20]}")
    print(f"apt installed {PACKAGES}: dpkg has no complaint; gone from the golden tree: {removed}")


def check_image(satchel, folder, repository):
    """The image is bit for bit the tree that it was imported from."""
    mount_point = os.path.join(folder, "image")
    os.makedirs(mount_point)
    satchel.run("mount", "--repo", repository, "--store", os.path.join(folder, "image.store"), "--image", "lab@1", mount_point)
    try:
        different = e2e.same_trees(debian_view.golden_tree(), mount_point)
    finally:
        satchel.run("umount", mount_point)
    e2e.check(not different, f"the image has changed: {different[:10]}")


class Server:
    """A PostgreSQL in the view, each commit durable when it is acknowledged."""

    def __init__(self, system):
        self.system = system
        system.run("install", "-d", "-o", "postgres", "-m", "700", DATA)
        system.as_user("postgres", f"{SERVER}/initdb -A trust -D {DATA}")

    def start(self):
        self.system.as_user("postgres", f"{SERVER}/pg_ctl -D {DATA} -w -t 120 -l {LOG} -o '-c listen_addresses= -k /tmp' start >/dev/null || "
                            f"{{ cat {LOG}; exit 1; }}")

    def stop(self):
        self.system.as_user("postgres", f"{SERVER}/pg_ctl -D {DATA} -m fast -w stop >/dev/null")

    def query(self, text):
        return self.system.run("psql", "-h", "/tmp", "-U", "postgres", "-tA", "-c", text).strip()

    def kill(self):
        with open(self.system.device.path(DATA.lstrip("/") + "/postmaster.pid"), encoding="ascii") as file:
            postmaster = int(file.readline())
        with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        e2e.kill_and_wait(postmaster)
        for child in children:
            e2e.kill_and_wait(child)

    def forget_killed(self):
        """Nobody may have reaped the killed server yet, and then these files seem to be of one that runs."""
        for name in (DATA + "/postmaster.pid", "/tmp/.s.PGSQL.5432.lock"):
            os.unlink(self.system.device.path(name.lstrip("/")))

    def start_load(self, log):
        """Four clients insert numbers of one sequence; what was acknowledged is printed to `log`, which is outside the view."""
        script = ("i=0; while i=$((i+1)); do psql -h /tmp -U postgres -qtA -v ON_ERROR_STOP=1 -c "
                  "\"insert into acknowledged values (default) returning id\" || exit 0; done")
        return [self.system.start("sh", "-c", script, stdout=log, stderr=log) for _ in range(4)]


def check_database(system):
    server = Server(system)
    server.start()
    server.query("create table acknowledged(id serial primary key)")
    system.run(f"{SERVER}/pgbench", "-h", "/tmp", "-U", "postgres", "-q", "-i", "-s", "2", "postgres")
    seen = set()
    for round_number in range(ROUNDS):
        with open(os.path.join(os.path.dirname(system.device.mount_point), "acknowledged"), "w+b") as log:
            load = [system.start(f"{SERVER}/pgbench", "-h", "/tmp", "-U", "postgres", "-n", "-c", "2", "-T", "60", "postgres", stdout=log, stderr=log),
                    *server.start_load(log)]
            time.sleep(4)
            server.kill()
            for process in load:
                process.wait(timeout=60)
            log.seek(0)
            new = {int(number) for number in re.findall(rb"^(\d+)$", log.read(), re.M)}
        e2e.check(len(new) > 5, f"round {round_number}: only {len(new)} rows were acknowledged")
        seen |= new
        server.forget_killed()
        server.start()
        kept = {int(number) for number in server.query("select id from acknowledged").split()}
        e2e.check(seen <= kept, f"round {round_number}: {len(seen - kept)} acknowledged rows are lost")
        branches, tellers, accounts, history = (int(server.query(f"select coalesce(sum({column}), 0) from {table}")) for column, table in (
            ("bbalance", "pgbench_branches"), ("tbalance", "pgbench_tellers"), ("abalance", "pgbench_accounts"), ("delta", "pgbench_history")))
        e2e.check(branches == tellers == accounts == history, f"pgbench's sums differ: {branches} {tellers} {accounts} {history}")
    server.stop()
    print(f"PostgreSQL killed {ROUNDS} times: {len(seen)} acknowledged rows, all there; pgbench's sums agree")


def test():
    with e2e.scratch("satchel-packages.", where="/var/tmp") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "SATCHEL_RULES": os.path.join(folder, "none")})
        repository = debian_view.make_debian_world(satchel, folder)
        device = e2e.Device(satchel, folder, "first", repository)
        try:
            device.mount()
            with debian_view.System(device) as system:
                check_packages(satchel, system, repository)
                check_database(system)
            device.umount()
            check_image(satchel, folder, repository)
            satchel.run("fsck", repository, timeout=300)
        finally:
            device.tidy()


e2e.main(test)
