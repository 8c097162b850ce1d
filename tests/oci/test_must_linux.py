"""config-linux.md of the OCI runtime-spec: each MUST that no other test has. The docstring is the sentence."""
import os
import shutil
import subprocess

from bundles import BUSYBOX, Bundle, groups_called, need_root, wait_until
from cases import Skip, check, equal, main


def bundle_of(folder, script):
    need_root()
    return Bundle(folder, script)


def started(bundle):
    equal((bundle.create(), bundle.errors()), (0, ""))
    equal(bundle.call("start", bundle.id).stderr, "")
    return bundle


def namespace(bundle, kind, **path):
    """Makes it joined by path, or new."""
    spaces = [one for one in bundle.config["linux"]["namespaces"] if one["type"] != kind]
    bundle.config["linux"]["namespaces"] = spaces + [{"type": kind, **path}]


def test_kernel_filesystems_are_there(folder):
    """config-linux.md#default-filesystems: The following filesystems SHOULD be made available in each container's filesystem: /proc, /sys, /dev/pts, /dev/shm."""
    lines = bundle_of(folder, "cat /proc/self/mountinfo").output().splitlines()
    found = {line.split()[4]: line.split(" - ")[1].split()[0] for line in lines}
    equal([found.get(path) for path in ("/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue")], ["proc", "sysfs", "devpts", "tmpfs", "mqueue"])


def test_namespaces_without_a_path_are_new(folder):
    """config-linux.md#namespaces: If path is not specified, the runtime MUST create a new container namespace of type type.
    config-linux.md#namespaces: type (string, REQUIRED) - namespace type: pid, network, mount, ipc, uts, user, cgroup."""
    bundle = bundle_of(folder, "sleep 100")
    bundle.config["linux"]["namespaces"] = [{"type": kind} for kind in ("pid", "network", "mount", "ipc", "uts", "user", "cgroup")]
    bundle.config["linux"].update({key: [{"containerID": 0, "hostID": 0, "size": 65536}] for key in ("uidMappings", "gidMappings")})
    with bundle:
        equal((bundle.create(), bundle.errors()), (0, ""))
        pid = bundle.state()["pid"]
        for name in ("pid", "net", "mnt", "ipc", "uts", "user", "cgroup"):
            check(os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name)


def test_namespaces_with_a_path_are_joined(folder):
    """config-linux.md#namespaces: The runtime MUST place the container process in the namespace associated with that path."""
    with bundle_of(folder, "sleep 100") as first:
        equal(first.create(), 0)
        pid = first.state()["pid"]
        second = Bundle(folder, "sleep 100")
        for kind, name in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
            namespace(second, kind, path=f"/proc/{pid}/ns/{name}")
        with second:
            equal((second.create(), second.errors()), (0, ""))
            other = second.state()["pid"]
            for name in ("net", "ipc", "uts"):
                equal(os.readlink(f"/proc/{other}/ns/{name}"), os.readlink(f"/proc/{pid}/ns/{name}"))


def test_the_hostname_of_a_joined_namespace(folder):
    """config.md#hostname: the container's hostname as seen by processes running inside the container, when its UTS namespace is joined by path."""
    with bundle_of(folder, "sleep 100") as first:
        equal(first.create(), 0)
        second = Bundle(folder, "hostname; cat /proc/sys/kernel/hostname")
        namespace(second, "uts", path=f"/proc/{first.state()['pid']}/ns/uts")
        second.config["hostname"] = "renamed"
        equal(second.output().split(), ["renamed", "renamed"])
        third = Bundle(folder)
        namespace(third, "uts", path="/proc/self/ns/uts")
        third.config["hostname"] = "the-hosts"
        third.refused("hostname", "UTS")


def test_a_path_of_another_type(folder):
    """config-linux.md#namespaces: This value MUST be an absolute path in the runtime mount namespace.
    config-linux.md#namespaces: The runtime MUST generate an error if path is not associated with a namespace of type type."""
    for kind, path in (("ipc", "/proc/self/ns/net"), ("network", "/etc/passwd"), ("uts", "/no/such"), ("uts", "proc/self/ns/uts")):
        bundle = bundle_of(folder, "true")
        bundle.config.pop("hostname")
        namespace(bundle, kind, path=path)
        bundle.refused()


def test_namespaces_that_are_not_named_are_inherited(folder):
    """config-linux.md#namespaces: If a namespace type is not specified in the namespaces array, the container MUST inherit the runtime namespace of that type."""
    bundle = bundle_of(folder, "sleep 100")
    bundle.config.pop("hostname")
    bundle.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}]
    with bundle:
        equal((bundle.create(), bundle.errors()), (0, ""))
        pid = bundle.state()["pid"]
        for name in ("net", "ipc", "uts"):
            equal(os.readlink(f"/proc/{pid}/ns/{name}"), os.readlink(f"/proc/self/ns/{name}"))


def test_namespaces_twice(folder):
    """config-linux.md#namespaces: If a namespaces field contains duplicated namespaces with same type, the runtime MUST generate an error."""
    bundle = Bundle(folder)
    bundle.config["linux"]["namespaces"].append({"type": "pid"})
    bundle.refused("two of `pid`")


def test_id_maps(folder):
    """config-linux.md#user-namespace-mappings: containerID, hostID and size (uint32, REQUIRED)."""
    bundle = bundle_of(folder, "cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/made")
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    bundle.config["linux"].update(uidMappings=[{"containerID": 0, "hostID": 100000, "size": 2000}],
                                  gidMappings=[{"containerID": 0, "hostID": 200000, "size": 3000}])
    subprocess.run(["chown", "-R", "100000:200000", f"{folder}/rootfs"], check=True)
    equal(bundle.output().split(), ["0", "100000", "2000", "0", "200000", "3000"])
    made = os.stat(f"{folder}/rootfs/tmp/made")
    equal((made.st_uid, made.st_gid), (100000, 200000))
    for missing in ("containerID", "hostID", "size"):
        bundle = Bundle(folder)
        bundle.config["linux"]["namespaces"].append({"type": "user"})
        bundle.config["linux"]["uidMappings"] = [{key: 1 for key in ("containerID", "hostID", "size") if key != missing}]
        bundle.refused("uidMappings")


def can_open(path):
    try:
        os.close(os.open(path, os.O_RDWR))
        return True
    except OSError:
        return False


def device(path, kind, major=10, minor=666, **more):
    return {"path": path, "type": kind, "major": major, "minor": minor, **more}


def test_devices_are_available(folder):
    """config-linux.md#devices: devices (array of objects, OPTIONAL) lists devices that MUST be available in the container.
    config-linux.md#devices: type (string, REQUIRED) - type of device: c, b, u or p; path (string, REQUIRED); major, minor (int64, REQUIRED unless type is p)."""
    bundle = bundle_of(folder, "stat -c '%n %F %a %u:%g %t:%T' /dev/one /dev/deep/two /dev/pipe /opt/three")
    bundle.config["linux"]["devices"] = [device("/dev/one", "c", fileMode=0o640, uid=5, gid=6), device("/dev/deep/two", "b", 8, fileMode=0o600),
                                         {"path": "/dev/pipe", "type": "p", "fileMode": 0o622}, device("/opt/three", "u")]
    equal(bundle.output().splitlines(), ["/dev/one character special file 640 5:6 a:29a", "/dev/deep/two block special file 600 0:0 8:29a",
                                         "/dev/pipe fifo 622 0:0 0:0", "/opt/three character special file 666 0:0 a:29a"])
    equal(os.path.exists(f"{folder}/rootfs/opt"), False)


def test_devices_that_are_none(folder):
    """config-linux.md#devices: If a file already exists at path that does not match the requested device, the runtime MUST generate an error."""
    for devices, word in (([device("dev/x", "c")], "path"), ([device("/dev/../x", "c")], "path"), ([device("/dev/x", "q")], "type"),
                          ([{"path": "/dev/x", "type": "c"}], "major"), ([device("/dev/x", "c"), device("/dev/x", "c")], "two of"), ([device("/dev/null", "c", 1, 5)], "always the device 1:3")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["devices"] = devices
        bundle.refused("linux.devices", word)


def test_default_devices(folder):
    """config-linux.md#default-devices: In addition to any devices configured with this setting, the runtime MUST also supply: /dev/null, /dev/zero, /dev/full, /dev/random, /dev/urandom, /dev/tty, /dev/ptmx (and /dev/console with a terminal)."""
    script = "for n in null zero full random urandom tty; do stat -c '%n %t:%T' /dev/$n; done; readlink /dev/ptmx; head -c 3 /dev/zero | wc -c; echo x > /dev/full"
    result = bundle_of(folder, script).run()
    equal(result.stdout.split(), ["/dev/null", "1:3", "/dev/zero", "1:5", "/dev/full", "1:7", "/dev/random", "1:8", "/dev/urandom", "1:9",
                                  "/dev/tty", "5:0", "pts/ptmx", "3"])
    check("No space left" in result.stderr, result.stderr)


def test_device_rules_in_their_order(folder):
    """config-linux.md#allowed-device-list: The runtime MUST apply entries in the listed order.
    config-linux.md#allowed-device-list: allow (boolean, REQUIRED) - whether the entry is allowed or denied."""
    if not can_open("/dev/fuse"):
        raise Skip("needs a /dev/fuse that can be opened")
    deny = {"allow": False, "access": "rwm"}
    fuse = {"type": "c", "major": 10, "minor": 229}
    script = "(exec 3< /dev/mine) 2>/dev/null && echo read; (exec 3>> /dev/mine) 2>/dev/null && echo write; cat /dev/null"
    for rules, said in (([deny], ""), ([deny, {**fuse, "allow": True, "access": "r"}], "read\n"), ([{**fuse, "allow": True}, deny], ""),
                        ([deny, {**fuse, "minor": -1, "allow": True, "access": "rw"}], "read\nwrite\n")):
        bundle = bundle_of(folder, script)
        bundle.config["linux"].update(devices=[device("/dev/mine", "c", 10, 229)], resources={"devices": rules})
        equal(bundle.output(), said)
    bundle = bundle_of(folder, script)
    bundle.config["linux"]["resources"] = {"devices": [{"access": "rwm"}]}
    bundle.refused("linux.resources.devices[0].allow")


def test_cgroups_path(folder):
    """config-linux.md#cgroups-path: The value of cgroupsPath MUST be either an absolute path or a relative path.
    config-linux.md#cgroups-path: In the case of an absolute path (starting with /), the runtime MUST take the path to be relative to the cgroups mount point.
    config-linux.md#cgroups-path: If the value is specified, the runtime MUST consistently attach to the same place in the cgroups hierarchy given the same value of cgroupsPath.
    config-linux.md#cgroups-path: Runtimes MAY consider certain cgroupsPath values to be invalid, and MUST generate an error if this is the case."""
    for path in ("/sandbox-test/{0}", "sandbox-test/{0}"):
        places = []
        for _ in range(2):
            bundle = bundle_of(folder, "sleep 100")
            bundle.id = f"t-{os.getpid()}"
            bundle.config["linux"]["cgroupsPath"] = path.format(bundle.id)
            with bundle:
                equal((bundle.create(), bundle.errors()), (0, ""))
                places.append(sorted(groups_called(bundle.id)))
        check(places[0] == places[1], places)
        if not places[0]:
            raise Skip("no control group can be made here")
        check(all(place.endswith(f"/sandbox-test/{bundle.id}") for place in places[0]), places)
    bundle = Bundle(folder)
    bundle.config["linux"]["cgroupsPath"] = "/../../outside"
    bundle.refused("linux.cgroupsPath")


def test_a_controller_that_is_not_there(folder):
    """config-linux.md#unified: The runtime MUST generate an error when the configuration refers to a cgroup controller that is not present or that cannot be enabled.
    config-linux.md#unified: If the conversion is not possible the runtime MUST generate an error."""
    for resources, word in (({"unified": {"nonsense.max": "1"}}, "unified"), ({"unified": {"../x": "1"}}, "unified"),
                            ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, "hugepageLimits")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["resources"] = resources
        bundle.refused(word)


def test_bounds_of_cpu_bursts(folder):
    """config-linux.md#cpu: quota: If specified with any (valid) positive value, it MUST be no smaller than burst (runtimes MAY generate an error).
    config-linux.md#cpu: burst: If specified, this value MUST be no larger than any positive quota (runtimes MAY generate an error)."""
    bundle = bundle_of(folder, "true")
    bundle.config["linux"]["resources"] = {"cpu": {"quota": 10000, "period": 100000, "burst": 20000}}
    bundle.refused("cpu")


def test_cache_allocation_without_resctrl(folder):
    """config-linux.md#intelrdt: If no mounted resctrl pseudo-filesystem is available in the runtime mount namespace, the runtime MUST generate an error."""
    with open("/proc/mounts") as file:
        if any(line.split()[2] == "resctrl" for line in file):
            raise Skip("resctrl is mounted here")
    bundle = Bundle(folder)
    bundle.config["linux"]["intelRdt"] = {"closID": "guaranteed", "l3CacheSchema": "L3:0=f"}
    bundle.refused("linux.intelRdt")


def test_sysctls_are_set_and_shown(folder):
    """config-linux.md#sysctl: sysctl (object, OPTIONAL) allows kernel parameters to be modified at runtime for the container."""
    bundle = bundle_of(folder, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni; sleep 100")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}
    with started(bundle):
        wait_until(lambda: bundle.printed() == "1\n77\n")
        read = subprocess.run(["nsenter", "-t", str(bundle.state()["pid"]), "-n", "-i", "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmni"],
                              capture_output=True, text=True)
        equal(read.stdout, "1\n77\n")


def test_a_sysctl_of_a_host_namespace_joined_by_path(folder):
    """config-linux.md#sysctl: what is not of a namespace of the container would change the host, and is refused."""
    bundle = bundle_of(folder, "true")
    namespace(bundle, "network", path="/proc/self/ns/net")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.refused("would change the host")


def test_names_as_sysctls(folder):
    """config-linux.md#sysctl: kernel.hostname and another kernel.domainname than domainname are refused, as runc and crun refuse them."""
    for sysctl, more, word in (({"kernel.hostname": "x"}, {}, "kernel.hostname"), ({"kernel.domainname": "x"}, {"domainname": "y"}, "domainname")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["sysctl"] = sysctl
        bundle.config.update(more)
        bundle.refused(word)
    bundle = bundle_of(folder, "cat /proc/sys/kernel/domainname")
    bundle.config["linux"]["sysctl"] = {"kernel.domainname": "example.org"}
    equal(bundle.output(), "example.org\n")


def test_seccomp_names(folder):
    """config-linux.md#seccomp: names MUST contain at least one entry.
    config-linux.md#seccomp: defaultAction (string, REQUIRED); action (string, REQUIRED); op (string, REQUIRED)."""
    allow = {"defaultAction": "SCMP_ACT_ALLOW"}
    for seccomp in ({}, {"defaultAction": "SCMP_ACT_NOTHING"}, {**allow, "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]},
                    {**allow, "syscalls": [{"names": ["mkdir"]}]}, {**allow, "architectures": ["SCMP_ARCH_NOWHERE"]},
                    {**allow, "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_ODD"}]}]}):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["seccomp"] = seccomp
        bundle.refused("linux.seccomp")


def test_seccomp_errors(folder):
    """config-linux.md#seccomp: When the action doesn't support an errno, the runtime MUST print and error and fail.
    config-linux.md#seccomp: errnoRet (uint, OPTIONAL) - the errno return code to use."""
    bundle = bundle_of(folder, "mkdir /tmp/x; true")
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
    bundle.config["linux"]["seccomp"] = profile
    check("not supported" in bundle.run().stderr)
    for where in (profile["syscalls"][0], profile):
        where.update({"errnoRet": 1, "defaultErrnoRet": 1} if where is profile else {"action": "SCMP_ACT_ALLOW"})
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["seccomp"] = profile
        bundle.refused("rrno")


def test_seccomp_listeners(folder):
    """config-linux.md#seccomp: listenerMetadata: This field MUST NOT be set if listenerPath is not set."""
    for key, value in (("listenerMetadata", "x"), ("listenerPath", "/run/none.sock")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", key: value}
        bundle.refused(key)


def test_memory_policy(folder):
    """config-linux.md#memory-policy: memoryPolicy (object, OPTIONAL) sets the NUMA memory policy for the container.
    config-linux.md#memory-policy: mode (string, REQUIRED) and nodes: those of set_mempolicy(2)."""
    if not os.path.exists("/proc/self/numa_maps"):
        raise Skip("needs a kernel with NUMA")
    with started(bundle_of(folder, "sleep 100")) as bundle:
        pid = bundle.state()["pid"]
        check("interleave" not in open(f"/proc/{pid}/numa_maps").read())
    bundle = bundle_of(folder, "head -n 1 /proc/self/numa_maps; sleep 100")
    bundle.config["linux"]["memoryPolicy"] = {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    with started(bundle):
        wait_until(lambda: "interleave=static:0" in bundle.printed())
        check("interleave=static:0" in bundle.call("exec", bundle.id, "head", "-n", "1", "/proc/self/numa_maps").stdout)
    for policy, word in (({}, "memoryPolicy.mode"), ({"mode": "MPOL_NONE"}, "memoryPolicy.mode"), ({"mode": "MPOL_BIND", "nodes": "x"}, "memoryPolicy.nodes"),
                         ({"mode": "MPOL_BIND", "nodes": "5000"}, "memoryPolicy.nodes"), ({"mode": "MPOL_BIND", "nodes": "1023"}, "set linux.memoryPolicy"),
                         ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_ODD"]}, "memoryPolicy.flags")):
        bundle = bundle_of(folder, "true")
        bundle.config["linux"]["memoryPolicy"] = policy
        bundle.refused(word)


PROPAGATION = """cd /tmp; mkdir a b slave alone
mount -t tmpfs first a; mount --make-shared a; mount --bind a b; mount --bind a slave; mount --make-slave slave
mkdir a/x; mount -t tmpfs second a/x; touch a/x/shown; ls b/x slave/x
mkdir slave/y; mount -t tmpfs third slave/y; touch slave/y/hidden; ls a/y b/y
umount b/x; ls a/x b/x slave/x
mount -t tmpfs fourth alone; mount --make-unbindable alone; mount --bind alone b 2> /dev/null || echo unbindable
mount --make-private a; mkdir a/z; mount -t tmpfs fifth a/z; touch a/z/own; ls b/z slave/z
mkdir b/w; mount -t tmpfs sixth b/w; touch b/w/file; ls slave/w a/w
grep -c "/tmp/b rw.* shared:[0-9]* - tmpfs first" /proc/self/mountinfo
grep -c "/tmp/slave rw.* master:[0-9]* - tmpfs first" /proc/self/mountinfo
grep -c "/tmp/alone rw.* unbindable - tmpfs fourth" /proc/self/mountinfo
"""


def test_mounts_propagate_as_on_linux(folder):
    """mount_namespaces(7): shared, slave, private and unbindable, among the mounts that a container makes."""
    bundle = bundle_of(folder, PROPAGATION)
    for kind in ("bounding", "effective", "permitted"):
        bundle.config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
    found = bundle.run()
    native = f"mount -t tmpfs tmp /tmp; {PROPAGATION}"
    expected = subprocess.run(["unshare", "--mount", "--propagation", "private", BUSYBOX, "sh", "-c", native], capture_output=True, text=True)
    if "mount" in expected.stderr:
        raise Skip(f"mounts cannot be made here: {expected.stderr}")
    equal((found.stdout, found.stderr), (expected.stdout, expected.stderr))


def test_rootfs_propagation_counts_inside(folder):
    """config-linux.md#rootfs-mount-propagation: what is mounted inside later appears in a bind of a shared root, in none of another one, and an unbindable root is not bound."""
    script = ("mkdir /top /under /bound; mount --rbind / /top 2> /dev/null || echo unbindable; touch /under/file; mount --bind /under /bound; ls /top/bound")
    for value, printed in (("shared", "file\n"), ("rslave", ""), ("private", ""), ("unbindable", "unbindable\n")):
        bundle = bundle_of(folder, script)
        for name in ("top", "under", "bound"):
            shutil.rmtree(f"{folder}/rootfs/{name}", ignore_errors=True)
        for kind in ("bounding", "effective", "permitted"):
            bundle.config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
        bundle.config["linux"]["rootfsPropagation"] = value
        result = bundle.run()
        equal((value, result.stdout), (value, printed))


def test_rootfs_propagation(folder):
    """config-linux.md#rootfs-mount-propagation: Its value is either shared, slave, private or unbindable."""
    for word in ("shared", "slave", "private", "unbindable"):
        bundle = bundle_of(folder, "echo fine")
        bundle.config["linux"]["rootfsPropagation"] = word
        equal(bundle.output(), "fine\n")
    bundle = Bundle(folder)
    bundle.config["linux"]["rootfsPropagation"] = "public"
    bundle.refused("rootfsPropagation")


def test_masked_and_read_only_paths(folder):
    """config-linux.md#masked-paths: maskedPaths will mask over the provided paths inside the container so that they cannot be read. The values MUST be absolute paths in the container namespace.
    config-linux.md#readonly-paths: readonlyPaths will set the provided paths as readonly inside the container. The values MUST be absolute paths in the container namespace."""
    bundle = bundle_of(folder, "cat /tmp/secret; ls /tmp/folder; touch /tmp/fixed/x; cat /tmp/fixed/kept; echo end")
    for path in ("folder", "fixed"):
        os.makedirs(f"{folder}/rootfs/tmp/{path}")
    for path in ("secret", "folder/secret", "fixed/kept"):
        with open(f"{folder}/rootfs/tmp/{path}", "w") as file:
            file.write(f"{path}\n")
    bundle.config["linux"].update(maskedPaths=["/tmp/secret", "/tmp/folder", "/not/there"], readonlyPaths=["/tmp/fixed", "/not/there"])
    result = bundle.run()
    equal(result.stdout, "fixed/kept\nend\n")
    check("Read-only" in result.stderr, result.stderr)
    for key in ("maskedPaths", "readonlyPaths"):
        bundle = Bundle(folder)
        bundle.config["linux"][key] = ["tmp/relative"]
        bundle.refused(key)


def test_personality(folder):
    """config-linux.md#personality: domain (string, REQUIRED) - the execution domain: LINUX or LINUX32."""
    for value in ({}, {"domain": "BSD"}):
        bundle = Bundle(folder)
        bundle.config["linux"]["personality"] = value
        bundle.refused("linux.personality.domain")


if __name__ == "__main__":
    main(globals())
