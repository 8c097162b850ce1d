"""Hostile bundles and arguments: a clear error, nothing left behind, nothing on the host changed."""
import concurrent.futures
import json
import os
import signal
import subprocess
import time

from bundles import Bundle, need_root, wait_until
from cases import SANDBOX, check, equal, is_alive, main


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


def test_logs_that_cannot_be_written(folder):
    bundle = Bundle(folder)
    for words, said in ((["--log-format", "xml", "list"], "no format"), (["--log", f"{folder}/no/where", "list"], "No such file"),
                        (["--log", folder, "list"], "directory")):
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


def processes_of(bundle):
    """Those whose command line names the container: its commands, its sentry, what it left."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if bundle.id.encode() in file.read() and is_alive(int(pid)):
                    found.append(int(pid))
        except OSError:
            pass  # it ended meanwhile
    return found


def create_process(bundle):
    return subprocess.Popen([SANDBOX, "--root", bundle.root, "create", "--bundle", bundle.folder, bundle.id],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_create_killed_at_any_moment(folder):
    need_root()
    for milliseconds in range(0, 30, 2):
        bundle = Bundle(folder, "sleep 100")
        bundle.save()
        process = create_process(bundle)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        wait_until(lambda: bundle.call("delete", "--force", bundle.id).returncode == 0)
        wait_until(lambda: not processes_of(bundle))
        check(bundle.nothing_left(), f"killed after {milliseconds} ms: something is left")


def test_sentry_killed_before_start(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        with open(f"{bundle.root}/{bundle.id}/record.json") as file:
            os.kill(json.load(file)["sentry"], signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))
        result = bundle.call("start", bundle.id)
        check(result.returncode == 1 and "it is stopped" in result.stderr, result.stderr)
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left(), "something is left")


def test_shim_killed(folder):
    """Whoever ran `create` is the container's parent: without it the container goes on, and its commands work."""
    need_root()
    with Bundle(folder, "while :; do sleep 0.05; done") as bundle:
        bundle.save()
        shim = subprocess.Popen(["sh", "-c", f"'{SANDBOX}' --root '{bundle.root}' create --bundle '{folder}' {bundle.id} > /dev/null 2>&1 && "
                                 f"touch '{folder}/created'; sleep 1000 > /dev/null 2>&1"], stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: os.path.exists(f"{folder}/created"))
        equal(bundle.call("start", bundle.id).stderr, "")
        os.killpg(shim.pid, signal.SIGKILL)
        shim.wait()
        equal(bundle.state()["status"], "running")
        equal(bundle.call("exec", bundle.id, "echo", "inside").stdout, "inside\n")
        pid = bundle.state()["pid"]
        equal(bundle.call("kill", bundle.id, "KILL").stderr, "")
        wait_until(lambda: not is_alive(pid))
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left() and not processes_of(bundle), "something is left")


def test_start_killed_during_its_hooks(folder):
    """The container is still created: `start` begins anew, and `delete` needs no force."""
    need_root()
    with Bundle(folder, "echo program; exec sleep 100") as bundle:
        bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo >> /tmp/runs; test -e /tmp/go || sleep 1000"]}]}
        runs = f"{folder}/rootfs/tmp/runs"
        equal((bundle.create(), bundle.errors()), (0, ""))
        for attempt in (1, 2):
            start = subprocess.Popen([SANDBOX, "--root", bundle.root, "start", bundle.id], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            wait_until(lambda: os.path.exists(runs) and os.path.getsize(runs) == attempt)
            start.kill()
            start.wait()
            equal((bundle.state()["status"], bundle.printed()), ("created", ""))
        open(f"{folder}/rootfs/tmp/go", "w").close()
        equal(bundle.call("start", bundle.id).stderr, "")
        wait_until(lambda: bundle.printed() == "program\n")
        bundle.call("kill", bundle.id, "KILL")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left() and not processes_of(bundle), "something is left")


def test_hooks_inside_that_flood_or_end_the_container(folder):
    need_root()
    for script, word in (("yes | head -c 9000000 >&2; exit 3", "exited with 3"), ("kill -9 1; exit 4", "exited with 4"),
                         ("exec 0<&- 2>&-; exit 5", "exited with 5"), ("kill -9 $$", "signal 9")):
        with Bundle(folder, "echo program") as bundle:
            bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script], "timeout": 20}]}
            equal((bundle.create(), bundle.errors()), (0, ""))
            result = bundle.call("start", bundle.id)
            check(result.returncode == 1 and word in result.stderr, result.stderr)
            check(len(result.stderr) < 10000 and bundle.printed() == "", result.stderr[:1000])
            check(bundle.nothing_left() and not processes_of(bundle), "something is left")


def test_a_working_directory_behind_a_descriptor(folder):
    """CVE-2024-21626: a descriptor of the runtime's as the way out."""
    need_root()
    for number in range(3, 16):
        bundle = Bundle(folder, "pwd; ls")
        bundle.config["process"]["cwd"] = f"/proc/self/fd/{number}"
        result = bundle.run()
        check(result.returncode != 0 and "/proc/self/fd" in result.stderr and result.stdout == "", result.stdout + result.stderr)
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        for number in range(3, 16):
            result = bundle.call("exec", "--cwd", f"/proc/self/fd/{number}", bundle.id, "ls")
            check(result.returncode != 0 and result.stdout == "", result.stdout + result.stderr)


def test_masks_and_consoles_of_a_hostile_rootfs(folder):
    """CVE-2025-31133, CVE-2025-52565: /dev/null, /dev/console and what is masked are links to files of the host."""
    need_root()
    with open(f"{folder}/outside", "w") as file:
        file.write("the host's\n")
    bundle = Bundle(folder, "echo written > /dev/null; echo written > /dev/console; cat /tmp/secret /proc/kcore; echo written > /proc/sysrq-trigger; ls -l /dev/null")
    for name in ("null", "console", "ptmx"):
        os.symlink(f"../../../../../../../../../..{folder}/outside", f"{folder}/rootfs/dev/{name}")
    os.symlink(f"{folder}/outside", f"{folder}/rootfs/tmp/secret")
    bundle.config["linux"]["maskedPaths"] = ["/tmp/secret", "/proc/kcore", "/dev/nothing"]
    bundle.config["linux"]["readonlyPaths"] = ["/proc/sysrq-trigger"]
    result = bundle.run()
    check("the host's" not in result.stdout and result.stdout.startswith("c"), result.stdout + result.stderr)
    with open(f"{folder}/outside") as file:
        equal(file.read(), "the host's\n")


def at_once(count, act):
    """The exit codes of `count` calls of `act` that run at the same time."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return sorted(future.result().returncode for future in [pool.submit(act) for _ in range(count)])


def test_commands_on_one_id_race(folder):
    need_root()
    for _ in range(3):
        with Bundle(folder, "sleep 100") as bundle:
            bundle.save()
            create = ["create", "--bundle", folder, bundle.id]
            nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, "check": False}
            equal(at_once(6, lambda: subprocess.run([SANDBOX, "--root", bundle.root, *create], **nowhere)), [0] + [1] * 5)
            equal(at_once(6, lambda: bundle.call("start", bundle.id)), [0] + [1] * 5)
            equal(bundle.state()["status"], "running")
            equal(at_once(4, lambda: bundle.call("delete", "--force", bundle.id)), [0] * 4)
            check(bundle.nothing_left() and not processes_of(bundle), "something is left")


def test_a_disk_that_fills_up_below_root(folder):
    """However far `create` comes, it works or leaves nothing."""
    need_root()
    codes = set()
    for pages in range(1, 12):
        bundle = Bundle(folder, "sleep 100")
        os.makedirs(bundle.root, mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * 4}k,mode=700", "tmpfs", bundle.root], check=True)
        try:
            code = bundle.create()
            codes.add(code)
            if code == 0:
                equal(bundle.call("start", bundle.id).stderr, "")
                equal(bundle.call("delete", "--force", bundle.id).stderr, "")
            else:
                check("disk is full" in bundle.errors(), bundle.errors())
            check(bundle.nothing_left() and not processes_of(bundle), f"{pages} pages: something is left")
        finally:
            subprocess.run(["umount", bundle.root], check=True)
    equal(codes, {0, 1})


def test_a_console_socket_that_is_none(folder):
    need_root()
    bundle = Bundle(folder, "true")
    bundle.config["process"]["terminal"] = True
    open(f"{folder}/file", "w").close()
    for path, word in ((f"{folder}/nothing", "No such file"), (f"{folder}/file", "refused"), (f"{folder}/{'x' * 200}", "too long")):
        bundle.save()
        result = bundle.call("create", "--bundle", folder, "--console-socket", path, bundle.id)
        check(result.returncode == 1 and word in result.stderr, result.stderr)
        check(bundle.nothing_left(), "something is left")


def test_a_rootfs_that_is_a_link_on_the_way(folder):
    """A link above the root's last name is the operator's, and followed; the last one may be changed by others."""
    need_root()
    os.symlink(folder, f"{folder}/around")
    bundle = Bundle(folder, "echo fine")
    bundle.config["root"]["path"] = f"{folder}/around/rootfs"
    equal(bundle.output(), "fine\n")


def test_numbers_beyond_everything(folder):
    for part, key, value in (("process", "oomScoreAdj", 10**30), ("process", "user", {"uid": -1, "gid": 0}), ("process", "user", {"uid": 2**32, "gid": 0}),
                             ("linux", "resources", {"memory": {"limit": 1e40}}), ("linux", "resources", {"pids": {"limit": "many"}})):
        bundle = Bundle(folder)
        bundle.config[part][key] = value
        bundle.refused(f"{part}.{key}")


if __name__ == "__main__":
    main(globals())
