"""Hostile bundles and arguments: a clear error, nothing left behind, nothing on the host changed."""
import json
import os
import subprocess

from bundles import Bundle, need_root
from cases import check, equal, main


def refused_text(folder, text, *words):
    bundle = Bundle(folder)
    bundle.save = lambda: None
    with open(f"{folder}/config.json", "w") as file:
        file.write(text)
    bundle.refused(*words)


def test_truncated_and_empty(folder):
    text = json.dumps(Bundle(folder).config)
    for broken in ("", "{", text[:-1], text[: len(text) // 2], "[]", "null", "\0"):
        refused_text(folder, broken, "config.json")


def test_huge(folder):
    refused_text(folder, json.dumps({"ociVersion": "1.0.0", "x": "y" * (17 << 20)}), "16 MiB")


def test_deeply_nested(folder):
    refused_text(folder, '{"a":' * 100000 + "1" + "}" * 100000, "64 levels")
    refused_text(folder, '{"a":' + "[" * 100000 + "]" * 100000 + "}", "64 levels")


def test_wrong_types(folder):
    config = Bundle(folder).config
    for change, word in (({"root": []}, "root"), ({"process": "x"}, "process"), ({"mounts": {}}, "mounts"), ({"linux": 3}, "linux"),
                         ({"hooks": {"prestart": [{"path": 3}]}}, "hooks.prestart[0].path"), ({"hostname": {}}, "hostname")):
        refused_text(folder, json.dumps({**config, **change}), word)


def test_contradictions(folder):
    for namespaces, word in (([{"type": "mount"}, {"type": "pid"}, {"type": "pid"}], "two of `pid`"), ([{"type": "pid"}], "no mount namespace"),
                             ([{"type": "mount"}, {"type": "nonsense"}], "`nonsense`"), ([{"type": "mount", "path": "/proc/1/ns/mnt"}], "cannot be joined")):
        bundle = Bundle(folder)
        bundle.config["linux"]["namespaces"] = namespaces
        bundle.config.pop("hostname")
        bundle.refused(word)
    bundle = Bundle(folder)
    bundle.config["linux"]["namespaces"] = [one for one in bundle.config["linux"]["namespaces"] if one["type"] != "uts"]
    bundle.refused("hostname", "UTS")
    bundle = Bundle(folder)
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 8}]
    bundle.refused("soft limit is above")


def test_rootfs_that_is_missing_a_file_or_a_link(folder):
    for make, word in ((lambda path: None, "No such file"), (lambda path: open(path, "w").close(), "no directory"),
                       (lambda path: os.symlink("/", path), "symbolic link")):
        bundle = Bundle(folder)
        bundle.config["root"]["path"] = "other"
        make(f"{folder}/other")
        bundle.refused("root.path", word)
        if os.path.lexists(f"{folder}/other"):
            os.unlink(f"{folder}/other")


def test_links_of_the_rootfs_lead_nowhere_else(folder):
    """CVE-2019-19921, CVE-2021-30465, CVE-2025-31133, CVE-2026-47766: mount points that are links out."""
    need_root()
    outside = f"{folder}/outside"
    os.makedirs(outside)
    bundle = Bundle(folder, "echo inside > /data/file; echo more > /dev/shm/file; cat /data/file")
    for name in ("dev", "proc", "sys"):
        os.rmdir(f"{folder}/rootfs/{name}")
        os.symlink(outside, f"{folder}/rootfs/{name}")
    os.symlink(f"../../../../../../..{outside}", f"{folder}/rootfs/data")
    os.makedirs(f"{folder}/volume")
    bundle.config["mounts"].append({"destination": "/data", "type": "bind", "source": f"{folder}/volume", "options": ["bind"]})
    bundle.config["linux"]["maskedPaths"].append("/data/masked")
    bundle.run()
    equal(os.listdir(outside), [])


def test_mount_destinations(folder):
    for destination, word in (("/a/../../x", "`..`"), ("", "missing")):
        bundle = Bundle(folder)
        bundle.config["mounts"].append({"destination": destination, "type": "tmpfs", "source": "x"})
        bundle.refused("destination", word)


def test_ids(folder):
    bundle = Bundle(folder)
    for name in ("a/b", "..", ".", "", "x" * 1000, "a b", "a\nb", "é"):
        bundle.id = name
        bundle.save()
        result = bundle.call("create", "--bundle", folder, name)
        equal(result.returncode, 1)
        check("id" in result.stderr, result.stderr)
        for verb in ("start", "state", "kill", "delete", "pause"):
            equal(bundle.call(verb, name).returncode, 1)
    equal(os.listdir(bundle.root), [])


def test_options(folder):
    bundle = Bundle(folder)
    for words, said in ((["create", "--nonsense", "x"], "--nonsense"), (["create", "--pid-file"], "lacks its value"), (["nonsense", "x"], "no command"),
                        (["create"], "no container"), (["create", "--preserve-fds", "-1", "x"], "--preserve-fds"), (["state", "a", "b"], "too many")):
        result = bundle.call(*words)
        equal(result.returncode, 1)
        check(said in result.stderr, result.stderr)


def test_single_dashes(folder):
    need_root()
    bundle = Bundle(folder, "echo fine")
    bundle.save()
    equal(bundle.call("run", "-bundle", folder, "-no-pivot=true", "-no-subreaper", bundle.id).stdout, "fine\n")


def test_cgroups_path_that_leads_out(folder):
    bundle = Bundle(folder)
    bundle.config["linux"]["cgroupsPath"] = "/a/../../b"
    bundle.refused("linux.cgroupsPath")


def test_a_program_that_is_missing(folder):
    need_root()
    bundle = Bundle(folder)
    bundle.config["process"]["args"] = ["/no/such"]
    bundle.refused("No such file or directory")
    bundle.config["process"]["args"] = ["nothere"]
    bundle.refused("nothere", "PATH")


def test_a_full_disk_below_root(folder):
    need_root()
    bundle = Bundle(folder, "true")
    os.makedirs(bundle.root, mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", bundle.root], check=True)
    try:
        with open(f"{bundle.root}/filler", "wb") as file:
            file.write(b"x" * 4096)
        bundle.save()
        result = bundle.call("run", "--bundle", folder, bundle.id)
        equal(result.returncode, 1)
        check("disk is full" in result.stderr, result.stderr)
        equal(os.listdir(bundle.root), ["filler"])
    finally:
        subprocess.run(["umount", bundle.root], check=True)


if __name__ == "__main__":
    main(globals())
