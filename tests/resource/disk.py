"""Limits of disks against real traffic: on a loop device, else on the disk that holds the test's directory.

disk.py SANDBOX ENGINE [CASE...]: each function test_* is a case."""
import mmap
import os
import re
import shutil
import subprocess

from groups import check, main, prints_fine, sandboxed, Skip

MEBIBYTE = 1 << 20
DATA_MIB = 32


class Disk:
    """A folder with a large file `data` on a disk whose number is `number`; given back at the end."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            raise Skip("disks are limited by root here")
        self.folder, self.loop, self.scheduler = folder, None, None
        try:
            self.mount_loop()
        except (subprocess.CalledProcessError, OSError) as reason:
            self.remove()
            print(f"no loop device can be had ({reason}): {folder}'s own disk is used")
        self.number = self.number_of_disk()

    def mount_loop(self):
        def run(*command):
            return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()

        image, mounted = f"{self.folder}/image", f"{self.folder}/mounted"
        with open(image, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 60 * MEBIBYTE)
        os.mkdir(mounted)
        self.loop = run("losetup", "--find", "--show", image)
        try:
            run("mkfs.ext4", "-q", self.loop)
            run("mount", self.loop, mounted)
        except (subprocess.CalledProcessError, FileNotFoundError):
            run("mkfs.minix", self.loop)  # what a kernel without ext4 may still have
            run("mount", "-t", "minix", self.loop, mounted)
        self.folder = mounted

    def number_of_disk(self):
        device = os.stat(self.folder).st_dev
        place = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
        if not os.path.exists(place):
            raise Skip(f"{self.folder} is on no disk, and there is no loop device")
        if os.path.exists(f"{place}/partition"):
            place = os.path.dirname(os.path.realpath(place))
        with open(f"{place}/dev") as number:
            return number.read().strip()

    def use_bfq(self):
        if not self.loop:
            raise Skip("there is no loop device, and the scheduler of a disk in use is left alone")
        self.scheduler = f"/sys/block/{os.path.basename(self.loop)}/queue/scheduler"
        with open(self.scheduler) as scheduler:
            self.scheduler_before = re.search(r"\[(.*)\]", scheduler.read()).group(1)
        self.set_scheduler("bfq")

    def set_scheduler(self, name):
        try:
            with open(self.scheduler, "w") as scheduler:
                scheduler.write(name)
        except OSError:
            self.scheduler = None
            raise Skip(f"the kernel has no {name} scheduler, which alone looks at weights") from None

    def remove(self):
        subprocess.run(["umount", self.folder], capture_output=True)
        if self.loop:
            # A loop device keeps it for the next file.
            if self.scheduler:
                self.set_scheduler(self.scheduler_before)
            subprocess.run(["losetup", "--detach", self.loop], capture_output=True)
            self.loop = None

    def __enter__(self):
        self.data = f"{self.folder}/data"
        try:
            with open(self.data, "wb") as data:
                data.write(os.urandom(DATA_MIB * MEBIBYTE))
                data.flush()
                os.fsync(data.fileno())
        except OSError:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def python(self, program, *options):
        return sandboxed("/usr/bin/python3", "-c", program, options=["--bind", f"{self.folder}:/mnt", *options])


# What the kernel has in memory already costs no disk.
TIMED_READS = """
import os, time
fd = os.open("/mnt/data", os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
def read(size, count):
    start = time.monotonic()
    for i in range(count):
        assert len(os.pread(fd, size, i * size)) == size
    return time.monotonic() - start
"""


def test_io_max_slows_reads(folder):
    with Disk(folder) as disk:
        program = TIMED_READS + """
elapsed = read(65536, 64)
assert elapsed > 1, f"4 MiB at 2 MiB a second took {elapsed} s"
sectors = int(open("/proc/diskstats").read().split()[5])
assert sectors >= 8192, f"{sectors} sectors"
print("fine")
"""
        prints_fine(disk.python(program, "--io-max", f"{disk.number}:rbps=2m"))


def test_io_max_counts_operations(folder):
    with Disk(folder) as disk:
        program = TIMED_READS + """
elapsed = read(4096, 80)
assert elapsed > 1, f"80 reads at 40 a second took {elapsed} s"
print("fine")
"""
        prints_fine(disk.python(program, "--io-max", f"{disk.number}:riops=40"))


def test_io_max_slows_writes(folder):
    with Disk(folder) as disk:
        try:
            with open(os.open(disk.data, os.O_WRONLY | os.O_DIRECT), "wb", buffering=0) as data:
                data.write(mmap.mmap(-1, 65536))
        except OSError:
            raise Skip("the file system has no O_DIRECT, and on version 1 only that counts as the writer's") from None
        program = """
import mmap, os, time
fd = os.open("/mnt/data", os.O_WRONLY | os.O_DIRECT)
start, block = time.monotonic(), mmap.mmap(-1, 65536)
for i in range(64): assert os.pwrite(fd, block, i * 65536) == 65536
elapsed = time.monotonic() - start
assert elapsed > 1, f"4 MiB at 2 MiB a second took {elapsed} s"
print("fine")
"""
        prints_fine(disk.python(program, "--io-max", f"{disk.number}:wbps=2m"))


def test_blkio_weight_divides_a_disk(folder):
    """Two sandboxes read at once; the heavier one gets more done."""
    program = """
import mmap, os, random, time
fd, block = os.open("/mnt/data", os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 65536)
count, end = 0, time.monotonic() + 3
while time.monotonic() < end:
    assert os.preadv(fd, [block], random.randrange(DATA) * 65536) == 65536
    count += 1
print(count)
""".replace("DATA", str(DATA_MIB * 16))
    with Disk(folder) as disk:
        disk.use_bfq()
        running = {weight: subprocess.Popen(disk.python(program, "--blkio-weight", str(weight)), stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) for weight in (1000, 20)}
        done = {}
        for weight, process in running.items():
            out, errors = process.communicate(timeout=60)
            check(process.returncode == 0, errors)
            done[weight] = int(out)
        check(done[1000] > 2 * done[20], f"reads by weight: {done}")


if __name__ == "__main__":
    for tool in ("losetup", "mkfs.ext4"):
        if not shutil.which(tool):
            print(f"not installed here: {tool}")
    main(globals(), first_case=3)
