"""The run itself: rounds over all targets, every sample kept, a failing case or target noted and passed over."""

import os
import statistics
import time

import cases
import processes
from processes import Failure

SLOW_CASE_S = 15  # a case that takes longer on a target is measured once there, not in every round


class Settings:
    """How thorough a run is."""

    def __init__(self, quick, rounds, timeout_s):
        self.rounds = rounds or (1 if quick else 5)
        self.batches = 3 if quick else 7
        self.batch_us = 2000 if quick else 10000
        self.startup_runs = 3 if quick else 10
        self.idle_s = 1 if quick else 3
        self.timeout_s = timeout_s or (60 if quick else 180)


class Results:
    """Samples and failures by (target, case)."""

    def __init__(self):
        self.samples = {}
        self.failures = {}

    def add(self, target, case, value):
        self.samples.setdefault((target, case), []).append(value)

    def fail(self, target, case, reason):
        self.failures.setdefault((target, case), reason)

    def median(self, target, case):
        """The median of all rounds, or None: a case that failed in any round has no result."""
        if (target, case) in self.failures or (target, case) not in self.samples:
            return None
        return statistics.median(self.samples[target, case])


class Run:
    def __init__(self, workspace, micro, settings, selected, say):
        self.workspace = workspace
        self.micro = micro
        self.settings = settings
        self.selected = selected
        self.say = say
        self.results = Results()
        self.done_once = set()
        self.environment = dict(os.environ, LC_ALL="C", HOME=workspace.directory, GIT_CONFIG_NOSYSTEM="1")
        self.programs = [program for program in workspace.programs() if program.name in selected]

    def probe(self, targets):
        """Runs /bin/true once in each target, so that one that cannot work here costs no more than that."""
        for target in targets:
            if target.unusable is None:
                self.say(f"trying {target.name}")
                try:
                    self.timed(target.startup_timer(self.micro, 1), timeout_s=30)
                except Failure as failure:
                    target.unusable = str(failure)

    def run(self, argv, timeout_s=None, pinned_cpu=None):
        return processes.run(argv, self.environment, timeout_s or self.settings.timeout_s, pinned_cpu)

    def all_rounds(self, targets):
        usable = [target for target in targets if target.unusable is None]
        for number in range(self.settings.rounds):
            for program in self.programs:  # the first round finds the same warm page cache as the others
                if number == 0 and not program.missing_tool():
                    program.clean()
                    self.say(f"warming up {program.name}")
                    self.run(program.argv)
            # Each round starts with another target, so that none always follows the same neighbour.
            for target in usable[number % len(usable):] + usable[:number % len(usable)]:
                self.one_round(target, f"round {number + 1}/{self.settings.rounds}, {target.name}: ")

    def one_round(self, target, where):
        pinned = [case for case in self.selected if case.endswith(cases.PINNED_SUFFIX)]
        plain = [case for case in self.selected if case in cases.CALLS]
        if "startup" in self.selected:
            self.say(where + "startup")
            self.guard(target, "startup", self.startup)
        if target.startup_only:
            return
        if plain:
            self.say(where + "calls")
            self.calls(target, plain, None)
        if pinned:
            self.say(where + "calls, pinned")
            self.calls(target, pinned, max(os.sched_getaffinity(0)))
        if {"memory", "idle-cpu"} & set(self.selected) and target.name != "native":
            self.say(where + "idle")
            self.guard(target, "memory", self.idle)
        for program in self.programs:
            self.say(where + program.name)
            self.guard(target, program.name, lambda target, program=program: self.program(target, program))

    def guard(self, target, case, measure):
        """Turns a failure into a note. What failed, or is slow, is not tried in the next round."""
        if (target.name, case) in self.results.failures or (target.name, case) in self.done_once:
            return
        began = time.monotonic()
        try:
            measure(target)
        except Failure as failure:
            self.results.fail(target.name, case, str(failure))
        if time.monotonic() - began > SLOW_CASE_S:
            self.done_once.add((target.name, case))

    def startup(self, target):
        self.results.add(target.name, "startup", self.timed(target.startup_timer(self.micro, self.settings.startup_runs)))

    def timed(self, argv, timeout_s=None):
        """Nanoseconds as `micro time` prints them."""
        output = self.run(argv, timeout_s)
        words = output.text.split()
        if output.trouble is None and len(words) == 2 and words[0] == "time":
            return float(words[1])
        raise Failure(output.reason(output.text.partition(" - ")[2].strip()))

    def calls(self, target, wanted, pinned_cpu):
        """All calls in one start of the target. The call that ends it early is noted, the rest go on in a new start."""
        left = [case for case in wanted if (target.name, case) not in self.results.failures]
        while left:
            argv = [self.micro, "calls", self.workspace.calls, str(self.settings.batches), str(self.settings.batch_us)]
            argv += [case.removesuffix(cases.PINNED_SUFFIX) for case in left]
            try:
                output = self.run(target.command(argv), pinned_cpu=pinned_cpu)
            except Failure as failure:
                output = processes.Output("", str(failure))
            measured = 0
            for line, case in zip(output.text.splitlines(), left):
                words = line.split(maxsplit=2)
                if not line.startswith(case.removesuffix(cases.PINNED_SUFFIX) + " "):
                    break
                measured += 1
                if words[1] == "-":
                    self.results.fail(target.name, case, words[2])
                else:
                    self.results.add(target.name, case, float(words[1]))
            left = left[measured:]
            if left:
                self.results.fail(target.name, left[0], output.reason())
                left = left[1:]

    def idle(self, target):
        # Long enough that the workload still sleeps when the watch ends; it is killed then.
        argv = target.command([self.micro, "idle", "60"])
        resident, cpu = processes.watch_idle(argv, self.environment, self.micro, self.settings.idle_s, timeout_s=30)
        self.results.add(target.name, "memory", resident)
        self.results.add(target.name, "idle-cpu", cpu)

    def program(self, target, program):
        if program.missing_tool():
            raise Failure(f"{program.missing_tool()} is not installed")
        program.clean()
        try:
            # Timed from inside: start-up has its own row.
            self.results.add(target.name, program.name, self.timed(target.command([self.micro, "time", "1", *program.argv])))
        finally:
            program.clean()
