"""Runs a guest under strace and under the decoder and compares what they print, call by call and field by field."""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# Facts that differ from run to run, whoever looks.
VOLATILE = [
    (re.compile(r"((?:si|ru)_\w+time)=(\d+|\{[^}]*\})"), r"\1=N"),
    (re.compile(r"(left )\{[^}]*\}"), r"\1N"),
    (re.compile(r"(f_(?:bfree|bavail|ffree|files|blocks))=\d+"), r"\1=N"),
    # Of a /proc that was mounted anew for this run.
    (re.compile(r"f_fsid=\{val=\[[^]]*\]\}"), "f_fsid=N"),
    (re.compile(r"0x[0-9a-f]+( /\* \d+ vars? \*/)"), r"A\1"),
    (re.compile(r'(getrandom\()"[^"]*"'), r"\1R"),
]
# What strace 6.1 prints, and what stands in its place here, with the reason.
KNOWN = [
    # No name of the manual page.
    (re.compile(r"\bFASYNC\b"), "O_ASYNC"),
    # A date beside a time that is exact already.
    (re.compile(r"(\}) /\* \d{4}-[^*]*\*/"), r"\1"),
    # The order of clone's arguments is the kernel's.
    (re.compile(r"clone\(child_stack=(\w+), flags=([^,]*), child_tidptr=(\w+)\)"),
     r"clone(flags=\2, stack=\1, child_tid=\3)"),
    # Its newer spelling of the same.
    (re.compile(r"\[(\d+)\] => \[(\d+)\]"), r"[\1 => \2]"),
]
# Lines where the decoder says more than strace 6.1, compared in both by what both say.
RICHER = [
    (re.compile(r"^(rt_sigreturn)\(.*?\) ="), r"\1() ="),
    (re.compile(r"^(seccomp\(SECCOMP_SET_MODE_FILTER, \w+, \{len=\d+, filter=).*(\}\) =)"), r"\1...\2"),
    (re.compile(r"^(setsockopt\(\d+, SOL_SOCKET, SO_RCVTIMEO_OLD, ).*(, 16\) =)"), r"\1...\2"),
    (re.compile(r"^(prctl\(PR_GET_SECCOMP\) = 0).*"), r"\1"),
    (re.compile(r"^(fcntl\(\d+, F_(?:OFD_)?GETLK, )\{[^}]*\} => "), r"\1"),
    (re.compile(r"^(splice\(.*?\[\d+) => \d+\]"), r"\1]"),
    (re.compile(r'^(msgrcv\(\d+, \{mtype=\d+, mtext=")[^"]*'), r"\1..."),
    (re.compile(r"^(recvmsg\(\d+, )[^,]*(, .* = -1)"), r"\1...\2"),
    (re.compile(r"^(?:syscall_0x1c4|fchmodat2)\(.*\) ="), "fchmodat2() ="),
]


def normalized(line, is_strace):
    line = line.rstrip("\n")
    for pattern, replacement in VOLATILE + RICHER + (KNOWN if is_strace else []):
        line = pattern.sub(replacement, line)
    return line


def run(command, output, folder):
    """The lines that the tracer `command` wrote about the guest, in a PID and IPC namespace where all numbers repeat."""
    scratch = os.path.join(folder, "scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch)
    namespaces = ["unshare", "--pid", "--fork", "--ipc", "--mount-proc"]
    if os.getuid() != 0:
        namespaces += ["--user", "--map-root-user"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(namespaces + ["setarch", "-R"] + command, cwd=scratch, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=50)
    with open(output, errors="surrogateescape") as file:
        lines = file.readlines()
    if not lines:
        sys.exit("no output of %s: %s" % (command[0], done.stderr.decode()))
    return [line for line in lines if not line.startswith(("---", "+++"))]


def main():
    tracer, guest = map(os.path.realpath, sys.argv[1:3])
    if shutil.which("strace") is None:
        print("skipped: strace is not installed")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        theirs = run(["strace", "-a1", "-o", folder + "/strace", guest], folder + "/strace", folder)
        # The guest's own process number, which programs see.
        number = next(line.split()[-1] for line in theirs if line.startswith("set_tid_address"))
        ours = run([tracer, "-n", number, "-o", folder + "/ours", guest], folder + "/ours", folder)
    theirs = [normalized(line, True) for line in theirs]
    ours = [normalized(line, False) for line in ours]
    differences = [line for line in difflib.unified_diff(theirs, ours, "strace", "decoder", lineterm="", n=0)
                   if not line.startswith("@@")]
    print("\n".join(differences))
    print("%d calls compared, %d lines differ" % (len(theirs), max(0, len(differences) - 2)))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
