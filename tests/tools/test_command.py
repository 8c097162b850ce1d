"""The command line: what bad input gets."""
import fcntl
import json
import os
import shutil
import subprocess

from cases import SANDBOX, Skip, check, equal, main, refused, sandbox


def test_help_and_version():
    for word in ("--help", "-h"):
        result = sandbox(word)
        equal(result.returncode, 0)
        for verb in ("run", "diff", "apply", "ps", "top", "stats", "pause", "resume", "update", "gc", "info", "syscalls"):
            check(f"  {verb} " in result.stdout, result.stdout)
    equal(sandbox("--version").stdout.split()[0], "sandbox")
    for verb in ("run", "diff", "apply", "ps", "top", "stats", "pause", "resume", "update", "gc", "info", "syscalls"):
        result = sandbox(verb, "--help")
        equal(result.returncode, 0)
        check(f"sandbox {verb}" in result.stdout, result.stdout)


def test_unknown_verb():
    refused(sandbox("rnu"), "`rnu`", "try: sandbox run")
    refused(sandbox("sh"), "try: sandbox run -- sh")
    refused(sandbox("zzzzzzzz"), "try: sandbox --help")


def test_no_verb_prints_help():
    result = sandbox()
    equal(result.returncode, 125)
    check("Verbs:" in result.stdout, result.stdout)


def test_unknown_option():
    for arguments in (["--hostnam", "x", "true"], ["--hostnam=x", "--", "true"]):
        refused(sandbox("run", *arguments), "no option --hostnam", "try: --hostname")
    refused(sandbox("run", "-Q", "true"), "no option -Q", "try: sandbox run --help")
    refused(sandbox("diff", "--formt", "json", "x"), "try: --format")


def test_option_without_value():
    refused(sandbox("run", "--hostname"), "--hostname")
    refused(sandbox("run", "--hostname", "--", "true"), "--hostname")


def test_program_is_not_named():
    refused(sandbox("run"), "no program")
    refused(sandbox("run", "--net", "none", "--"), "no program")


def test_bad_choices():
    refused(sandbox("run", "--net", "bridge", "true"), "bridge", "host|none")
    refused(sandbox("run", "--platform", "kvm", "true"), "kvm", "auto|notify|ptrace")
    refused(sandbox("run", "--log-level", "loud", "true"), "loud")
    refused(sandbox("run", "--log-format", "xml", "true"), "xml")
    refused(sandbox("info", "--format", "xml"), "text|json")
    refused(sandbox("diff", "--format", "xml", "x"), "text|json")


def test_contradictions():
    refused(sandbox("run", "--init", "--no-init", "true"), "--init", "--no-init")
    refused(sandbox("run", "--keep", "/x", "--overlay", "none", "true"), "--keep", "--overlay")


def test_bind_source_is_missing():
    refused(sandbox("run", "--bind", "/nowhere/x:/srv", "true"), "bind /nowhere/x to /srv", "(ENOENT)")
    refused(sandbox("run", "--ro-bind", "/nowhere/x", "true"), "bind /nowhere/x", "(ENOENT)")
    refused(sandbox("run", "--bind", ":/x", "true"), "(ENOENT)")
    refused(sandbox("run", "--bind", "/etc:relative", "true"), "SRC:/DST")


def test_rootfs_is_no_directory(folder):
    refused(sandbox("run", "--rootfs", folder + "/none", "true"), "(ENOENT)")
    open(folder + "/file", "w").close()
    refused(sandbox("run", "--rootfs", folder + "/file", "true"), "(ENOTDIR)")


def test_bad_sizes():
    for size, reason in (("5q", "unit"), ("", "no number"), ("-1", "no number"), ("0", "zero"),
                         ("99999999999999999999", "larger"), ("9999999t", "larger"), ("1.5m", "unit")):
        refused(sandbox("run", "--tmpfs", f"/t:size={size}", "true"), reason)
    refused(sandbox("run", "--tmpfs", "/t:mode=888", "true"), "octal")
    refused(sandbox("run", "--tmpfs", "/t:exec", "true"), "`exec`")
    refused(sandbox("run", "--tmpfs", "t", "true"), "not absolute")


def test_bad_durations():
    for duration in ("x", "-1", "5y", "", "1e400", "nan", "inf"):
        if duration:
            refused(sandbox("run", "--timeout", duration, "true"), f"`{duration}`")


def test_unknown_user(folder):
    refused(sandbox("run", "--user", "nobody-such", "true"), "nobody-such", "/etc/passwd")
    refused(sandbox("run", "--user", "0:no-such-group", "true"), "no-such-group", "/etc/group")
    refused(sandbox("run", "--user", "4294967295", "true"), "4294967295")
    # The rootfs's own database counts, and a link in it does not lead out.
    os.makedirs(folder + "/etc")
    os.symlink("/etc/passwd", folder + "/etc/passwd")
    refused(sandbox("run", "--rootfs", folder, "--user", "root", "true"), "no such user")


def test_pass_closed_descriptor():
    refused(sandbox("run", "--pass-fd", "77", "true"), "77", "(EBADF)")
    refused(sandbox("run", "--pass-fd", "-1", "true"))


def test_environment_file(folder):
    refused(sandbox("run", "--env-file", folder + "/none", "true"), "(ENOENT)")
    with open(folder + "/env", "w") as file:
        file.write("# comment\n\nGOOD=1\nexport BAD=2\n")
    refused(sandbox("run", "--env-file", folder + "/env", "true"), "line 4")
    refused(sandbox("run", "--env", "=x", "true"), "no name")


def test_keep_below_nothing(folder):
    refused(sandbox("run", "--keep", folder + "/a/b", "true"), "(ENOENT)")
    refused(sandbox("run", "--keep", folder + "/a", "--read-only", "true"), "--read-only")
    os.mkdir(folder + "/root")
    refused(sandbox("run", "--rootfs", folder + "/root", "--keep", folder, "true"), "lies in it")


def test_long_hostname():
    refused(sandbox("run", "--hostname", "h" * 65, "true"), "ENAMETOOLONG")


def test_error_as_json():
    result = sandbox("run", "--log-format", "json", "--rootfs", "/nowhere\x1b[31m", "true")
    equal(result.returncode, 125)
    message = json.loads(result.stderr)
    equal(message["level"], "error")
    check("ENOENT" in message["reason"], message)


def test_hostile_words_do_not_steer_the_terminal():
    result = sandbox("\x1b[31m")
    check("\x1b" not in result.stderr, result.stderr)
    result = sandbox("run", "--bind", "/no\x1b]0;x\x07:/x", "true")
    check("\x1b" not in result.stderr, result.stderr)


def test_secret_of_a_masked_directory(folder):
    home = folder + "/home"
    os.makedirs(home + "/.ssh")
    open(home + "/.ssh/known_hosts", "w").close()
    environment = dict(os.environ, HOME=home)
    refused(sandbox("run", "--show", home + "/.ssh/known_hosts", "true", env=environment),
            "masked as a whole", f"--show {home}/.ssh")
    refused(sandbox("run", "--bind", f"/etc:{home}/.ssh/etc", "true", env=environment), "masked as a whole")


def test_info():
    result = sandbox("info")
    equal(result.returncode, 0)
    features = json.loads(sandbox("info", "--format", "json").stdout)
    check(len(features) > 3, features)
    for feature in features:
        check(feature["state"] in ("works", "degraded", "missing"), feature)
        check(feature["name"] in result.stdout, feature)
        check(feature["state"] == "works" or feature["consequence"], feature)


def sandbox_without_namespaces(kind, *arguments):
    """Runs the command where no namespace of the kind can be made; the limit holds for a user namespace of the test's own."""
    script = 'echo 0 > /proc/sys/user/max_$0_namespaces && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, kind, SANDBOX, *arguments]
    if subprocess.run(command[:5] + ["true"], capture_output=True).returncode != 0:
        raise Skip("needs `unshare --user`")
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=50)


def test_no_ipc_namespace():
    refused(sandbox_without_namespaces("ipc", "run", "--", "true"), "IPC namespace", "sandbox info")
    refused(sandbox_without_namespaces("ipc", "run", "--platform=ptrace", "--", "true"), "IPC namespace")


def test_no_network_namespace():
    refused(sandbox_without_namespaces("net", "run", "--", "true"), "network namespace", "sandbox info")
    equal(sandbox_without_namespaces("net", "run", "--net", "host", "--", "true").returncode, 0)


def test_lock_of_a_host_file(folder):
    path = folder + "/locked"
    open(path, "w").close()
    for options in ([], ["--platform=ptrace"], ["--ro-bind", folder]):
        command = [SANDBOX, "run", *options, "--", "flock", "--exclusive", path, "sh", "-c", "echo locked; read line"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            equal(holder.stdout.readline(), "locked\n")
            with open(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            holder.communicate("go on\n", timeout=30)
            equal(holder.returncode, 0)


def test_no_uts_namespace():
    result = sandbox_without_namespaces("uts", "run", "--", "true")
    equal(result.returncode, 0)
    check("UTS namespace" in result.stderr, result.stderr)


def test_below_a_tracer():
    if not shutil.which("strace"):
        raise Skip("needs strace")
    for verb in (["run", "--platform=notify"], ["run", "--platform=ptrace"], ["trace", "--host"]):
        command = [SANDBOX, *verb, "--", "true"]
        options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": 100}
        refused(subprocess.run(["strace", "-f", "-o", "/dev/null", *command], **options), "debugger", "strace without -f")
        equal(subprocess.run(["strace", "-o", "/dev/null", *command], **options).returncode, 0)


if __name__ == "__main__":
    main(globals())
