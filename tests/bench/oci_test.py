"""Tests tools/bench-oci: a short run has a number for each case, and its bars name things that exist."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
TOOL = os.path.join(REPOSITORY, "tools", "bench-oci")
BARS = os.path.join(REPOSITORY, "tools", "bench.d", "oci_bars.json")


def main():
    if os.geteuid() != 0 or shutil.which("busybox") is None:
        print("SKIP: needs root and busybox (Debian package busybox-static)")
        return 77
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [TOOL, "--quick", "--targets", "sandbox", "--sandbox", sys.argv[1], "--json", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or done.stderr:
            print(done.stdout + done.stderr)
            return 1
        result = json.load(file)
    medians = result["medians"]["sandbox"]
    missing = [case for case, value in medians.items() if value is None]
    with open(BARS, encoding="ascii") as file:
        unknown = [case for bar in json.load(file) for case in bar["cases"] if case not in medians]
    if missing or unknown:
        print(f"no result of {missing}, bars of unknown cases {unknown}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
