"""Runs one test function of a script by its name, against the `sandbox` binary named before it."""
import inspect
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

SANDBOX = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "sandbox"


class Skip(Exception):
    pass


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root to make devices and trusted attributes")


def sandbox(*arguments, **options):
    """Runs the command; .returncode, .stdout and .stderr as text."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([SANDBOX, *arguments], capture_output=True, text=True, errors="surrogateescape", timeout=150, **options)


def check(condition, explanation=""):
    if not condition:
        raise AssertionError(explanation)


def equal(found, expected):
    check(found == expected, f"found    {found!r}\nexpected {expected!r}")


def refused(result, *words, code=125):
    """The error has its two lines, names `words`, and nothing is on standard output."""
    equal(result.returncode, code)
    lines = result.stderr.splitlines()
    check(lines and lines[0].startswith("sandbox: cannot "), result.stderr)
    check(any(line.startswith("try: ") for line in lines), result.stderr)
    for word in words:
        check(word in result.stderr, f"{word!r} is not in:\n{result.stderr}")


def wait_until(condition, explanation):
    for _ in range(3000):  # half a minute: a loaded machine may need it
        if condition():
            return
        time.sleep(0.01)
    check(False, explanation)


def is_alive(pid):
    """A zombie is not: where nobody waits for orphans, as in many containers, it stays for ever."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def prints_fine(command, **options):
    """A program that checks for itself, in a sandbox: it says "fine" when it found nothing wrong."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL, **options)
    check(result.stdout == "fine\n", result.stdout + result.stderr)


def main(namespace, first_case=2):
    """Script [BINARY [CASE...]]: without a case all of them. `first_case`: its place in sys.argv."""
    cases = {name[5:]: function for name, function in namespace.items() if name.startswith("test_")}
    failed = skipped = 0
    for name in sys.argv[first_case:] or cases:
        folder = tempfile.mkdtemp(prefix="sandbox-tools.")
        os.chmod(folder, 0o755)
        try:
            wants_folder = bool(inspect.signature(cases[name]).parameters)
            cases[name](folder) if wants_folder else cases[name]()
        except Skip as reason:
            print(f"SKIP: {name}: {reason}")
            skipped += 1
        except Exception:
            traceback.print_exc()
            print("repeat:", shlex.join(["python3", sys.argv[0], SANDBOX, *sys.argv[2:first_case], name]))
            failed += 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 77 if skipped else 0)
