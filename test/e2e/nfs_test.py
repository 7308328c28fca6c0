#!/usr/bin/env python3
"""nfs-ganesha exports a mounted view: clients read what the view shows, over drop_caches and renames, and never get ESTALE for what is there.

usage: nfs_test.py SATCHEL

The server runs in user space on a port of the loopback; the client is libnfs. Skipped where either is missing.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import satchel_e2e as e2e

PORT = 12951


class Ganesha:
    """One nfs-ganesha that exports one directory as /view."""

    def __init__(self, folder, path):
        self.configuration = os.path.join(folder, "ganesha.conf")
        self.log = os.path.join(folder, "ganesha.log")
        os.makedirs(os.path.join(folder, "recovery"))
        os.makedirs("/var/run/ganesha", exist_ok=True)
        with open(self.configuration, "w", encoding="ascii") as out:
            out.write(f"""
NFS_CORE_PARAM {{ NFS_Port = {PORT}; MNT_Port = {PORT + 1}; Protocols = 4; Bind_addr = 127.0.0.1; Enable_NLM = false;
  Enable_RQUOTA = false; Enable_UDP = false; mount_path_pseudo = true; }}
NFSV4 {{ Graceless = true; RecoveryBackend = fs; Delegations = false; Only_Numeric_Owners = true; }}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT {{ Export_Id = 7; Path = "{path}"; Pseudo = "/view"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
  Protocols = 4; Transports = TCP; PrivilegedPort = false; Attr_Expiration_Time = 0; Filesystem_Id = 1447.7; FSAL {{ Name = VFS; }} }}
""")
        self.process = None

    def start(self):
        open(self.log, "w", encoding="ascii").close()
        self.process = subprocess.Popen(["ganesha.nfsd", "-F", "-f", self.configuration, "-L", self.log, "-p", self.log + ".pid",
                                         "-N", "NIV_EVENT"])
        end = time.monotonic() + 60
        while time.monotonic() < end:
            e2e.check(self.process.poll() is None, f"ganesha ended: {self.said()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", PORT)) == 0 and "NFS SERVER INITIALIZED" in self.said():
                    return
            time.sleep(0.1)
        raise e2e.Failed(f"ganesha does not answer: {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def nfs(program, path):
    done = subprocess.run([program, f"nfs://127.0.0.1/view/{path}?version=4&nfsport={PORT}"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    e2e.check(done.returncode == 0, f"{program} {path}: {done.stderr.decode(errors='replace')[-400:]}")
    return done.stdout


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("2")


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_client(golden, moved):
    names = {line.split()[-1].decode() for line in nfs("nfs-ls", moved + "doc/").splitlines()}
    e2e.check(names == set(os.listdir(os.path.join(golden, "usr/share/doc"))), f"{names}")
    for name in sorted(names):
        content = nfs("nfs-cat", moved + "doc/" + name)
        e2e.check(hashlib.sha256(content).hexdigest() == digest_of(os.path.join(golden, "usr/share/doc", name)), f"{name} differs")


def test():
    if not shutil.which("ganesha.nfsd") or not shutil.which("nfs-cat"):
        print("SATCHEL-SKIP: needs nfs-ganesha, nfs-ganesha-vfs and libnfs-utils")
        sys.exit(77)
    with e2e.scratch("satchel-nfs.") as folder:
        satchel = e2e.Satchel(sys.argv[1], {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
        repository = e2e.make_world(satchel, folder)
        golden = os.path.join(folder, "golden")
        device = e2e.Device(satchel, folder, "first", repository)
        server = Ganesha(folder, device.mount_point)
        try:
            device.mount(options=["--export"])
            with open(device.path("home/ada/new"), "wb") as out:
                out.write(b"made in the view")
            server.start()
            check_client(golden, "usr/share/")
            # The server's handles outlast the kernel's nodes.
            for _ in range(3):
                drop_caches()
                check_client(golden, "usr/share/")
                e2e.check(nfs("nfs-cat", "home/ada/new") == b"made in the view", "a new file")
            os.rename(device.path("usr/share"), device.path("usr/moved"))
            device.synced()
            drop_caches()
            check_client(golden, "usr/moved/")
            # What changes in the view is seen by clients.
            with open(device.path("home/ada/new"), "ab") as out:
                out.write(b", and changed")
            drop_caches()
            e2e.check(nfs("nfs-cat", "home/ada/new") == b"made in the view, and changed", "a changed file")
            server.stop()
            device.umount()
            device.mount(options=["--export"])
            server.start()
            check_client(golden, "usr/moved/")
            said = server.said()
            e2e.check("ESTALE" not in said and "Stale" not in said, said)
        finally:
            server.stop()
            device.tidy()


e2e.main(test)
