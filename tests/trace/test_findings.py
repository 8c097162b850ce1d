"""What `sandbox trace` makes of a run: seccomp profiles and lists of files."""
import json
import os

from cases import check, equal, main, refused, sandbox

WAYS = (["--host"], [])


def read_json(path):
    with open(path) as file:
        return json.load(file)


def test_profile_is_enough_and_no_more(folder):
    path = os.path.join(folder, "profile.json")
    for way in WAYS:
        if os.path.exists(path):
            os.unlink(path)
        program = ["sh", "-c", "ls / >/dev/null && echo yes | cat"]
        result = sandbox("trace", *way, "--profile", path, "--", *program)
        equal((way, result.returncode, result.stdout, result.stderr), (way, 0, "yes\n", ""))
        found = read_json(path)
        equal(found["defaultAction"], "SCMP_ACT_ERRNO")
        names = found["syscalls"][0]["names"]
        check({"execve", "write", "exit_group", "restart_syscall"} <= set(names) and "mkdir" not in names and names == sorted(names), names)
        if way:
            continue  # what a sandbox answers otherwise than the host may lead to other calls
        for engine in ("notify", "ptrace"):
            result = sandbox("run", "--platform", engine, "--seccomp", path, "--", *program)
            equal((engine, result.returncode, result.stdout, result.stderr), (engine, 0, "yes\n", ""))
            result = sandbox("run", "--platform", engine, "--seccomp", path, "--", "mkdir", "/tmp/a")
            check(result.returncode != 0 and "called mkdir(" in result.stderr, result.stderr)


def test_profiles_merge(folder):
    path = os.path.join(folder, "profile.json")
    with open(path, "w") as file:
        json.dump({"defaultAction": "SCMP_ACT_KILL", "comment": "kept", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_LOG"}, {"names": ["sync"], "action": "SCMP_ACT_ALLOW"}]}, file)
    for program in ("mkdir", "rmdir"):
        equal(sandbox("trace", "--host", "--profile", path, "--", program, os.path.join(folder, "d")).stderr, "")
    found = read_json(path)
    equal((found["defaultAction"], found["comment"], found["syscalls"][0]), ("SCMP_ACT_KILL", "kept", {"names": ["mkdir"], "action": "SCMP_ACT_LOG"}))
    names = found["syscalls"][1]["names"]
    check("sync" in names and "rmdir" in names and "mkdir" not in names and len(found["syscalls"]) == 2, names)


def test_files(folder):
    path, out = os.path.join(folder, "files"), os.path.join(folder, "out \x1b")
    for way in (["--host"], ["--bind", folder]):
        if os.path.exists(path):
            os.unlink(path)
        script = 'cat etc/../etc/hostname /etc/passwd >"$0"; mv "$0" "$0.b"; ln "$0.b" "$0.c"; chmod 600 "$0.b"; ls /no/such; exit 3'
        result = sandbox("trace", *way, "--files", path, "--", "sh", "-c", f"cd /; {script}", out)
        equal((result.returncode, "trace" in result.stderr), (3, False))
        with open(path) as file:
            lines = dict(reversed(line.rstrip("\n").split(" ", 1)) for line in file)
        shown = out.replace("\x1b", "\\033")
        for name, access in (("/etc/passwd", "r--"), ("/etc/hostname", "r--"), (shown, "-w-"), (shown + ".b", "-w-"), (shown + ".c", "-w-"), ("/usr/bin/cat", "--x")):
            equal((name, lines.get(name)), (name, access))
        check("/no/such" not in lines, lines)
        os.unlink(out + ".b"), os.unlink(out + ".c")
        # What is there stays, also what is written in octal; rights add up.
        equal(sandbox("trace", "--host", "--files", path, "--", "cat", "/usr/bin/cat").returncode, 0)
        with open(path) as file:
            after = dict(reversed(line.rstrip("\n").split(" ", 1)) for line in file)
        equal((after[shown], after["/usr/bin/cat"]), ("-w-", "r-x"))


def test_device_that_is_also_the_standard_input(folder):
    path = os.path.join(folder, "files")
    equal(sandbox("trace", "--files", path, "--", "sh", "-c", "echo > /dev/null").returncode, 0)
    with open(path) as file:
        check("-w- /dev/null\n" in file.read())


def test_trace_as_well(folder):
    path, trace = os.path.join(folder, "profile.json"), os.path.join(folder, "trace")
    equal(sandbox("trace", "--host", "--profile", path, "-o", trace, "--", "true").stderr, "")
    with open(trace) as file:
        check("exit_group(0)" in file.read())
    check("exit_group" in read_json(path)["syscalls"][0]["names"])


def test_refusals(folder):
    path = os.path.join(folder, "file")
    refused(sandbox("trace", "--profile", path, "-e", "open", "--", "true"), "all calls")
    for text in ("[]", "{", '{"defaultAction": "SCMP_ACT_ALLOW"}', '{"syscalls": []}'):
        with open(path, "w") as file:
            file.write(text)
        refused(sandbox("trace", "--profile", path, "--", "true"), "seccomp profile")
        with open(path) as file:
            equal(file.read(), text)
    refused(sandbox("trace", "--files", os.path.join(folder, "no", "file"), "--", "true"), "ENOENT")


if __name__ == "__main__":
    main(globals())
