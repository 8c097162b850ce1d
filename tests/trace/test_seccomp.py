"""`sandbox run --seccomp`: every action of a profile, on both engines, and what is told of it."""
import json
import os
import re

from cases import check, equal, main, refused, sandbox

GUESTS = os.environ.get("TRACE_GUESTS", ".")
TRAPPED = os.path.join(GUESTS, "trapped")
VIOLATOR = os.path.join(GUESTS, "violator")
ENGINES = ("notify", "ptrace")


def profile(folder, *rules, default="SCMP_ACT_ALLOW", **more):
    path = os.path.join(folder, "profile.json")
    with open(path, "w") as file:
        json.dump({"defaultAction": default, "syscalls": list(rules), **more}, file)
    return path


def rule(names, action, **more):
    return {"names": names.split(), "action": "SCMP_ACT_" + action, **more}


def run(path, engine, *program):
    return sandbox("run", "--platform", engine, "--seccomp", path, "--", *program)


def test_errno(folder):
    path = profile(folder, rule("mkdir mkdirat", "ERRNO", errnoRet=28), rule("uname", "ERRNO"))
    for engine in ENGINES:
        result = run(path, engine, "sh", "-c", "mkdir /tmp/a; mkdir /tmp/b; uname; ls -d /tmp/a; echo end")
        equal(result.stdout, "end\n")
        check("No space left on device" in result.stderr and "Operation not permitted" in result.stderr, result.stderr)
        # The first of a kind in full, the others counted; an emulated call and one that the kernel runs.
        check('called mkdir("/tmp/a", 0777): the seccomp profile lets it fail with ENOSPC' in result.stderr, result.stderr)
        check("/tmp/b" not in [line for line in result.stderr.splitlines() if "profile" in line], result.stderr)
        check("mkdir 1 times more: the seccomp profile lets it fail with ENOSPC" in result.stderr, result.stderr)
        check('("uname") called uname(' in result.stderr, result.stderr)


def test_deadly_actions(folder):
    for action, words in (("KILL_PROCESS", "kills the process"), ("KILL", "kills the thread"), ("TRAP", "sends SIGSYS")):
        path = profile(folder, rule("mkdir mkdirat", action))
        for engine in ENGINES:
            result = run(path, engine, "mkdir", "/tmp/a")
            equal((action, result.returncode), (action, 159))
            check(f'("mkdir") called mkdir("/tmp/a", 0777): the seccomp profile {words}' in result.stderr, result.stderr)


def stacks_told(text):
    """The functions below each call that was told of, innermost first."""
    stacks = {}
    for line in text.splitlines():
        if match := re.search(r"called (\w+)\(", line):
            frames = stacks.setdefault(match[1], [])
        elif match := re.fullmatch(r" > .*\((\w*)(\+0x[0-9a-f]+)?\) \[0x[0-9a-f]+\]", line):
            frames.append(match[1])
    return stacks


def test_stack_of_a_violation(folder):
    names = {"mkdir": "ERRNO", "readlink": "LOG", "getppid": "ERRNO"}
    for last in ("ERRNO", "LOG", "TRAP", "KILL_THREAD", "KILL_PROCESS"):
        for deadly, expected in (("mkdir", 1), ("getppid", 3)):
            path = profile(folder, *(rule(name, last if name == deadly else action) for name, action in names.items()))
            for engine in ENGINES:
                result = run(path, engine, VIOLATOR)
                stacks = stacks_told(result.stderr)
                ends = last not in ("ERRNO", "LOG")
                equal((last, engine, result.returncode, len(stacks)), (last, engine, 159 if ends else 0, expected if ends else 3))
                for name, frames in stacks.items():
                    equal((name, frames[1:4], frames[-1]), (name, ["inner", "outer", "main"], "_start"))
                if "readlink" in stacks:
                    check(re.search(r'called readlink\("/proc/self/exe", 0x[0-9a-f]+, 64\): the seccomp profile lets it pass', result.stderr), result.stderr)


def test_stacks_of_threads(folder):
    """Many at once: each kind is told once, whole, and the others are counted."""
    path = profile(folder, rule("mkdir", "ERRNO"), rule("readlink", "LOG"), rule("getppid", "ERRNO"))
    for engine in ENGINES:
        result = run(path, engine, VIOLATOR, "8")
        equal((engine, result.returncode), (engine, 0))
        stacks = stacks_told(result.stderr)
        equal(sorted(stacks), ["getppid", "mkdir", "readlink"])
        for name, frames in stacks.items():
            equal((name, frames[1:3]), (name, ["inner", "outer"]))
            check(f"{name} 159 times more" in result.stderr, result.stderr)


def test_signal_names_the_call(folder):
    # munmap is refused by the tracer, as the loader needs it; mkdir by the kernel.
    path = profile(folder, rule("munmap", "TRAP", args=[{"index": 1, "value": 4096, "op": "SCMP_CMP_EQ"}]), rule("mkdir", "TRAP"))
    for engine in ENGINES:
        for name, number in (("munmap", 11), ("mkdir", 83)):
            result = run(path, engine, TRAPPED, name)
            equal((engine, result.stdout), (engine, f"SIGSYS code 1 call {number}\n"))


def test_log_and_trace(folder):
    path = profile(folder, rule("sync", "LOG"), rule("mkdir mkdirat", "TRACE"))
    for engine in ENGINES:
        result = run(path, engine, "sh", "-c", "sync && mkdir /tmp/a; echo $?")
        equal(result.stdout, "1\n")
        check("called sync(): the seccomp profile lets it pass and wants it told" in result.stderr, result.stderr)
        check("Function not implemented" in result.stderr, result.stderr)


def test_allow_list(folder):
    """A profile that names only what `true` calls itself; the loader's and the engine's calls are not among it."""
    names = "execve brk arch_prctl mmap access openat newfstatat close read pread64 set_tid_address set_robust_list rseq mprotect prlimit64 getrandom munmap exit_group fstat writev"
    for left_out, expected in (("", 0), ("munmap", 0), ("close", 127)):
        path = profile(folder, rule(" ".join(name for name in names.split() if name != left_out), "ALLOW"), default="SCMP_ACT_ERRNO")
        for engine in ENGINES:
            result = run(path, engine, "true")
            equal((left_out, engine, result.returncode), (left_out, engine, expected))
            # That the program gets as far as its dynamic linker means that it was loaded.
            check(expected == 0 or "error while loading shared libraries" in result.stderr, result.stderr)
            check(not left_out or f'("true") called {left_out}(' in result.stderr, result.stderr)


def test_own_filter_stays(folder):
    """What the sandbox refuses, no profile allows."""
    path = profile(folder, rule("kexec_load init_module", "ALLOW"), default="SCMP_ACT_ALLOW")
    for engine in ENGINES:
        result = run(path, engine, "python3", "-c", "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall(175, 0, 0, 0), ctypes.get_errno())")
        equal(result.stdout, "-1 1\n")


def test_in_a_trace(folder):
    path = profile(folder, rule("mkdir mkdirat", "ERRNO", errnoRet=13))
    trace = os.path.join(folder, "trace")
    for engine in ENGINES:
        sandbox("trace", "-o", trace, "--platform", engine, "--seccomp", path, "--", "mkdir", "/tmp/a")
        with open(trace) as file:
            lines = [line.split(None, 1)[1] for line in file]
        equal([" ".join(line.split()) for line in lines if line.startswith("mkdir(")], ['mkdir("/tmp/a", 0777) = -1 EACCES (Permission denied)'])
        check(lines[0].startswith("execve(") and not any(line.startswith("seccomp(") for line in lines), lines[:3])


def test_refused_profiles(folder):
    bad = os.path.join(folder, "bad.json")
    for text, word in (("[]", "no JSON object"), ("{", "no JSON object"), ("{}", "defaultAction"),
                       ('{"defaultAction": "SCMP_ACT_MAYBE"}', "SCMP_ACT_MAYBE"), ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "agent"),
                       ('{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}', "defaultErrnoRet"),
                       ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"}]}', "names"),
                       ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}', "index"),
                       ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]}]}', "value"),
                       ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}', "template"),
                       ('{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}', "NEW_LISTENER"),
                       ('{"defaultAction": "SCMP_ACT_ERRNO"}', "execve")):
        with open(bad, "w") as file:
            file.write(text)
        refused(sandbox("run", "--seccomp", bad, "--", "true"), word)
    refused(sandbox("run", "--seccomp", os.path.join(folder, "missing"), "--", "true"), "ENOENT")


if __name__ == "__main__":
    main(globals())
