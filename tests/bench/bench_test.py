"""Tests tools/bench: a native run, targets that fail in several ways, and the table of bars."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BENCH = os.path.join(REPOSITORY, "tools", "bench")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(REPOSITORY, "tools", "bench.d"))

import bars  # noqa: E402
import cases  # noqa: E402
import targets  # noqa: E402

# Stands in for `sandbox run OPTIONS -- COMMAND`: $2 is --platform=NAME.
PASS_THROUGH = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'


def bench(*arguments):
    return subprocess.run([BENCH, "--quick", *arguments], capture_output=True, text=True, timeout=100, check=False)


def fake_sandbox(directory, script):
    path = os.path.join(directory, "sandbox")
    with open(path, "w", encoding="ascii") as stream:
        stream.write("#!/bin/sh\n" + script + "\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


class Run(unittest.TestCase):
    def measure(self, script, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            done = bench("--json", "--sandbox", fake_sandbox(directory, script), *arguments)
        self.assertTrue(done.stdout, done.stderr)
        return done, json.loads(done.stdout)["cases"]

    def test_native(self):
        done = bench("--only", "getppid", "--targets", "native", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(done.stdout)["cases"]["getppid"]["targets"]["native"]["median"], 0)

    def test_one_broken_target_does_not_stop_the_others(self):
        script = 'case $2 in *ptrace) echo broken here >&2; exit 125;; esac; ' + PASS_THROUGH
        done, measured = self.measure(script, "--only", "getppid,memory", "--targets", "native,sandbox")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("125", measured["getppid"]["targets"]["sandbox-ptrace"]["reason"])
        self.assertGreater(measured["getppid"]["targets"]["sandbox-notify"]["median"], 0)
        self.assertGreaterEqual(measured["memory"]["targets"]["sandbox-notify"]["median"], 0)

    def test_a_call_that_kills_the_target_costs_only_itself(self):
        script = 'case "$*" in *" stat "*) set -- -- false;; esac; ' + PASS_THROUGH
        _, measured = self.measure(script, "--only", "getppid,stat,access", "--targets", "sandbox-notify")
        # The fake breaks as long as stat is asked for, so what stands before it is lost, what follows is not.
        self.assertIsNone(measured["stat"]["targets"]["sandbox-notify"]["median"])
        self.assertGreater(measured["access"]["targets"]["sandbox-notify"]["median"], 0)

    def test_a_target_that_hangs_is_ended(self):
        script = 'case "$*" in *" calls "*) sleep 1000 & wait;; esac; ' + PASS_THROUGH
        _, measured = self.measure(script, "--only", "getppid", "--targets", "native,sandbox-notify", "--timeout", "5")
        self.assertIn("no end after 5 s", measured["getppid"]["targets"]["sandbox-notify"]["reason"])
        self.assertGreater(measured["getppid"]["targets"]["native"]["median"], 0)

    def test_check_fails_on_a_miss_only(self):
        slow = 'sleep 0.3; ' + PASS_THROUGH
        arguments = ("--only", "startup,idle-cpu", "--targets", "native,bwrap,sandbox-notify")
        if not shutil.which("bwrap"):
            self.skipTest("bwrap is not installed")
        self.assertEqual(self.measure(slow, *arguments)[0].returncode, 0)
        self.assertEqual(self.measure(slow, "--check", *arguments)[0].returncode, 1)

    def test_unknown_names_are_refused(self):
        for arguments in [("--only", "nonsense"), ("--targets", "nonsense"), ("--rounds", "0")]:
            self.assertEqual(bench(*arguments).returncode, 2)


class Bars(unittest.TestCase):
    def test_formulas(self):
        medians = {"native": 200.0, "runsc": 60.0}
        self.assertEqual(bars.evaluate("max(native + 100, native * 1.15)", medians.get), 300)
        self.assertEqual(bars.evaluate("runsc / 6", medians.get), 10)
        with self.assertRaises(bars.Unknown):
            bars.evaluate("proot / 12", medians.get)
        with self.assertRaises(ValueError):
            bars.evaluate("native.__class__", medians.get)

    def test_table_names_things_that_exist(self):
        programs = [program.name for program in cases.Workspace("/", False).programs()]
        known_cases = cases.CALLS + [name + cases.PINNED_SUFFIX for name in cases.PINNED_CALLS] + cases.PROCESS_CASES + programs
        with tempfile.TemporaryDirectory() as directory:
            known_targets = [target.name for target in targets.all_targets(REPOSITORY, None, [], directory)]
        with open(os.path.join(REPOSITORY, "tools", "bench.d", "bars.json"), encoding="ascii") as stream:
            table = json.load(stream)

        def value_of(name):
            self.assertIn(name, known_targets)
            return 1.0

        for bar in table:
            self.assertLessEqual(set(bar["cases"]), set(known_cases), bar["name"])
            self.assertLessEqual(set(bar["targets"]), set(known_targets), bar["name"])
            bars.evaluate(bar["at_most"] if "at_most" in bar else bar["at_least"], value_of)

    def test_every_call_of_the_program_is_a_case(self):
        with open(os.path.join(REPOSITORY, "tools", "bench.d", "micro.c"), encoding="ascii") as stream:
            source = stream.read()
        for name in cases.CALLS:
            self.assertIn(f'"{name}"', source)


if __name__ == "__main__":
    unittest.main()
