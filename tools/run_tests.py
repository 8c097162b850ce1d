"""Builds, runs every test, and ends with one line: N passed, N failed, N skipped. tools/test starts it."""
import argparse
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

REPOSITORY = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")
CATCH_ALL_PASSED = re.compile(r"All tests passed \(.* in (\d+) test cases?\)")
CATCH_SUMMARY = re.compile(r"^test cases:\s*(\d+)\s*\|(.*)$", re.MULTILINE)
FULL_OUTPUT = str(64 << 20)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests and compilers at a time")
    parser.add_argument("--label", help="only tests of this CTest label")
    parser.add_argument("--no-install", action="store_true", help="take the installed packages as they are (read by tools/test)")
    parser.add_argument("--no-sanitizers", action="store_true", help="leave the unit tests under ASan and UBSan out")
    parser.add_argument("--werror", action="store_true", help="warnings are errors in every build")
    return parser.parse_args()


def run(*command, doing):
    if subprocess.run(command, cwd=REPOSITORY).returncode != 0:
        print(f"tools/test: cannot {doing}: see above\ntry: {' '.join(command)}", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        sys.exit(1)


def configure(preset, arguments):
    options = ["-DBUILD_TESTING=ON"] + (["-DSANDBOX_WERROR=ON"] if arguments.werror else [])
    run("cmake", "--preset", preset, "--log-level=WARNING", *options, doing=f"configure the {preset} build")


def build(preset, arguments):
    run("cmake", "--build", f"build/{preset}", "-j", str(arguments.jobs), doing=f"build {preset}")


def count_of(case):
    """(passed, failed, skipped) of one CTest test: of its own summary if it prints one, else it is one case."""
    output = case.findtext("system-out") or ""
    status = case.get("status")   # run, fail, notrun or disabled
    counts = (1, 0, 0) if status == "run" else (0, 1, 0) if status == "fail" else (0, 0, 1)
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message") not in (None, "SKIP_RETURN_CODE=77", "Disabled"):
        return (0, 1, 0)   # a program that was not built, or a fixture that failed
    if own := COUNTS.findall(output):
        counts = tuple(int(number) for number in own[-1])
    elif (all_passed := CATCH_ALL_PASSED.search(output)) and status == "run":
        counts = (int(all_passed.group(1)), 0, 0)
    elif summary := CATCH_SUMMARY.search(output):
        failed = re.search(r"(\d+) failed", summary.group(2))
        failures = int(failed.group(1)) if failed else 0
        counts = (int(summary.group(1)) - failures, failures, 0)
    if status == "fail" and counts[1] == 0:   # it died after, or without, its summary
        counts = (counts[0], 1, counts[2])
    return counts


def skip_reasons(case):
    reasons = re.findall(r"^(?:SKIP:|skip )\s*(.*)$", case.findtext("system-out") or "", re.MULTILINE)
    return [f"{case.get('name')}: {reason}" for reason in reasons]


def hidden_folders():
    """The checkout's folder and those above it that nobody but their owner may pass, from the top down."""
    path, hidden = REPOSITORY, []
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            hidden.insert(0, path)
        path = os.path.dirname(path)
    return hidden


# In a mount namespace of its own: an overlay over the topmost hidden folder, in which it and those below it may be
# passed, and the checkout itself on top, writable. $1: the checkout, $2 and on to "--": hidden folders.
OPENED = """set -e
checkout=$1; shift
top=$1; own=$(mktemp -d)
mount -t tmpfs tmpfs "$own"
mkdir "$own/checkout" "$own/upper" "$own/work"
mount --bind "$checkout" "$own/checkout"
mount -t overlay overlay -o "lowerdir=$top,upperdir=$own/upper,workdir=$own/work" "$top"
while [ "$1" != -- ]; do chmod o+x "$1"; shift; done
shift
mount --bind "$own/checkout" "$checkout"
umount -l "$own"; rmdir "$own"
cd "$checkout"
exec "$@"
"""


def for_everybody():
    """Words before a command that let other users reach the checkout, as tests that become nobody need it; root's
    home directory is closed to them."""
    hidden = hidden_folders()
    if os.geteuid() != 0 or not hidden:
        return []
    words = ["unshare", "--mount", "sh", "-c", OPENED, "sh", REPOSITORY, *hidden, "--"]
    if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        return words
    print(f"tools/test: {hidden[0]} is closed to other users, and cannot be opened for the tests alone: tests that become "
          "another user will fail", file=sys.stderr)
    return []


def run_tests(preset, label, arguments):
    """Counts, reasons of skips, and names of failed tests."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [*for_everybody(), "ctest", "--test-dir", f"build/{preset}", "-j", str(arguments.jobs), "--output-on-failure",
                   "--no-tests=error", "--timeout", "600", "--output-junit", report.name,
                   "--test-output-size-passed", FULL_OUTPUT, "--test-output-size-failed", FULL_OUTPUT]
        if label:
            command += ["-L", label]
        exit_code = subprocess.run(command, cwd=REPOSITORY).returncode
        try:
            cases = list(xml.etree.ElementTree.parse(report.name).getroot().iter("testcase"))
        except xml.etree.ElementTree.ParseError:
            cases = []
    counts = [sum(numbers) for numbers in zip(*(count_of(case) for case in cases))] or [0, 0, 0]
    if exit_code != 0 and counts[1] == 0:   # CTest itself failed, or found no test
        counts[1] = 1
    failed = [f"{case.get('name')} ({preset})" for case in cases if count_of(case)[1] != 0]
    return counts, [reason for case in cases for reason in skip_reasons(case)], failed


def main():
    arguments = parse_arguments()
    started = time.monotonic()
    configure("release", arguments)
    build("release", arguments)
    results = [run_tests("release", arguments.label, arguments)]
    if not arguments.no_sanitizers and arguments.label in (None, "unit"):
        configure("dev", arguments)
        build("dev", arguments)
        results.append(run_tests("dev", "unit", arguments))
    passed, failed, skipped = (sum(numbers) for numbers in zip(*(counts for counts, reasons, names in results)))
    for counts, reasons, names in results:
        for reason in reasons:
            print(f"skipped: {reason}")
    for counts, reasons, names in results:
        for name in names:
            print(f"failed: {name}; repeat: ctest --test-dir build/{name[name.rindex('(') + 1:-1]} "
                  f"--output-on-failure -R '^{re.escape(name[:name.rindex(' ')])}$'")
    print(f"in {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
