"""config.md and config-linux.md: each property has its effect inside, or is refused by its name."""
import json
import os
import resource
import shutil
import subprocess

from bundles import Bundle, make_rootfs, need_root, wait_until
from cases import SANDBOX, Skip, check, equal, main


def bundle_of(folder, script):
    need_root()
    return Bundle(folder, script)


def test_mounts_appear_in_the_order_of_the_configuration(folder):
    bundle = bundle_of(folder, "cat /proc/self/mountinfo")
    os.makedirs(f"{folder}/volume")
    bundle.config["mounts"].append({"destination": "/v", "type": "bind", "source": f"{folder}/volume", "options": ["rbind", "ro"]})
    points = [line.split(" ")[4] for line in bundle.output().splitlines()]
    wanted = ["/"] + [mount["destination"] for mount in bundle.config["mounts"]]
    equal([point for point in points if point in wanted], wanted)


def test_readonly_root(folder):
    bundle = bundle_of(folder, "touch /x")
    bundle.config["root"]["readonly"] = True
    check("Read-only" in bundle.run().stderr)


def test_writes_reach_the_root(folder):
    bundle_of(folder, "echo text > /written").output()
    with open(f"{folder}/rootfs/written") as file:
        equal(file.read(), "text\n")


def test_binds(folder):
    bundle = bundle_of(folder, "cat /v/file; echo new > /v/new; touch /r/x; cat /deep/er/file")
    os.makedirs(f"{folder}/volume")
    with open(f"{folder}/volume/file", "w") as file:
        file.write("text\n")
    for point, options in (("/v", ["bind", "rw"]), ("/r", ["rbind", "ro"]), ("/deep/er/file", ["bind"])):
        source = f"{folder}/volume" + ("/file" if point.endswith("file") else "")
        bundle.config["mounts"].append({"destination": point, "source": source, "options": options})
    result = bundle.run()
    equal(result.stdout, "text\ntext\n")
    check("Read-only" in result.stderr and os.path.exists(f"{folder}/volume/new"), result.stderr)
    # Where the host's programs will find it, as with other runtimes.
    equal(os.stat(f"{folder}/rootfs/deep/er/file").st_size, 0)


def test_tmpfs_and_its_options(folder):
    bundle = bundle_of(folder, "stat -c '%a %u:%g' /t; ls /copy; mount | grep ' /t '")
    bundle.config["mounts"] += [
        {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "mode=750", "uid=5", "gid=6", "noexec"]},
        {"destination": "/copy", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]
    os.makedirs(f"{folder}/rootfs/copy")
    open(f"{folder}/rootfs/copy/file", "w").close()
    lines = bundle.output().splitlines()
    equal(lines[:2], ["750 5:6", "file"])
    check("size=1024k" in lines[2] and "noexec" in lines[2], lines[2])


def test_process_user_umask_and_groups(folder):
    bundle = bundle_of(folder, "id -u; id -g; id -G; umask")
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [77, 88], "umask": 0o27}
    equal(bundle.output(), "1000\n1000\n1000 77 88\n0027\n")


def test_process_cwd_and_env(folder):
    bundle = bundle_of(folder, "pwd; echo $A $HOME")
    bundle.config["process"].update(cwd="/home/alice", env=["A=b", "PATH=/bin"])
    equal(bundle.output(), "/home/alice\nb /root\n")


def test_all_five_capability_sets(folder):
    bundle = bundle_of(folder, "grep Cap /proc/self/status")
    bundle.config["process"].update(user={"uid": 1000, "gid": 1000}, args=["/bin/busybox", "grep", "Cap", "/proc/self/status"])
    kill, chown, bind = "CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"
    bundle.config["process"]["capabilities"] = {"bounding": [kill, chown, bind], "permitted": [kill, chown], "effective": [kill],
                                                "inheritable": [kill, chown], "ambient": [kill]}
    sets = {line.split(":")[0]: int(line.split()[1], 16) for line in bundle.output().splitlines()}
    # An exec by somebody else than root leaves the ambient set as permitted and effective.
    equal(sets, {"CapInh": 1 << 5 | 1, "CapPrm": 1 << 5, "CapEff": 1 << 5, "CapBnd": 1 << 5 | 1 | 1 << 10, "CapAmb": 1 << 5})


def test_rlimits(folder):
    bundle = bundle_of(folder, "grep 'open files' /proc/self/limits; grep 'stack size' /proc/self/limits")
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 400},
                                           {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 2 << 20}]
    lines = [line.split() for line in bundle.output().splitlines()]
    equal((lines[0][3:5], lines[1][3:5]), (["300", "400"], [str(1 << 20), str(2 << 20)]))


def test_rlimit_above_the_callers(folder):
    bundle = bundle_of(folder, "true")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))
        raise Skip("this user may raise limits")
    except (ValueError, PermissionError):
        pass
    bundle.config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": hard + 1}]
    bundle.refused("RLIMIT_NOFILE", str(hard))


def test_oom_score_and_priorities(folder):
    bundle = bundle_of(folder, "cat /proc/self/oom_score_adj")
    bundle.config["process"].update(oomScoreAdj=321, ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6},
                                    scheduler={"policy": "SCHED_BATCH", "nice": 4})
    equal(bundle.output(), "321\n")


def test_hostname_and_domainname(folder):
    bundle = bundle_of(folder, "hostname; cat /proc/sys/kernel/hostname")
    bundle.config.update(hostname="box", domainname="example")
    equal(bundle.output(), "box\nbox\n")


def test_namespaces_are_the_containers_own(folder):
    bundle = bundle_of(folder, "sleep 100")
    with bundle:
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        for name in ("pid", "net", "ipc", "uts", "mnt", "cgroup"):
            check(os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name)


def test_namespaces_joined_by_path(folder):
    with bundle_of(folder, "sleep 100") as first:
        first.config["hostname"] = "first"
        equal(first.create(), 0)
        pid = first.state()["pid"]
        first.call("start", first.id)
        second = Bundle(folder, "hostname")
        second.config.pop("hostname")
        for namespace in second.config["linux"]["namespaces"]:
            name = {"network": "net"}.get(namespace["type"], namespace["type"])
            if name in ("net", "ipc", "uts"):
                namespace["path"] = f"/proc/{pid}/ns/{name}"
        equal(second.output(), "first\n")


def test_low_ports_of_a_given_network(folder):
    with bundle_of(folder, "sleep 100") as first:
        equal(first.create(), 0)
        second = Bundle(folder, "timeout 1 nc -l -p 80; echo $?")
        second.config["linux"]["namespaces"][1]["path"] = f"/proc/{first.state()['pid']}/ns/net"
        equal(second.run().stdout, "143\n")


def test_a_namespace_path_that_is_none(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["namespaces"][1]["path"] = "/dev/null"
    bundle.refused("network namespace /dev/null", "no namespace of that kind")


def test_shared_namespaces_are_the_callers(folder):
    bundle = bundle_of(folder, "hostname")
    bundle.config.pop("hostname")
    bundle.config["linux"]["namespaces"] = [one for one in bundle.config["linux"]["namespaces"] if one["type"] not in ("uts", "ipc", "network")]
    equal(bundle.output(), os.uname().nodename + "\n")


def test_id_mappings(folder):
    bundle = bundle_of(folder, "id -u; touch /tmp/mine; stat -c %u /tmp/mine")
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    bundle.config["mounts"] = [mount for mount in bundle.config["mounts"] if mount["type"] != "devpts"]
    os.chmod(f"{folder}/rootfs/tmp", 0o1777)
    equal(bundle.output(), "0\n0\n")
    equal(os.stat(f"{folder}/rootfs/tmp/mine").st_uid, 200000)


def with_mounting(bundle):
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYS_ADMIN")


def test_binds_made_inside_go_again(folder):
    script = ("mkdir /all; mount --rbind / /all && ls /all/bin/sh; mount -o remount,rw /all/fixed; touch /all/fixed/x; umount -l /all && ls /all | wc -l; "
              "umount -l /fixed; ls /bin/sh")
    bundle = bundle_of(folder, script)
    os.makedirs(f"{folder}/rootfs/fixed")
    with_mounting(bundle)
    bundle.config["mounts"].append({"destination": "/fixed", "source": f"{folder}/rootfs/etc", "options": ["bind", "ro"]})
    result = bundle.run()
    equal(result.stdout, "/all/bin/sh\n0\n/bin/sh\n")
    check("Read-only" in result.stderr and "can't unmount /fixed" in result.stderr, result.stderr)


def test_a_bind_made_inside_uncovers_nothing(folder):
    bundle = bundle_of(folder, "mkdir /all; mount --bind / /all; cat /all/secret; mount --rbind / /all; cat /all/secret; umount /all/secret; cat /all/secret")
    with open(f"{folder}/rootfs/secret", "w") as file:
        file.write("SECRET\n")
    with_mounting(bundle)
    bundle.config["linux"]["maskedPaths"] = ["/secret"]
    result = bundle.run()
    check("SECRET" not in result.stdout and "Invalid argument" in result.stderr, result.stdout + result.stderr)


def test_devices(folder):
    bundle = bundle_of(folder, "for d in null zero full random urandom tty ptmx fuse; do stat -Lc %t:%T /dev/$d; done; echo > /dev/null")
    if not os.path.exists("/dev/fuse"):
        raise Skip("the host has no /dev/fuse")
    bundle.config["linux"]["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    equal(bundle.output().split(), ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2", "a:e5"])


def test_cgroups_path_and_limits(folder):
    bundle = bundle_of(folder, "free; nproc; sleep 100")
    for path in (f"/sandbox-tests/{bundle.id}", f"user-1.slice:test:{bundle.id}"):
        bundle.config["linux"]["cgroupsPath"] = path
        bundle.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 20}, "cpu": {"quota": 100000, "period": 100000}}
        with bundle:
            equal((bundle.create(), bundle.errors()), (0, ""))
            with open(f"/proc/{bundle.state()['pid']}/cgroup") as file:
                groups = file.read()
            wanted = path if path.startswith("/") else f"/user.slice/user-1.slice/test-{bundle.id}.scope"
            check(groups.count(wanted + "\n") >= 1, groups)
            bundle.call("start", bundle.id)
            wait_until(lambda: bundle.printed().endswith("\n1\n"))
            check(" 65536 " in bundle.printed(), bundle.printed())


def test_a_limit_that_the_kernel_refuses(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["resources"] = {"cpu": {"cpus": "9999"}}
    bundle.refused("linux.resources.cpu.cpus")


def test_sysctl(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}
    with bundle:
        equal((bundle.create(), bundle.errors()), (0, ""))
        pid = bundle.state()["pid"]
        read = subprocess.run(["nsenter", "-t", str(pid), "-n", "-i", "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmni"],
                              capture_output=True, text=True)
        equal(read.stdout, "1\n77\n")


def test_sysctls_are_shown_inside(folder):
    bundle = bundle_of(folder, "cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ip_local_port_range net/ipv4/tcp_syncookies")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "net.ipv4.ip_local_port_range": "2000 3000"}
    equal(bundle.output(), "1\n2000\t3000\n1\n")


def test_annotations_choose_how_the_sandbox_works(folder):
    bundle = bundle_of(folder, "echo text > /new; cat /new")
    bundle.config["annotations"] = {"org.example.other": "x", "dev.sandbox.platform": "ptrace", "dev.sandbox.overlay": "memory",
                                    "dev.sandbox.file-access": "exclusive"}
    equal(bundle.output(), "text\n")
    check(not os.path.exists(f"{folder}/rootfs/new"), "the change was not kept in memory")
    bundle.config["annotations"]["dev.sandbox.overlay"] = "none"
    equal(bundle.output(), "text\n")
    check(os.path.exists(f"{folder}/rootfs/new"), "the change was not made")


def test_annotations_that_are_refused(folder):
    for key, value in (("platform", "kvm"), ("overlay", "/tmp"), ("file-access", "all"), ("nonsense", "")):
        bundle = bundle_of(folder, "true")
        bundle.config["annotations"] = {f"dev.sandbox.{key}": value}
        bundle.refused(f"annotations.dev.sandbox.{key}")


def test_a_sysctl_of_the_host(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["sysctl"] = {"vm.swappiness": "1"}
    bundle.refused("vm.swappiness", "change the host")


def test_seccomp(folder):
    bundle = bundle_of(folder, "mkdir /tmp/x; chmod 700 /tmp; grep Seccomp: /proc/self/status")
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                     {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"}]}]}
    result = bundle.run()
    check("not implemented" in result.stderr and "not permitted" in result.stderr, result.stderr)
    check("2" in result.stdout)


def test_seccomp_notify_is_refused(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    bundle.refused("linux.seccomp", "SCMP_ACT_NOTIFY")


def test_masked_and_readonly_paths(folder):
    bundle = bundle_of(folder, "cat /secret; ls /hidden; touch /fixed/x; echo 1 > /proc/sys/kernel/shmmni")
    for name in ("hidden", "fixed"):
        os.makedirs(f"{folder}/rootfs/{name}")
    open(f"{folder}/rootfs/hidden/file", "w").close()
    with open(f"{folder}/rootfs/secret", "w") as file:
        file.write("secret\n")
    bundle.config["linux"]["maskedPaths"] = ["/secret", "/hidden", "/not/there"]
    bundle.config["linux"]["readonlyPaths"] = ["/fixed", "/proc/sys", "/not/there/either"]
    result = bundle.run()
    equal(result.stdout, "")
    check("Read-only file system" in result.stderr, result.stderr)


def test_versions(folder):
    for version in ("1.0.0", "1.0.2-dev", "1.1.0", "1.3.0"):
        bundle = bundle_of(folder, "true")
        bundle.config["ociVersion"] = version
        equal(bundle.output(), "")
    for version in ("0.9.0", "2.0.0", "", "one"):
        bundle = bundle_of(folder, "true")
        bundle.config["ociVersion"] = version
        bundle.refused("ociVersion")


def test_unknown_properties_are_no_error(folder):
    bundle = bundle_of(folder, "true")
    bundle.config["futureProperty"] = {"a": [1]}
    bundle.config["linux"]["another"] = True
    equal(bundle.output(), "")


def test_what_is_not_supported_is_named(folder):
    for change, word in (({"intelRdt": {"closID": "x"}}, "linux.intelRdt"), 
                         ({"mountLabel": "x"}, "linux.mountLabel"),
                         ({"resources": {"rdma": {"mlx5_1": {"hcaHandles": 3}}}}, "linux.resources.rdma"),
                         ({"personality": {"domain": "BSD"}}, "linux.personality.domain")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"].update(change)
        bundle.refused(word)
    for mount, word in (({"type": "nfs", "source": "x"}, "`nfs`"), ({"type": "tmpfs", "source": "x", "options": ["nonsense"]}, "`nonsense`"),
                        ({"type": "tmpfs", "source": "x", **{key: [{"containerID": 0, "hostID": 1, "size": 1}] for key in ("uidMappings", "gidMappings")}}, "uidMappings")):
        bundle = bundle_of(folder, "true")
        bundle.config["mounts"].append({"destination": "/v", **mount})
        bundle.refused(word, "mounts[7]")
    for change, word in (({"apparmorProfile": "x"}, "process.apparmorProfile"), ({"selinuxLabel": "x"}, "process.selinuxLabel"),
                         ({"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}, "process.rlimits[0].type")):
        bundle = bundle_of(folder, "true")
        bundle.config["process"].update(change)
        bundle.refused(word)


def test_personality(folder):
    bundle = bundle_of(folder, "uname -m")
    bundle.config["linux"]["personality"] = {"domain": "LINUX32"}
    equal(bundle.output(), "i686\n")


def test_spec_and_features(folder):
    bundle = Bundle(folder)
    check("File exists" in bundle.call("spec", "--bundle", folder).stderr)
    features = json.loads(bundle.call("features").stdout)
    equal((features["ociVersionMin"], features["ociVersionMax"]), ("1.0.0", "1.3.0"))
    check("rbind" in features["mountOptions"] and "CAP_KILL" in features["linux"]["capabilities"])
    check("SCMP_ACT_NOTIFY" not in features["linux"]["seccomp"]["actions"])


def test_rootless_spec_runs_for_an_ordinary_user(folder):
    need_root()
    if shutil.which("setpriv") is None:
        raise Skip("needs setpriv")
    home = f"{folder}/user"
    make_rootfs(f"{home}/rootfs")
    subprocess.run(["chown", "-R", "1234:1234", home], check=True)
    os.chmod(folder, 0o755)
    script = (f"cd {home} && {SANDBOX} --root {home}/state spec --rootless && sed -i 's/\"terminal\": true/\"terminal\": false/; "
              f"s/^ *\"sh\"$/\"id\",\"-u\"/' config.json && exec {SANDBOX} --root {home}/state run --bundle . t")
    result = subprocess.run(["setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "sh", "-c", script],
                            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    equal((result.stdout, result.stderr), ("0\n", ""))


if __name__ == "__main__":
    main(globals())
