"""A real Debian in a view: its golden tree in a repository, and programs that run in what a device shows, by chroot."""

import os
import re
import shutil
import subprocess

import satchel_e2e as e2e

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def golden_tree():
    """The folder of the Debian tree, which is made if it is not there."""
    return subprocess.run([os.path.join(PACKAGING, "debian_tree.sh")], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def make_debian_world(satchel, folder):
    """A repository with the image `lab` of one Debian layer and ada's workspace; returns its path."""
    repository = os.path.join(folder, "repo")
    satchel.run("init", repository)
    satchel.run("import", repository, "os/debian12", "--from", golden_tree())
    satchel.run("image", "create", repository, "lab", "--layer", "os/debian12@1")
    satchel.run("workspace", "create", repository, "ada", "--image", "lab@1")
    return repository


class System:
    """The Debian that a device shows, with /proc. Services that packages bring do not start."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        view = self.device.mount_point
        subprocess.run(["mount", "-t", "proc", "proc", self.device.path("proc")], check=True)
        os.makedirs(self.device.path("dev/shm"), exist_ok=True)
        os.chmod(self.device.path("dev/shm"), 0o1777)
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(f"/etc/{name}", f"{view}/etc/{name}")
        dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, check=True).stdout.decode()
        proxies = [line for line in dump.splitlines() if re.match(r"Acquire::https?::Proxy ", line)]
        with open(f"{view}/etc/apt/apt.conf.d/99test-proxy", "w", encoding="utf-8") as out:
            out.write("\n".join(proxies) + "\n")
        with open(f"{view}/usr/sbin/policy-rc.d", "w", encoding="ascii") as out:
            out.write("#!/bin/sh\nexit 101\n")
        os.chmod(f"{view}/usr/sbin/policy-rc.d", 0o755)
        return self

    def __exit__(self, *_):
        os.unlink(self.device.path("usr/sbin/policy-rc.d"))
        subprocess.run(["umount", "-l", self.device.path("proc")], check=False)

    def start(self, *arguments, **options):
        """A process in the view, as root."""
        return subprocess.Popen(["chroot", self.device.mount_point, *arguments], env=ENVIRONMENT, stdin=subprocess.DEVNULL, **options)

    def run(self, *arguments, timeout=600):
        """Runs a program as root and returns what it prints; a failure is one of the test."""
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            printed = process.communicate(timeout=timeout)[0].decode(errors="replace")
        finally:
            if process.poll() is None:
                process.kill()
        e2e.check(process.returncode == 0, f"{arguments}: {process.returncode}\n{printed[-2000:]}")
        return printed

    def as_user(self, user, command, timeout=600):
        return self.run("su", "-", user, "-c", command, timeout=timeout)

    def as_ada(self, command):
        return self.as_user("ada", f"export XDG_RUNTIME_DIR=$HOME/.run; {command}", timeout=200)

    def install(self, packages):
        apt = "apt-get -y -q -o Dpkg::Use-Pty=0 --no-install-recommends"
        self.run("sh", "-c", f"{apt} update && {apt} install {packages}", timeout=1200)
