"""`sandbox trace --explain`: real programs that fail for real reasons, and what is said of them."""
import os
import shutil
import socket
import subprocess

from cases import Skip, check, equal, main, need_root, sandbox

WAYS = (["--host"], [])


def explain(*arguments, expect=None, **options):
    result = sandbox("trace", "--explain", *arguments, **options)
    check("explanation: " in result.stderr, result.stderr)
    if expect is not None:
        equal((result.returncode, result.stderr if result.returncode != expect else ""), (expect, ""))
    return result.stderr[result.stderr.index("explanation: "):]


def says(text, **aspects):
    """Each aspect has, in one of its lines, all of the words."""
    for aspect, words in aspects.items():
        lines = [line for line in text.splitlines() if line.startswith(f"  {aspect}")]
        for word in [words] if isinstance(words, str) else words:
            check(any(word in line for line in lines), f"{aspect} does not say {word!r}:\n{text}")


def test_missing_shared_library(folder):
    for name, text in (("gone.c", "int gone(void) { return 0; }"), ("main.c", "int gone(void); int main() { return gone(); }")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    library, program = os.path.join(folder, "libgone.so"), os.path.join(folder, "program")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, os.path.join(folder, "gone.c")], check=True)
    subprocess.run(["gcc", "-o", program, os.path.join(folder, "main.c"), library], check=True)
    subprocess.run(["gcc", "-o", program, os.path.join(folder, "main.c"), "-L", folder, "-lgone"], check=True)
    for way in WAYS:
        text = explain(*way, "--", program, expect=127)
        says(text, why="libgone.so was found in none of the", searched="/lib/x86_64-linux-gnu", call="libgone.so", mount="/ ")
    text = explain("--", program, expect=127, env={**os.environ, "LD_LIBRARY_PATH": "/opt/of/nobody"})
    says(text, searched="/opt/of/nobody")


def test_missing_module():
    for way in WAYS:
        # Python lists directories and asks for nothing that is not in them.
        text = explain(*way, "--", "/usr/bin/python3", "-c", "import no_such_module", expect=1)
        says(text, why="`no_such_module` is missing", looked="at:  /usr/lib/python3")
        # Perl asks in each place.
        text = explain(*way, "--", "perl", "-e", "use No::Such;", expect=2)
        says(text, why="Such.pm was found in none of the", searched="/usr/share/perl5/No")


def test_missing_interpreter(folder):
    script = os.path.join(folder, "script")
    with open(script, "w") as file:
        file.write("#! /usr/bin/no-python -u\n")
    os.chmod(script, 0o755)
    for way in WAYS:
        says(explain(*way, "--", "sh", "-c", script, expect=127), why=f"{script} is there, but its interpreter /usr/bin/no-python is not")
        says(explain(*way, "--", script, expect=127), why="interpreter /usr/bin/no-python is not")


def test_script_with_lines_of_windows(folder):
    script = os.path.join(folder, "script")
    with open(script, "w", newline="") as file:
        file.write("#!/bin/sh\r\ntrue\r\n")
    os.chmod(script, 0o755)
    for way in WAYS:
        says(explain(*way, "--", "sh", "-c", script, expect=127), why=f"{script} is there, but its interpreter /bin/sh\\015 is not",
             **{"try": "its lines end in CR LF"})


def test_missing_command_and_file(folder):
    os.symlink("/gone/away", os.path.join(folder, "link"))
    for way in WAYS:
        says(explain(*way, "--", "sh", "-c", "no-such-command", expect=127), why="no-such-command was found in none", searched="/usr/bin")
        says(explain(*way, "--", "cat", "/no/such/file", expect=1), why="the directory /no does not exist")
        says(explain(*way, "--", "cat", "/etc/passwd/x", expect=1), why="/etc/passwd is no directory")
        says(explain(*way, "--", "sh", "-c", f"cd {folder}; cat link", expect=1), why=f"{folder}/link is a link to /gone/away, which does not exist")


def test_permission_by_owner_and_mode(folder):
    need_root()
    text = explain("-u", "nobody", "--", "cat", "/etc/shadow", expect=1)
    says(text, why="/etc/shadow (-rw-r----- of user 0, group", mount="the host's files, writes kept in memory", call="EACCES")
    os.chmod(folder, 0o755)
    closed = os.path.join(folder, "closed")
    os.mkdir(closed, 0o700)
    says(explain("-u", "nobody", "--", "cat", closed + "/a/b", expect=1), why=f"{closed} (drwx------ of user 0, group 0) does not let user 65534 pass through it")
    says(explain("-u", "nobody", "--", "mkdir", folder + "/new", expect=1), why=f"{folder} (drwxr-xr-x of user 0, group 0) does not let user 65534 change what is in it")
    plain = os.path.join(folder, "plain")
    shutil.copy("/bin/true", plain)
    os.chmod(plain, 0o644)
    says(explain("--", "sh", "-c", plain, expect=126), why="(-rw-r--r-- of user 0, group 0) does not let user 0 execute it")


def test_permission_by_mount(folder):
    says(explain("--read-only", "--", "touch", "/etc/new", expect=1), why="/etc/new is on a read-only mount", mount="writes refused by --read-only")
    text = explain("--ro-bind", folder + ":/data", "--", "sh", "-c", "echo a >/data/out", expect=2)
    says(text, why="/data/out is on a read-only mount", mount=["/data answers for it", f"the host's {folder}, by --ro-bind"],
         **{"try": f"--bind {folder}:/data"})


def test_mask(folder):
    secret = os.path.join(folder, ".ssh")
    os.mkdir(secret)
    with open(os.path.join(secret, "id_rsa"), "w") as file:
        file.write("key")
    text = explain("--", "cat", os.path.join(secret, "id_rsa"), expect=1, env={**os.environ, "HOME": folder})
    says(text, why="id_rsa does not exist", mount="hides what the host has here, as a secret", **{"try": f"--show {secret}"})


def test_refusals_of_the_sandbox(folder):
    says(explain("--", "unshare", "-m", "true", expect=1), why="the sandbox refuses unshare with EPERM: new namespaces are refused")
    profile = os.path.join(folder, "profile")
    with open(profile, "w") as file:
        file.write('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}')
    says(explain("--seccomp", profile, "--", "mkdir", "/tmp/a", expect=1), why="the seccomp profile (--seccomp) lets mkdir fail with EACCES")


def test_addresses():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    bind = f"import socket; socket.socket().bind(('127.0.0.1', {port}))"
    says(explain("--host", "--", "python3", "-c", bind, expect=1), why=f"127.0.0.1 port {port} is in use: a program that is not traced has it")
    twice = f"import socket; a = socket.socket(); a.bind(('127.0.0.1', {port})); a.listen(); socket.socket().bind(('127.0.0.1', {port}))"
    says(explain("--", "python3", "-c", twice, expect=1), why="in use: this process has bound it before")
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
    says(explain("--", "python3", "-c", connect, expect=1), why=f"nobody listens on 127.0.0.1 port {port}", **{"try": "--net host"})
    says(explain("--", "python3", "-c", "import socket; socket.create_connection(('10.1.2.3', 80))", expect=1), why="there is no way to 10.1.2.3 port 80")
    # A connection that is made meanwhile tells its error later, to whoever asks.
    later = ("import os, select, socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('127.0.0.1', 9)); "
             "select.select([], [s], []); e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR); exit(os.strerror(e))")
    says(explain("--", "python3", "-c", later, expect=1), why="nobody listens on 127.0.0.1 port 9", call="SO_ERROR, [ECONNREFUSED]")


def test_full_file_systems():
    text = explain("--tmpfs", "/data:size=64k", "--", "dd", "if=/dev/zero", "of=/data/f", "bs=1k", "count=100", expect=1)
    says(text, why="the file system at /data is full: 0 KiB of 64 KiB are free", mount="(tmpfs)", call='write(1</data/f>, "\\0\\0')


def test_limits():
    for way in WAYS:
        program = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); files = [open('/etc/passwd') for i in range(30)]"
        says(explain(*way, "--", "python3", "-c", program, expect=1), why="all the 20 descriptors open that its limit allows, RLIMIT_NOFILE")
        says(explain(*way, "--", "bash", "-c", "ulimit -v 300000; exec python3 -c 'x = bytearray(600 << 20)'", expect=1), why="RLIMIT_AS (ulimit -v) allows 307200000 bytes")
        says(explain(*way, "--", "bash", "-c", "ulimit -f 4; dd if=/dev/zero of=/dev/shm/large.$$ bs=1k count=20; status=$?; rm /dev/shm/large.$$; exit $status", expect=153), why="RLIMIT_FSIZE")


def test_memory_limit():
    result = sandbox("trace", "--explain", "--memory", "40m", "--", "python3", "-c", "x = bytearray(200 << 20)")
    if result.returncode == 125:
        raise Skip("no limit of memory can be had here: " + result.stderr)
    equal(result.returncode, 137)
    says(result.stderr, why="the kernel killed it for memory: the sandbox's limit of 40 MiB (--memory) is reached")


def test_signals():
    for way in WAYS:
        says(explain(*way, "--", "sh", "-c", "kill -9 $$", expect=137), why="it sent the signal to itself: kill(")
        says(explain(*way, "--", "python3", "-c", "import ctypes; ctypes.string_at(16)", expect=139), why="it used the address 0x10, where nothing is mapped")
        says(explain(*way, "--", "sh", "-c", "sleep 9 & kill -TERM $!; wait $!", expect=143), passed="which was killed by SIGTERM", why="sent it: kill(")


def test_nothing_to_explain():
    for way in WAYS:
        check("ended well" in explain(*way, "--", "true", expect=0))
        says(explain(*way, "--", "sh", "-c", "exit 3", expect=3), why="it decided so by itself")


def test_hostile_words(folder):
    """What a program writes cannot steer the terminal."""
    text = explain("--", "sh", "-c", "printf '\\033[2Jgone \\342\\200\\256 \\377\\n' >&2; cat '\033[2J'", expect=1)
    check("\x1b" not in text and "\\033[2J" in text and "‮" not in text, ascii(text))


if __name__ == "__main__":
    main(globals())
