"""Checks that clang-format would change nothing; `--fix` lets it."""
import os
import shutil
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDERS = ("include", "platform", "vfs", "sentry", "tools", "tests")
FORMATTER = "clang-format-19"   # another version would format differently


def main():
    if not shutil.which(FORMATTER):
        print(f"SKIP: {FORMATTER} is not installed")
        return 77
    sources = [os.path.join(folder, name)
               for root in FOLDERS for folder, _, names in os.walk(os.path.join(REPOSITORY, root))
               for name in names if name.endswith((".h", ".cpp"))]
    if "--fix" in sys.argv:
        return subprocess.run([FORMATTER, "-i", *sources]).returncode
    result = subprocess.run([FORMATTER, "--dry-run", "-ferror-limit=1", *sources], capture_output=True, text=True)
    unformatted = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "-Wclang-format" in line})
    for path in unformatted:
        print(f"not formatted: {os.path.relpath(path, REPOSITORY)}")
    if unformatted:
        print("repeat with the cure: python3 tests/layers/check_format.py --fix")
    return 1 if unformatted or result.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
