#!/usr/bin/env python3
"""Writes CONFORMANCE.md: the sentences of the OCI runtime-spec that the tests here show, from their docstrings. --check: is it current?"""
import ast
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TABLE = os.path.join(HERE, "CONFORMANCE.md")
DOCUMENTS = ("runtime.md", "runtime-linux.md", "config.md", "config-linux.md")
# (document#section, what it asks, why no test shows it)
WITHOUT = [
    ("runtime.md#start", "an error when `process` was not set", "`create` refuses such a bundle already, as runc does"),
    ("runtime.md#delete", "`delete` of a container that is created is an error", "engines expect runc's way: it is ended and deleted"),
    ("config-linux.md#namespaces", "a mount namespace that is inherited, or joined by path", "refused: a sandbox always has one of its own"),
    ("config-linux.md#netdevices", "moving network devices", "refused by name"),
    ("config-linux.md#intelrdt", "what is written to resctrl", "refused by name; no machine at hand has it"),
    ("config-linux.md#seccomp", "SCMP_ACT_NOTIFY and the state sent to listenerPath", "refused by name: calls are the sentry's"),
    ("config-linux.md#rdma", "limits of RDMA", "no machine at hand has the controller"),
    ("config-linux.md#cgroup-ownership", "owners of the group's files", "only on cgroup v2, which no test machine has as a whole"),
    ("config.md#root", "Windows, Solaris, z/OS, VM and FreeBSD", "other platforms"),
]


def sentences(path):
    """(document#section, sentence, test) of each line of a docstring that names a document."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    group = os.path.basename(path)[len("test_"):-len(".py")]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        for line in (ast.get_docstring(node) or "").splitlines():
            place, colon, sentence = line.partition(": ")
            if colon and place.split("#")[0] in DOCUMENTS:
                yield place, sentence, f"oci.{group}.{node.name[len('test_'):]}"


def table():
    rows = [row for name in sorted(os.listdir(HERE)) if name.startswith("test_") and name.endswith(".py")
            for row in sentences(os.path.join(HERE, name))]
    rows.sort(key=lambda row: (DOCUMENTS.index(row[0].split("#")[0]), row[0]))
    lines = ["# What the tests show of the OCI runtime-spec", "",
             "Written by conformance_table.py from the tests' docstrings; `ctest -R NAME` runs one.", "",
             "| Where | What it says | Test |", "|---|---|---|"]
    lines += [f"| {place} | {sentence.replace('|', chr(92) + '|')} | {test} |" for place, sentence, test in rows]
    lines += ["", "## Without a test", "", "| Where | What it says | Why |", "|---|---|---|"]
    lines += [f"| {place} | {what} | {why} |" for place, what, why in WITHOUT]
    return "\n".join(lines) + "\n"


def main():
    if sys.argv[1:] != ["--check"]:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(table())
        return 0
    with open(TABLE, encoding="utf-8") as file:
        if file.read() == table():
            return 0
    print(f"{TABLE} is not current: run {os.path.relpath(__file__)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
