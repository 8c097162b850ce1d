"""Binds whose files have other owners inside than on the disk (idmapped mounts)."""
import contextlib
import os
import subprocess

from bundles import Bundle, need_root
from cases import Skip, check, equal, main

BASE = 100000


def maps(inside, outside, size):
    return {key: [{"containerID": inside, "hostID": outside, "size": size}] for key in ("uidMappings", "gidMappings")}


def volume(folder, *owners):
    """A directory of the disk's uid and gid 0, with a file "N" of each owner N."""
    os.makedirs(f"{folder}/volume", exist_ok=True)
    for owner in owners:
        with open(f"{folder}/volume/{owner}", "w") as file:
            file.write(f"of {owner}\n")
        os.chown(file.name, owner, owner)
        os.chmod(file.name, 0o600)


def bundle_of(folder, script, options=("rbind",), **mount):
    need_root()
    bundle = Bundle(folder, script)
    capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]
    bundle.config["process"]["capabilities"] = {key: capabilities for key in ("bounding", "effective", "permitted")}
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": f"{folder}/volume", "options": list(options), **mount})
    return bundle


def in_user_namespace(bundle):
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    bundle.config["linux"].update(maps(0, BASE, 65000))
    subprocess.run(["chown", "-R", f"{BASE}:{BASE}", f"{bundle.folder}/rootfs"], check=True)
    return bundle


def result_of(bundle):
    result = bundle.run()
    for word in ("ENOSYS", "EINVAL"):
        if f"({word})" in result.stderr and "map the ids" in result.stderr:
            raise Skip(f"needs a kernel and a file system that map the ids of a mount: {result.stderr.strip()}")
    return result


def output_of(bundle):
    result = result_of(bundle)
    equal((result.returncode, result.stderr), (0, ""))
    return result.stdout.splitlines()


def owners_on_disk(folder, *names):
    found = [os.lstat(f"{folder}/volume/{name}") for name in names]
    return [(one.st_uid, one.st_gid) for one in found]


SCRIPT = ("stat -c '%n %u:%g' 0 5 70000; cat 0 5; (cat 70000) 2>/dev/null || echo refused; echo new > made; mkdir folder; ln -s x link; ln made again; "
          "mv made moved; chown 7:8 folder; chmod 4711 moved; stat -c '%n %u:%g %a' moved folder link")


def test_a_container_with_ids_of_its_own_owns_its_volume(folder):
    """config.md#linux-mounts: uidMappings, gidMappings: the mapping to convert IDs from the source file system to the destination mount point.
    config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: idmap ridmap."""
    for engine in ("notify", "ptrace"):
        subprocess.run(["rm", "-rf", f"{folder}/volume"], check=True)
        volume(folder, 0, 5, 70000)
        bundle = in_user_namespace(bundle_of(folder, f"cd /v; {SCRIPT}", **maps(0, BASE, 65000)))
        bundle.config["annotations"] = {"dev.sandbox.platform": engine}
        equal(output_of(bundle), ["0 0:0", "5 5:5", "70000 65534:65534", "of 0", "of 5", "refused",
                                  "moved 0:0 4711", "folder 7:8 755", "link 0:0 777"])
        equal(owners_on_disk(folder, "moved", "again", "folder", "link"), [(0, 0), (0, 0), (7, 8), (0, 0)])


def test_permissions_follow_the_owners_that_are_shown(folder):
    volume(folder, 0, 5)
    bundle = in_user_namespace(bundle_of(folder, "cd /v; cat 5; (cat 0) 2>/dev/null || echo refused; (echo x > new) 2>/dev/null || echo refused", **maps(0, BASE, 65000)))
    bundle.config["process"].update(user={"uid": 5, "gid": 5}, capabilities={})
    equal(output_of(bundle), ["of 5", "refused", "refused"])


def test_the_maps_of_the_container(folder):
    """config.md#linux-mount-options: idmap: if uidMappings and gidMappings are not specified, the container's user namespace mapping; without one an error MUST be returned."""
    volume(folder, 0, 5)
    for option in ("idmap", "ridmap"):
        bundle = in_user_namespace(bundle_of(folder, "stat -c %u:%g /v/0 /v/5", ("rbind", option)))
        equal(output_of(bundle), ["0:0", "5:5"])
        bundle_of(folder, "true", ("rbind", option)).refused("options", "uidMappings")


def test_other_owners_without_a_user_namespace(folder):
    volume(folder, 0, 5)
    os.chmod(f"{folder}/volume", 0o700)
    bundle = bundle_of(folder, "cd /v; stat -c '%n %u:%g' 0 5; cat 0; echo x > made", **maps(0, 1000, 1))
    bundle.config["process"].update(user={"uid": 1000, "gid": 1000}, capabilities={})
    equal(output_of(bundle), ["0 1000:1000", "5 65534:65534", "of 0"])
    equal(owners_on_disk(folder, "made"), [(0, 0)])
    # Who has no id on the disk makes nothing there.
    bundle = bundle_of(folder, "echo x > /v/another", **maps(0, 1000, 1))
    check("Value too large" in result_of(bundle).stderr)
    check(not os.path.exists(f"{folder}/volume/another"))


def test_mounts_below_the_source(folder):
    """config.md#linux-mount-options: ridmap: the mount must have an idmapping applied, and the mapping is applied recursively."""
    volume(folder, 0)
    os.mkdir(f"{folder}/volume/below")
    subprocess.run(["mount", "-t", "tmpfs", "test", f"{folder}/volume/below"], check=True)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(subprocess.run, ["umount", f"{folder}/volume/below"], check=True)
        for option, owner in (("idmap", "65534:65534"), ("ridmap", "0:0")):
            bundle = in_user_namespace(bundle_of(folder, "stat -c %u:%g /v/0 /v/below", ("rbind", option)))
            equal(output_of(bundle), ["0:0", owner])


def test_who_may_not_map_ids_is_told(folder):
    """config.md#linux-mounts: what the kernel refuses is an error."""
    need_root()
    volume(folder, 0)
    bundle = bundle_of(folder, "true", **maps(0, 0, 1))
    bundle.config["mounts"][-1]["source"] = "/proc"
    bundle.refused("map the ids of /proc", "file system that can map ids")
    for mount, word in (({"type": "tmpfs", "options": []}, "binds only"), ({"options": ["bind", "idmap"], "type": "none"}, "uidMappings")):
        bundle = bundle_of(folder, "true")
        bundle.config["mounts"][-1].update(mount)
        if mount["type"] == "tmpfs":
            bundle.config["mounts"][-1].update(maps(0, 0, 1))
        bundle.refused(word)


if __name__ == "__main__":
    main(globals())
