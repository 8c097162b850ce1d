"""Tests tools/bench-resource-view: a run that goes through natively, targets that fail, its tables and its plot."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
TOOL = os.path.join(REPOSITORY, "tools", "bench-resource-view")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(REPOSITORY, "tools", "bench.d"))

import bars  # noqa: E402
import measure  # noqa: E402
import view_report  # noqa: E402
import view_targets  # noqa: E402

# Stands in for `sandbox run OPTIONS -- COMMAND`.
PASS_THROUGH = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n'


class FakeView:
    def __init__(self, name, is_api=False):
        self.name, self.is_api, self.once, self.each = name, is_api, "-", "-"


def can_limit_memory():
    try:
        view_targets.MemoryGroup(f"bench-test-{os.getpid()}", 64 << 20).remove()
        return True
    except view_targets.Unusable:
        return False


class Run(unittest.TestCase):
    def measure(self, script, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "sandbox")
            with open(path, "w", encoding="ascii") as stream:
                stream.write(script)
            os.chmod(path, 0o755)
            done = subprocess.run([TOOL, "--quick", "--requests", "100,200", "--sandbox", path, "--output", directory, *arguments],
                                  capture_output=True, text=True, timeout=100, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            plot = xml.etree.ElementTree.parse(os.path.join(directory, "resource-view.svg"))
            with open(os.path.join(directory, "resource-view.json"), encoding="utf-8") as stream:
                return done.stdout, json.load(stream)["targets"], plot

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_a_sandbox_that_shows_the_host(self):
        text, targets, plot = self.measure(PASS_THROUGH, "--targets", "sandbox-notify")
        found = targets["sandbox-notify"]
        self.assertIsNone(found["unusable"])
        with open("/proc/meminfo", encoding="ascii") as stream:
            self.assertEqual(found["memory_kib"]["meminfo"], int(stream.readline().split()[1]))
        self.assertEqual(found["memory_kib"]["meminfo"], found["memory_kib"]["free"])
        self.assertTrue(all(cell["is_measured"] and cell["ns"] > 0 for cell in found["requests"].values()))
        self.assertEqual(len(found["requests"]), 2)
        for table in ["Table 2", "Table 3", "Table 4", "Bars"]:
            self.assertIn(table, text)
        self.assertIn("no (", text)
        self.assertTrue(plot.getroot().tag.endswith("svg"))

    @unittest.skipUnless(shutil.which("nginx") and can_limit_memory(), "needs nginx and a memory group of its own")
    def test_native_beside_a_broken_sandbox(self):
        _, targets, _ = self.measure("#!/bin/sh\necho broken here >&2; exit 125\n", "--targets", "native,sandbox-ptrace")
        self.assertIn("broken here", targets["sandbox-ptrace"]["unusable"])
        self.assertIsNone(targets["native"]["unusable"])
        self.assertGreater(targets["native"]["requests"]["200"]["ns"], 0)
        self.assertTrue({"meminfo", "reread", "sysinfo", "cat", "top", "read(2)"} <= set(targets["native"]["samples_ns"]))


class Report(unittest.TestCase):
    def test_table_2_compares_with_the_limit(self):
        totals = {"lxcfs": {"meminfo": 524288, "sysinfo": 4194304, "free": 524288}, "engine-api": {"api": 524288}}
        views = [FakeView("lxcfs"), FakeView("engine-api", is_api=True), FakeView("native")]
        lines = view_report.table_2(views, totals, 512 << 20)
        self.assertIn("yes (512 MiB) no (4096 MiB) yes (512 MiB)", " ".join(lines[1].split()))
        self.assertIn("a request of its own (512 MiB)", lines[2])
        self.assertEqual(len(lines), 3)  # what was not measured has no row

    def test_table_3_marks_what_was_extrapolated(self):
        lines = view_report.table_3([FakeView("a")], [10, 20], lambda name, count: (count * 1e9, count == 10))
        self.assertEqual([line.split() for line in lines[1:]], [["10", "10.000", "s"], ["20", "~20.000", "s"]])

    def test_plot_survives_missing_and_equal_numbers(self):
        cell = lambda name, count: None if name == "none" else (1e6, False)  # noqa: E731
        for views in [[], [FakeView("none")], [FakeView("<a>"), FakeView("b")]]:
            xml.etree.ElementTree.fromstring(view_report.plot_svg(views, [10], cell, "a & b"))

    def test_bars_name_targets_that_exist(self):
        names = [view.name for view in [view_targets.Native, view_targets.Lxcfs, view_targets.EngineApi, view_targets.Runsc]]
        results = measure.Results()
        for name in [*names, "sandbox-notify", "sandbox-ptrace"]:
            for case in ["meminfo", "reread", "sysinfo"]:
                results.add(name, case, 100)
        path = os.path.join(REPOSITORY, "tools", "bench.d", "view_bars.json")
        rows = bars.compare(path, results, ["meminfo", "reread", "sysinfo"], ["sandbox-notify", "sandbox-ptrace"])
        self.assertEqual({row["verdict"] for row in rows}, {"pass", "miss"})
        self.assertEqual(len(rows), 8)


if __name__ == "__main__":
    unittest.main()
