"""What the host's programs find that enter a container's mount namespace, and what the container itself has of it: nothing."""
import os
import shutil
import subprocess

from bundles import Bundle, need_root, wait_until
from cases import SANDBOX, Skip, check, equal, main

# What a path of the workload would find that got past the sentry: the loader, and two empty directories.
EMPTY_ROOT = ["l", "proc", "root"]


class Running(Bundle):
    def __enter__(self):
        need_root()
        if shutil.which("nsenter") is None:
            raise Skip("needs nsenter (util-linux)")
        equal((self.create(), self.errors()), (0, ""))
        equal(self.call("start", self.id).stderr, "")
        self.pid = self.state()["pid"]
        return self

    def from_the_host(self, *words):
        return subprocess.run(["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--", *words], capture_output=True, text=True, timeout=60)


def test_it_shows_the_root_and_the_mounts(folder):
    os.mkdir(f"{folder}/volume")
    bundle = Running(folder, "echo one > /root/file; echo two > /t/file; echo three > /data/file; while :; do sleep 0.05; done")
    bundle.config["mounts"] += [{"destination": "/t", "type": "tmpfs", "source": "tmpfs"},
                                {"destination": "/data", "type": "bind", "source": f"{folder}/volume", "options": ["bind"]},
                                {"destination": "/fixed", "type": "bind", "source": f"{folder}/volume", "options": ["bind", "ro"]}]
    with bundle:
        wait_until(lambda: os.path.exists(f"{folder}/volume/file"))
        equal(bundle.from_the_host("cat", "/root/file", "/t/file", "/data/file", "/fixed/file").stdout, "one\ntwo\nthree\nthree\n")
        check("Read-only" in bundle.from_the_host("touch", "/fixed/new").stderr)
        equal(bundle.from_the_host("sh", "-c", "for place in /root /t /data; do echo new > $place/new; done").stderr, "")
        equal(bundle.call("exec", bundle.id, "cat", "/root/new", "/t/new", "/data/new").stdout, "new\nnew\nnew\n")


def test_a_read_only_root_is_one_there_too(folder):
    bundle = Running(folder, "sleep 100")
    bundle.config["root"]["readonly"] = True
    with bundle:
        check("Read-only" in bundle.from_the_host("touch", "/root/new").stderr)


def test_its_procfs_is_the_containers(folder):
    with Running(folder, "sleep 100 & exec sleep 200") as bundle:
        ids = [name for name in bundle.from_the_host("ls", "/proc").stdout.split() if name.isdigit()]
        check("1" in ids and len(ids) <= 2, str(ids))


def test_the_workloads_own_root_stays_empty(folder):
    with Running(folder, "sleep 100") as bundle:
        words = [SANDBOX, "--root", bundle.root, "exec", "--detach", "--pid-file", f"{folder}/pid", bundle.id, "sleep", "50"]
        equal(subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode, 0)
        with open(f"{folder}/pid") as file:
            for pid in (bundle.pid, int(file.read())):
                equal(sorted(os.listdir(f"/proc/{pid}/root")), EMPTY_ROOT)
                equal(os.listdir(f"/proc/{pid}/root/proc") + os.listdir(f"/proc/{pid}/root/root"), [])
                # It is no mount of any namespace: nothing lies above it.
                equal(sorted(os.listdir(f"/proc/{pid}/root/..")), EMPTY_ROOT)
                with open(f"/proc/{pid}/mountinfo") as mounts:
                    equal(mounts.read(), "")


def test_links_of_the_image_lead_no_mount_out(folder):
    os.makedirs(f"{folder}/outside")
    bundle = Running(folder, "sleep 100")
    os.symlink("../../../../../.." + folder + "/outside", f"{folder}/rootfs/link")
    bundle.config["mounts"].append({"destination": "/link/new", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    created = bundle.create()
    equal(os.listdir(f"{folder}/outside"), [])
    bundle.call("delete", "--force", bundle.id)
    check(created in (0, 1), bundle.errors())


if __name__ == "__main__":
    main(globals())
