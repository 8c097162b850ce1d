"""Checks the arrows between the boxes, include <- {platform, vfs} <- sentry <- tools, and where libraries may appear."""
import os
import re
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

# Which boxes a box may include, besides itself.
MAY_INCLUDE = {
    "include": set(),
    "platform": {"include"},
    "vfs": {"include"},
    "sentry": {"include", "platform", "vfs"},
    "tools": {"include", "platform", "vfs", "sentry"},
}
# Headers of a library, and the only folders that may include them.
CONFINED = [
    (re.compile(r"(libunwind|capstone)"), ("platform/debug/",)),
    (re.compile(r"(nlohmann/|CLI/)"), ("tools/",)),
    (re.compile(r"(archive(_entry)?\.h|nettle/)"), ("tools/image/",)),
    (re.compile(r"seccomp\.h$"), ("platform/",)),
    (re.compile(r"filesystem$"), ("tools/",)),
]
# Headers of the kernel whose name looks like a library's.
KERNEL = re.compile(r"^(linux|asm|sys)/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def box_of_header(header):
    """The box that a header belongs to; None for a header of the system."""
    first = header.split("/")[0]
    if first == "sandbox":
        return "include"
    return first if first in MAY_INCLUDE else None


def violations(path, text):
    """One line for each include of the file `path` (relative to the repository) that the rules forbid."""
    box = path.split("/")[0]
    found = []
    for quote, header in INCLUDE.findall(text):
        target = box_of_header(header)
        if header.startswith("../") or "/../" in header:
            found.append(f"{path}: {header}: includes name the path from the repository's root")
        if target is not None and target != box and target not in MAY_INCLUDE[box]:
            found.append(f"{path}: {header}: {box} must not include {target}")
        for pattern, folders in CONFINED:
            if target is None and pattern.search(header) and not KERNEL.match(header) and not path.startswith(folders):
                found.append(f"{path}: {header}: only {' and '.join(folders)} may include this")
    return found


def check_repository():
    found, count = [], 0
    for box in MAY_INCLUDE:
        for folder, _, names in os.walk(os.path.join(REPOSITORY, box)):
            for name in names:
                if name.endswith((".h", ".cpp", ".c", ".S", ".def")):
                    path = os.path.join(folder, name)
                    with open(path) as file:
                        found += violations(os.path.relpath(path, REPOSITORY), file.read())
                    count += 1
    for line in found:
        print(line)
    print(f"{count} files looked at")
    return 1 if found or count == 0 else 0


def self_test():
    """The rules catch what they are for."""
    forbidden = [
        ("vfs/core/walk.cpp", '#include "platform/platform.h"'),
        ("platform/engine.cpp", '#include "vfs/core/vfs.h"'),
        ("include/sandbox/errno.h", '#include "sentry/task.h"'),
        ("sentry/run.cpp", '#include "tools/messages.h"'),
        ("sentry/run.cpp", "#include <nlohmann/json.hpp>"),
        ("sentry/run.cpp", "#include <filesystem>"),
        ("platform/engine.cpp", "#include <libunwind-ptrace.h>"),
        ("vfs/core/walk.cpp", "#  include <CLI/App.hpp>"),
        ("sentry/run.cpp", '#include "../tools/messages.h"'),
    ]
    allowed = [
        ("sentry/run.cpp", '#include "vfs/core/vfs.h"\n#include "platform/platform.h"\n#include <linux/seccomp.h>'),
        ("tools/run.cpp", "#include <CLI/App.hpp>"),
        ("platform/debug/backtrace.cpp", "#include <libunwind-ptrace.h>"),
        ("vfs/core/walk.cpp", '#include "sandbox/errno.h"'),
    ]
    wrong = [case for case in forbidden if not violations(*case)] + [case for case in allowed if violations(*case)]
    for case in wrong:
        print(f"judged wrongly: {case}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else check_repository())
