"""What is measured: the single calls of micro.c and the whole programs, with the files they work on."""

import os
import shutil
import subprocess

CALLS = ["getppid", "stat", "stat-missing", "access", "readlink", "fstat", "open-close", "read-4k", "write-4k", "lseek",
         "getcwd", "meminfo", "readdir-etc", "create-unlink", "mkdir-rmdir", "rename", "mmap-munmap", "socket-byte",
         "thread", "fork-wait", "fork-exec", "two-clients"]
PINNED_CALLS = ["getppid", "stat", "stat-missing", "access", "readlink", "getcwd", "open-close", "fork-wait", "fork-exec"]
PINNED_SUFFIX = "@1cpu"
PROCESS_CASES = ["startup", "memory", "idle-cpu"]

PYTHON_IMPORTS = "import argparse, asyncio, ctypes, http.client, json, logging, sqlite3, subprocess, unittest, xml.dom.minidom"
NODE_SCRIPT = ("for (const name of ['fs', 'http', 'crypto', 'zlib', 'child_process', 'path']) require(name);"
               "require('fs').readdirSync('/usr/lib');")
COMPILE_SOURCE = """#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<int>> groups;
  for (int i = 0; i < 1000; i++) groups[std::to_string(i % 37)].push_back(i);
  for (auto& [name, numbers] : groups) std::sort(numbers.begin(), numbers.end());
  std::cout << groups.size() << '\\n';
}
"""
SQLITE_SCRIPT = """PRAGMA synchronous=OFF;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, amount REAL);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200000)
  INSERT INTO item SELECT i, printf('item %d', i * 7919 % 200003), i * 0.25 FROM n;
COMMIT;
CREATE INDEX item_name ON item(name);
""" + "".join(f"UPDATE item SET amount = amount + 1 WHERE id = {i};\n" for i in range(1, 21)) + """
SELECT count(*), sum(amount) FROM item WHERE name > 'item 5';
"""


class Program:
    """A whole program: its command line, and what a run would leave behind on a target that writes through."""

    def __init__(self, name, what, argv, leaves=(), tool=None):
        self.name = name
        self.what = what
        self.argv = argv
        self.leaves = leaves
        self.tool = tool or argv[0]

    def missing_tool(self):
        """The program this case needs and the machine lacks, or None."""
        return None if shutil.which(self.tool) else self.tool

    def clean(self):
        for path in self.leaves:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)


def write_file(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as stream:
        stream.write(content)


class Workspace:
    """The scratch directory of one run. The same paths are used natively and inside every target."""

    def __init__(self, directory, quick):
        self.directory = directory
        self.calls = os.path.join(directory, "calls")
        self.tree = "/usr/include" if quick else "/usr"
        self.source_files = 200 if quick else 2000
        self.repository = self.path("repository")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def make_call_fixtures(self):
        os.makedirs(self.calls)
        with open(os.path.join(self.calls, "file"), "wb") as stream:
            stream.write(b"\1" * (1 << 20))
        os.symlink("file", os.path.join(self.calls, "link"))

    def git(self, *arguments):
        return ["git", "-c", "safe.directory=*", *arguments]

    def programs(self):
        files = self.source_files
        archive = self.path("tree.tar")
        return [
            Program("find", f"find {self.tree} -type f", ["find", self.tree, "-xdev", "-type", "f"]),
            Program("du", f"du -s {self.tree}", ["du", "-sx", self.tree]),
            Program("python-imports", "python3, 10 imports", ["python3", "-B", "-c", PYTHON_IMPORTS]),
            Program("git-clone", f"git clone, {files} files",
                    self.git("clone", "-q", "--no-hardlinks", self.repository, self.path("clone")), [self.path("clone")]),
            Program("git-status", f"git status, {files} files", self.git("-C", self.repository, "status", "--porcelain")),
            Program("g++", "g++ -O1 -c, five std headers",
                    ["g++", "-std=c++17", "-O1", "-c", "-o", self.path("compile.o"), self.path("compile.cpp")],
                    [self.path("compile.o")]),
            Program("make-j2", "make -j2, 12 C files", ["make", "-s", "-j2", "-C", self.path("make")],
                    [self.path("make", name) for name in [f"part{i}.o" for i in range(12)] + ["all"]]),
            Program("tar-create", f"tar -c, {files} files", ["tar", "-C", self.repository, "-cf", self.path("out.tar"), "src"],
                    [self.path("out.tar")]),
            Program("tar-extract", f"tar -x, {files} files", ["tar", "-C", self.path("untar"), "-xf", archive],
                    [self.path("untar", "src")]),
            Program("node", "node, six modules", ["node", "-e", NODE_SCRIPT]),
            Program("sqlite", "sqlite3, 200,000 rows", ["sqlite3", self.path("db"), ".read " + self.path("script.sql")],
                    [self.path("db"), self.path("db-journal")]),
            Program("shell-200-forks", "bash, 200 x /bin/true", ["bash", "-c", "for ((i = 0; i < 200; i++)); do /bin/true; done"]),
        ]

    def make_program_fixtures(self, wanted):
        """Makes only what the wanted programs read."""
        if {"git-clone", "git-status", "tar-create", "tar-extract"} & wanted:
            self.make_repository()
        if "tar-extract" in wanted:
            os.makedirs(self.path("untar"))
            subprocess.run(["tar", "-C", self.repository, "-cf", self.path("tree.tar"), "src"], check=True)
        write_file(self.path("compile.cpp"), COMPILE_SOURCE)
        write_file(self.path("script.sql"), SQLITE_SCRIPT)
        for i in range(12):
            write_file(self.path("make", f"part{i}.c"),
                       f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
                       f"int part{i}(const char* text) {{ return printf(\"%zu\\n\", strlen(text)) + {i}; }}\n"
                       + ("int main(void) { return 0; }\n" if i == 0 else ""))
        objects = " ".join(f"part{i}.o" for i in range(12))
        write_file(self.path("make", "Makefile"), f"all: {objects}\n\t$(CC) -o $@ $^\n")

    def make_repository(self):
        for i in range(self.source_files):
            write_file(os.path.join(self.repository, "src", f"d{i % 50}", f"file{i}.txt"), f"line {i}\n" * (i % 40 + 1))
        if not shutil.which("git"):
            return
        for arguments in [["init", "-q"], ["add", "-A"],
                          ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "files"]]:
            subprocess.run(self.git("-C", self.repository, *arguments), check=True, stdout=subprocess.DEVNULL)
