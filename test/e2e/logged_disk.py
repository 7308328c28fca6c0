"""A disk whose writes and flushes are logged, and what is left of it after a power cut (test/support/write_log_disk.cpp)."""

import contextlib
import os
import subprocess
import time

import satchel_e2e as e2e

BYTES = 192 << 20


class LoggedDisk:
    """An ext4 on a loop device over the logging disk, mounted at `folder`/disk."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.log = os.path.join(folder, "log")
        self.fuse, self.mount_point = os.path.join(folder, "fuse"), os.path.join(folder, "disk")
        self.loop = self.process = None

    def start(self):
        os.makedirs(self.fuse)
        os.makedirs(self.mount_point)
        self.process = subprocess.Popen([self.program, self.fuse, str(BYTES), self.log])
        end = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.fuse, "disk")):
            e2e.check(time.monotonic() < end, "the logging disk did not start")
            time.sleep(0.01)
        self.loop = subprocess.check_output(["losetup", "-f", "--show", "--direct-io=on", os.path.join(self.fuse, "disk")], text=True).strip()
        # Blocks of 1 KiB, so that holes may be smaller than what the program copies at a time.
        subprocess.check_call(["mkfs.ext4", "-q", "-F", "-b", "1024", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", self.loop])
        subprocess.check_call(["mount", "-o", "noatime,commit=300", self.loop, self.mount_point])

    def position(self):
        return os.path.getsize(self.log)

    def stop(self):
        subprocess.run(["umount", self.mount_point], check=False)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], check=False)
        # Lazily, and not for ever: a mount namespace that another program made meanwhile holds the disk as long as it lives. The log has all that is asked of it.
        subprocess.run(["fusermount3", "-u", "-z", self.fuse], check=False)
        if self.process:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def disk_after_cut(disk, folder, cut, seed):
    """Makes the disk as it may be if the power failed at byte `cut` of the log, and shows it; ext4 recovers."""
    image, mount_point = os.path.join(folder, "image"), os.path.join(folder, "disk")
    os.makedirs(mount_point, exist_ok=True)
    subprocess.check_output([disk.program, "--replay", disk.log, image, str(BYTES), str(cut), str(seed)])
    loop = subprocess.check_output(["losetup", "-f", "--show", image], text=True).strip()
    try:
        subprocess.check_call(["mount", loop, mount_point])
        yield mount_point
    finally:
        subprocess.run(["umount", mount_point], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", loop], check=False)
        os.remove(image)  # so that one that is still held (see stop()) is not the next one's
