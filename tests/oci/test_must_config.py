"""config.md of the OCI runtime-spec: each MUST that no other test has. The docstring is the sentence."""
import json
import os
import time

from bundles import Bundle, need_root
from cases import check, equal, main


def bundle_of(folder, script):
    need_root()
    return Bundle(folder, script)


def with_mount(folder, script, *mounts):
    bundle = bundle_of(folder, script)
    bundle.config["mounts"] += mounts
    return bundle


def tmpfs(point, *options):
    return {"destination": point, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def flags_of(folder, *options):
    """What mountinfo shows of a tmpfs with those options."""
    text = with_mount(folder, "grep ' /t ' /proc/self/mountinfo", tmpfs("/t", *options)).output()
    return text.split()[5].split(",")


def test_oci_version(folder):
    """config.md#specification-version: ociVersion (string, REQUIRED) MUST be in SemVer v2.0.0 format."""
    for version in ("", "1", "1.0", "1.0.0garbage", "1.00.0", "v1.0.0", "1.0.0-", "2.0.0", "0.9.0", " 1.0.0"):
        bundle = Bundle(folder)
        bundle.config["ociVersion"] = version
        bundle.refused("ociVersion")
    need_root()
    for version in ("1.0.0", "1.0.2-dev", "1.1.0+dev", "1.2.0-rc.1+build.5", "1.3.0"):
        bundle = Bundle(folder, "true")
        bundle.config["ociVersion"] = version
        equal(bundle.output(), "")


def test_root_is_required(folder):
    """config.md#root: On all other platforms, this field is REQUIRED.
    config.md#root: path (string, REQUIRED) Specifies the path to the root filesystem for the container.
    config.md#root: A directory MUST exist at the path declared by the field."""
    for change in ({"root": None}, {"root": {}}, {"root": {"path": "missing"}}, {"root": {"path": "config.json"}}):
        bundle = Bundle(folder)
        bundle.config.update(change)
        bundle.refused("root")


def test_root_by_a_relative_and_an_absolute_path(folder):
    """config.md#root: the path is either an absolute path or a relative path to the bundle."""
    for path in ("rootfs", f"{folder}/rootfs"):
        bundle = bundle_of(folder, "ls -d /bin")
        bundle.config["root"]["path"] = path
        equal(bundle.output(), "/bin\n")


def test_read_only_root(folder):
    """config.md#root: readonly: If true then the root filesystem MUST be read-only inside the container, defaults to false."""
    bundle = bundle_of(folder, "touch /made; grep -c ' / ro' /proc/self/mountinfo")
    bundle.config["root"]["readonly"] = True
    result = bundle.run()
    check("Read-only file system" in result.stderr and not os.path.exists(f"{folder}/rootfs/made"), result.stderr)
    equal(result.stdout, "1\n")
    bundle = bundle_of(folder, "touch /made")
    del bundle.config["root"]["readonly"]
    equal(bundle.output(), "")


def test_mounts_in_the_listed_order(folder):
    """config.md#mounts: The runtime MUST mount entries in the listed order."""
    first, second = f"{folder}/first", f"{folder}/second"
    for path in (first, second):
        os.makedirs(f"{path}/inner")
        open(f"{path}/{os.path.basename(path)}", "w").close()
    bind = [{"destination": "/t", "source": path, "options": ["rbind"]} for path in (first, second)]
    bundle = with_mount(folder, "ls /t /t/inner; grep ' /t' /proc/self/mountinfo | cut -d' ' -f5", *bind, tmpfs("/t/inner"))
    equal(bundle.output().split(), ["/t:", "inner", "second", "/t/inner:", "/t", "/t", "/t/inner"])


def test_destination_that_is_relative(folder):
    """config.md#mounts: For compatibility with old tools and configurations, it MAY be a relative path, in which case it MUST be interpreted as relative to "/"."""
    equal(with_mount(folder, "grep -c ' /some/place ' /proc/self/mountinfo", tmpfs("some/place")).output(), "1\n")


def test_destination_that_is_missing(folder):
    """config.md#mounts: destination (string, REQUIRED) Destination of mount point: path inside container."""
    mount = tmpfs("/t")
    del mount["destination"]
    with_mount(folder, "true", mount).refused("destination")


def test_mount_options_that_switch(folder):
    """config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: ro rw nosuid suid nodev dev noexec exec."""
    check({"ro", "nosuid", "nodev", "noexec"} <= set(flags_of(folder, "ro", "nosuid", "nodev", "noexec")))
    check(not {"ro", "nosuid", "nodev", "noexec"} & set(flags_of(folder, "ro", "nosuid", "nodev", "noexec", "rw", "suid", "dev", "exec")))


def test_mount_options_of_access_times(folder):
    """config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime."""
    for options, shown in ((["noatime"], {"noatime"}), (["noatime", "atime"], {"relatime"}), (["nodiratime"], {"nodiratime", "relatime"}),
                           (["nodiratime", "diratime"], {"relatime"}), (["strictatime"], set()), (["strictatime", "nostrictatime"], {"relatime"}),
                           (["relatime"], {"relatime"}), (["norelatime"], {"relatime"})):
        equal({word for word in flags_of(folder, *options) if word.endswith("time")}, shown)


def test_access_times_are_noted_as_the_options_say(folder):
    """config.md#linux-mount-options: noatime, strictatime and nodiratime hold for what a container reads (MUST implement)."""
    os.makedirs(f"{folder}/volume/below")
    path, now = f"{folder}/volume/file", int(time.time())
    # By relatime the first would change, and the second would not.
    times = {"noatime": (now - 5000, now - 1000), "strictatime": (now - 1000, now - 5000), "nodiratime": (now - 5000, now - 1000)}
    for option, (accessed, modified) in times.items():
        with open(path, "w") as file:
            file.write("content\n")
        for name in (path, f"{folder}/volume/below"):
            os.utime(name, (accessed, modified))
        bind = {"destination": "/v", "type": "bind", "source": f"{folder}/volume", "options": ["rbind", option]}
        script = "cat /v/file /t/file; ls /v/below; stat -c %X /t/file"
        script = f"echo content > /t/file; touch -d @1000000000 /t/file; {script}"
        memory = {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": [option]}
        lines = with_mount(folder, script, bind, memory).output().splitlines()
        equal(lines[:2], ["content"] * 2)
        equal((option, lines[2] == "1000000000"), (option, option == "noatime"))
        equal((option, int(os.stat(path).st_atime) == accessed), (option, option == "noatime"))
        equal((option, int(os.stat(f"{folder}/volume/below").st_atime) == accessed), (option, option != "strictatime"))


def test_mount_options_of_disks(folder):
    """config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: async defaults dirsync iversion lazytime loud noiversion nolazytime silent sync."""
    check("rw" in flags_of(folder, *"async defaults dirsync iversion lazytime loud noiversion nolazytime silent sync".split()))


def test_mount_options_of_propagation(folder):
    """config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: private rprivate shared rshared slave rslave unbindable runbindable (nothing that is mounted inside is seen outside)."""
    words = "private rprivate shared rshared slave rslave unbindable runbindable".split()
    mounts = [{"destination": f"/etc-{word}", "source": f"{folder}/rootfs/etc", "options": ["rbind", word]} for word in words]
    bundle = with_mount(folder, "for name in /etc-*; do ls $name/passwd; done", *mounts)
    bundle.save()
    result = bundle.call("--log", f"{folder}/log", "--log-format", "json", "run", "--bundle", folder, bundle.id)
    equal((result.stdout.split(), result.stderr), (sorted(f"/etc-{word}/passwd" for word in words), ""))
    with open(f"{folder}/log") as file:
        warnings = [json.loads(line) for line in file]
    equal([one["level"] for one in warnings], ["warning"] * 4)
    check(all("not seen inside" in one["msg"] for one in warnings), warnings)


def test_mount_options_of_binds(folder):
    """config.md#linux-mount-options: Runtimes MUST implement the following option strings for Linux: bind rbind remount."""
    bind = {"destination": "/v", "source": f"{folder}/rootfs/etc", "options": ["bind"]}
    remount = {"destination": "/v", "source": "none", "options": ["remount", "bind", "ro"]}
    result = with_mount(folder, "ls /v/passwd; touch /v/new", bind, remount).run()
    check(result.stdout == "/v/passwd\n" and "Read-only" in result.stderr, result.stdout + result.stderr)


def test_a_mount_option_that_is_none(folder):
    """config.md#valid-values: Runtimes MUST generate an error when invalid or unsupported values are encountered."""
    with_mount(folder, "true", tmpfs("/t", "nonsense")).refused("mounts", "`nonsense`")


def test_id_maps_of_a_mount_come_in_pairs(folder):
    """config.md#linux-mounts: uidMappings: If specified, it MUST be specified along with gidMappings.
    config.md#linux-mounts: gidMappings: If specified, it MUST be specified along with uidMappings."""
    for key, other in (("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")):
        bind = {"destination": "/v", "source": "/etc", "options": ["bind"], key: [{"containerID": 0, "hostID": 0, "size": 1}]}
        with_mount(folder, "true", bind).refused(other, "missing")


def test_process_needs_a_program_and_a_directory(folder):
    """config.md#process: cwd (string, REQUIRED). This value MUST be an absolute path.
    config.md#posix-process: args: at least one entry is REQUIRED (non-Windows)."""
    for change, word in (({"cwd": ""}, "process.cwd"), ({"cwd": "bin"}, "process.cwd"), ({"args": []}, "process.args")):
        bundle = Bundle(folder)
        bundle.config["process"].update(change)
        bundle.refused(word)


def test_args_are_looked_up_as_execvp_does(folder):
    """config.md#posix-process: that entry is used with the same semantics as execvp's file."""
    bundle = bundle_of(folder, "")
    bundle.config["process"].update(args=["echo", "found"], env=["PATH=/nowhere:/bin"])
    equal(bundle.output(), "found\n")


def test_console_size_without_a_terminal(folder):
    """config.md#process: Runtimes MUST ignore consoleSize if terminal is false or unset."""
    bundle = bundle_of(folder, "echo fine")
    bundle.config["process"]["consoleSize"] = {"height": 100000, "width": -5}
    equal(bundle.output(), "fine\n")


def test_every_rlimit_is_as_configured(folder):
    """config.md#posix-process: For each entry in rlimits, a getrlimit(3) on type MUST succeed.
    config.md#posix-process: rlim.rlim_cur MUST match the configured value.
    config.md#posix-process: rlim.rlim_max MUST match the configured value."""
    bundle = bundle_of(folder, "cat /proc/self/limits; ulimit -c")
    names = {"RLIMIT_AS": "Max address space", "RLIMIT_CORE": "Max core file size", "RLIMIT_CPU": "Max cpu time",
             "RLIMIT_DATA": "Max data size", "RLIMIT_FSIZE": "Max file size", "RLIMIT_NOFILE": "Max open files",
             "RLIMIT_STACK": "Max stack size"}
    values = {name: (1 << 30 | place << 20, 2 << 30) for place, name in enumerate(names)}
    values["RLIMIT_NOFILE"] = (1000, 1500)
    bundle.config["process"]["rlimits"] = [{"type": name, "soft": soft, "hard": hard} for name, (soft, hard) in values.items()]
    lines = bundle.output().splitlines()
    for name, words in names.items():
        line = next(line for line in lines if line.startswith(words))
        equal((name, line[len(words):].split()[:2]), (name, [str(number) for number in values[name]]))
    equal(lines[-1], str(values["RLIMIT_CORE"][0] // 512))


def test_rlimits_that_are_none_or_twice_there(folder):
    """config.md#posix-process: The runtime MUST generate an error for any values which cannot be mapped to a relevant kernel interface.
    config.md#posix-process: If rlimits contains duplicated entries with same type, the runtime MUST generate an error."""
    one = {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}
    for limits, word in (([{**one, "type": "RLIMIT_TEST"}], "RLIMIT_TEST"), ([one, one], "twice")):
        bundle = Bundle(folder)
        bundle.config["process"]["rlimits"] = limits
        bundle.refused("process.rlimits", word)


def test_capabilities_that_are_none(folder):
    """config.md#linux-process: Any value which cannot be mapped to a relevant kernel interface, or cannot be granted otherwise MUST be logged as a warning by the runtime."""
    bundle = bundle_of(folder, "grep CapEff /proc/self/status")
    for names in bundle.config["process"]["capabilities"].values():
        names[:] = ["CAP_KILL", "CAP_OF_THE_FUTURE"]
    bundle.save()
    result = bundle.call("--log", f"{folder}/log", "--log-format", "json", "run", "--bundle", folder, bundle.id)
    equal(int(result.stdout.split()[1], 16), 1 << 5)
    with open(f"{folder}/log") as file:
        check(any(json.loads(line)["level"] == "warning" and "CAP_OF_THE_FUTURE" in line for line in file), "nothing in the log")


def test_no_new_privileges(folder):
    """config.md#linux-process: noNewPrivileges (bool, OPTIONAL) setting noNewPrivileges to true prevents the process from gaining additional privileges."""
    for value in (True, False):
        bundle = bundle_of(folder, "grep NoNewPrivs /proc/self/status")
        bundle.config["process"]["noNewPrivileges"] = value
        equal(bundle.output().split()[1], str(int(value)))


def test_oom_score(folder):
    """config.md#linux-process: If oomScoreAdj is set, the runtime MUST set oom_score_adj to the given value.
    config.md#linux-process: If oomScoreAdj is not set, the runtime MUST NOT change the value of oom_score_adj."""
    with open("/proc/self/oom_score_adj") as file:
        own = int(file.read())
    for value in (own + 7, None):
        bundle = bundle_of(folder, "exec sleep 100")
        if value is not None:
            bundle.config["process"]["oomScoreAdj"] = value
        with bundle:
            equal((bundle.create(), bundle.errors()), (0, ""))
            with open(f"/proc/{bundle.state()['pid']}/oom_score_adj") as file:
                equal(int(file.read()), own if value is None else value)


def test_scheduler_and_io_priority(folder):
    """config.md#linux-process: policy (string, REQUIRED) represents the scheduling policy.
    config.md#linux-process: class (string, REQUIRED) specifies the I/O scheduling class."""
    for change, word in (({"scheduler": {"nice": 3}}, "process.scheduler.policy"), ({"scheduler": {"policy": "SCHED_NONE"}}, "process.scheduler.policy"),
                         ({"ioPriority": {"class": "IOPRIO_CLASS_X", "priority": 1}}, "process.ioPriority.class"),
                         ({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}, "process.ioPriority.priority")):
        bundle = Bundle(folder)
        bundle.config["process"].update(change)
        bundle.refused(word)


def test_hooks_need_an_absolute_path_and_a_positive_timeout(folder):
    """config.md#posix-platform-hooks: This specification extends the IEEE standard in that path MUST be absolute.
    config.md#posix-platform-hooks: If set, timeout MUST be greater than zero."""
    for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
        for hook, word in (({"path": "true"}, "path"), ({}, "path"), ({"path": "/bin/true", "timeout": 0}, "timeout")):
            bundle = Bundle(folder)
            bundle.config["hooks"] = {kind: [hook]}
            bundle.refused(f"hooks.{kind}[0].{word}")


def test_hooks_of_the_runtime_namespace(folder):
    """config.md#posix-platform-hooks: The value of path MUST resolve in the runtime namespace.
    config.md#prestart: The prestart hooks MUST be executed in the runtime namespace.
    config.md#createruntime-hooks: The createRuntime hooks MUST be executed in the runtime namespace.
    config.md#poststart: The poststart hooks MUST be executed in the runtime namespace.
    config.md#poststop: The poststop hooks MUST be executed in the runtime namespace.
    config.md#createcontainer-hooks: The createContainer hooks MUST be executed in the container namespace."""
    bundle = bundle_of(folder, "true")
    bundle.config["hostname"] = "inside"
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"readlink /proc/self/ns/uts > {folder}/{kind}"]}] for kind in kinds}
    with bundle:
        equal((bundle.create(), bundle.errors()), (0, ""))
        inside = os.readlink(f"/proc/{bundle.state()['pid']}/ns/uts")
        bundle.call("start", bundle.id)
        bundle.call("delete", "--force", bundle.id)
        for kind in kinds:
            with open(f"{folder}/{kind}") as file:
                equal((kind, file.read().strip()), (kind, inside if kind == "createContainer" else os.readlink("/proc/self/ns/uts")))


def test_create_container_hooks_prepare_the_root(folder):
    """config.md#createcontainer-hooks: The value of path MUST resolve in the runtime namespace (and what they mount in the root is in the container, as runc and crun have it)."""
    bundle = bundle_of(folder, "cat /v/mounted /v/written")
    os.makedirs(f"{folder}/source")
    with open(f"{folder}/source/mounted", "w") as file:
        file.write("from a mount\n")
    script = f"mount --bind {folder}/source v && echo from a hook > v/written && readlink /proc/self/ns/net > {folder}/net"
    bundle.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    equal(bundle.output(), "from a mount\nfrom a hook\n")
    equal(os.listdir(f"{folder}/rootfs/v"), [])
    with open(f"{folder}/net") as file:
        check(file.read().strip() != os.readlink("/proc/self/ns/net"), "it is not in the container's network")


def test_start_container_hooks_run_inside(folder):
    """config.md#startcontainer-hooks: The value of path MUST resolve in the container namespace.
    config.md#startcontainer-hooks: The startContainer hooks MUST be executed in the container namespace."""
    bundle = bundle_of(folder, "cat /tmp/hook")
    hook = "pwd; id -u; echo $0 $A; hostname; cat; test -e /proc/1 && echo first"
    bundle.config["process"].update(cwd="/home/alice", user={"uid": 1000, "gid": 1000}, env=[*bundle.config["process"]["env"], "A=b"])
    bundle.config["hostname"] = "inside"
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", f"({hook}) > /tmp/hook", "zero"]},
                                                 {"path": "/bin/busybox", "args": ["sh", "-c", "echo $A >> /tmp/hook"], "env": ["A=own"]}]}
    lines = bundle.output().splitlines()
    equal(lines[:4], ["/home/alice", "1000", "zero b", "inside"])
    state, _, rest = lines[4].rpartition("}")
    equal((rest, lines[5:]), ("first", ["own"]))
    state = json.loads(state + "}")
    equal((state["id"], state["status"]), (bundle.id, "created"))


def test_hooks_that_hang_are_killed(folder):
    """config.md#posix-platform-hooks: timeout (int, OPTIONAL) is the number of seconds before aborting the hook."""
    for kind in ("createRuntime", "createContainer", "startContainer"):
        bundle = bundle_of(folder, "true")
        bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 1000; true"], "timeout": 1}]}
        result = bundle.run()
        check(result.returncode == 1 and f"error running {kind} hook #0: it ran longer than its timeout of 1 s" in result.stderr, result.stderr)
        check(bundle.nothing_left(), "something is left")


def test_hooks_have_their_args_and_environment(folder):
    """config.md#posix-platform-hooks: args and env with the same semantics as execv's argv and environ."""
    bundle = bundle_of(folder, "true")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["name", "-c", f'echo "$0 $1 $A $HOME" > {folder}/said', "zero", "one"],
                                                "env": ["A=b"]}]}
    equal(bundle.output(), "")
    with open(f"{folder}/said") as file:
        equal(file.read(), "zero one b \n")


def test_hooks_without_an_environment_have_the_runtimes(folder):
    """config.md#posix-platform-hooks: env (array of strings, OPTIONAL): without it both runc and crun let a hook inherit the runtime's."""
    bundle = bundle_of(folder, "true")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f'echo "$A" > {folder}/said']}]}
    equal(bundle.run(env={**os.environ, "A": "inherited"}).stderr, "")
    with open(f"{folder}/said") as file:
        equal(file.read(), "inherited\n")


def test_annotations(folder):
    """config.md#annotations: Annotations MUST be a key-value map.
    config.md#annotations: Keys MUST NOT be an empty string.
    config.md#annotations: Values MUST be strings.
    config.md#annotations: Runtimes MUST handle unknown annotation keys like any other unknown property."""
    for annotations in (["x"], {"": "value"}, {"key": 5}):
        bundle = Bundle(folder)
        bundle.config["annotations"] = annotations
        bundle.refused("annotations")
    bundle = bundle_of(folder, "echo fine")
    bundle.config["annotations"] = {"org.example.unknown": "value"}
    equal(bundle.output(), "fine\n")


def test_unknown_properties(folder):
    """config.md#extensibility: Runtimes MAY log unknown properties but MUST otherwise ignore them."""
    bundle = bundle_of(folder, "echo fine")
    for part in (bundle.config, bundle.config["process"], bundle.config["linux"], bundle.config["root"], bundle.config["mounts"][0]):
        part["some.unknown"] = {"deep": [1, None, "x"]}
    equal(bundle.output(), "fine\n")


def test_configuration_of_another_platform(folder):
    """config.md#platform-specific-configuration: linux MAY be set if the target platform of this spec is linux (others are refused)."""
    for platform in ("windows", "solaris", "vm", "zos", "freebsd"):
        bundle = Bundle(folder)
        bundle.config[platform] = {"something": 1}
        bundle.refused(platform)


def test_names_of_the_container(folder):
    """config.md#hostname: hostname specifies the container's hostname as seen by processes running inside the container.
    config.md#domainname: domainname specifies the container's domainname as seen by processes running inside the container."""
    bundle = bundle_of(folder, "hostname; uname -n; cat /proc/sys/kernel/domainname")
    bundle.config.update(hostname="box", domainname="example.org")
    equal(bundle.output().split(), ["box", "box", "example.org"])


def test_user_ids(folder):
    """config.md#posix-platform-user: uid (int, REQUIRED) specifies the user ID in the container namespace; gid (int, REQUIRED) specifies the group ID in the container namespace."""
    bundle = bundle_of(folder, "id -u; id -g; id -G; umask; stat -c %u:%g /tmp/made")
    bundle.config["process"]["args"][2] = "touch /tmp/made; " + bundle.config["process"]["args"][2]
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 77, "additionalGids": [5], "umask": 0o77}
    equal(bundle.output().split(), ["1000", "77", "77", "5", "0077", "1000:77"])


if __name__ == "__main__":
    main(globals())
