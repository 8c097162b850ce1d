"""Whoever asks how large the machine is gets the same answer, whatever limits the sandbox runs under.

agree.py SANDBOX ENGINE [--fast] [CASE...]: each function test_* is a case. --fast: java and htop, which take minutes in an emulated
machine, are not asked."""
import json
import os
import subprocess
import sys

from groups import check, Group, main, prints_fine, sandboxed, Skip, with_group

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
KIB_PER_MIB = 1024
IS_FAST = sys.argv[3:4] == ["--fast"]


def host_cpus():
    return sorted(os.sched_getaffinity(0))


def host_memory_kib():
    return int(open("/proc/meminfo").readline().split()[1])


def python(*arguments, options=()):
    return sandboxed("/usr/bin/python3", *arguments, options=options)


def probe(group, *options):
    folder = os.path.dirname(PROBE)
    if IS_FAST:
        options = [option.replace("--all", "--fast") for option in options]
    result = subprocess.run(python(PROBE, *options, options=["--ro-bind", f"{folder}:{folder}"]), capture_output=True, text=True,
                            timeout=300, preexec_fn=group.enter if group else None)
    check(result.returncode == 0, result.stdout + result.stderr)
    return json.loads(result.stdout)


def all_equal(answers, expected, what):
    wrong = {name: answer for name, answer in answers.items() if answer != expected}
    check(not wrong, f"{what}: expected {expected}, but {wrong}")


def check_agreement(answers, cpus, memory_kib):
    all_equal(answers["cpus"], cpus, "CPUs")
    all_equal(answers["memory"], memory_kib, "memory in KiB")
    all_equal(answers["swap"], answers["swap"]["sysinfo"], "swap in KiB")
    # Some kernels count pages that are not theirs to give (a balloon) in one of the two files only.
    free = [kib for name, kib in answers["free"].items() if name != "/proc/vmstat" or memory_kib != host_memory_kib()]
    # Others use the host's memory meanwhile.
    allowed_mib = 256 if memory_kib == host_memory_kib() else 24
    check(max(free) - min(free) < allowed_mib * KIB_PER_MIB, f"free memory: {answers['free']}")
    up = answers["uptime"].values()
    check(max(up) - min(up) < 4 and max(up) < 200, f"uptime: {answers['uptime']}")
    meminfo = answers["meminfo"]
    check(meminfo["MemFree"] <= meminfo["MemTotal"] and meminfo["MemAvailable"] <= meminfo["MemTotal"], str(meminfo))
    check(meminfo["Active"] == meminfo["Active(anon)"] + meminfo["Active(file)"], str(meminfo))
    check(answers["shm"] <= memory_kib, f"/dev/shm has {answers['shm']} KiB")
    if "java_heap" in answers:
        # A quarter of the memory; half of a small one, up to 126 MiB (os::max_heap_for_limited_address_space aside).
        heap = max(memory_kib // 4, min(memory_kib // 2, 126 * KIB_PER_MIB))
        check(abs(answers["java_heap"] - heap) <= 4 * KIB_PER_MIB, f"java's heap: {answers['java_heap']} KiB, expected {heap}")
    if "htop_memory" in answers:
        check(answers["htop_memory"], f"htop's memory was not found in its screen: {answers.get('htop_screen')!r}")
        size, unit = answers["htop_memory"]
        shown = size * {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}[unit]
        check(abs(shown - memory_kib) <= memory_kib * 0.01, f"htop: {size}{unit}, expected {memory_kib} KiB")
    for name in answers["missing"]:
        print(f"not installed here: {name}")


def test_no_limit():
    check_agreement(probe(None, "--all"), len(host_cpus()), host_memory_kib())


def test_half_a_cpu():
    with_group(lambda group: check_agreement(probe(group, "--all"), 1, 512 * KIB_PER_MIB), memory=512, cpus=0.5)


def test_one_and_a_half_cpus():
    cpus = min(2, len(host_cpus()))
    with_group(lambda group: check_agreement(probe(group), cpus, 768 * KIB_PER_MIB), memory=768, cpus=1.5)


def test_cpuset():
    last = host_cpus()[-1]

    def case(group):
        answers = probe(group, "--all")
        check_agreement(answers, 1, 640 * KIB_PER_MIB)
        check(answers["affinity"] == [last], str(answers["affinity"]))

    with_group(case, memory=640, cpuset=last)


def test_cpuset_and_quota():
    both = host_cpus()[:2]
    cpuset = ",".join(map(str, both))
    with_group(lambda group: check_agreement(probe(group), 1, host_memory_kib()), cpus=0.7, cpuset=cpuset)
    with_group(lambda group: check_agreement(probe(group), len(both), host_memory_kib()), cpus=64, cpuset=cpuset)


def test_nested_in_a_smaller_one():
    def case(outer):
        # Version 1 refuses a quota above the parent's.
        inner = Group(parent=outer, memory=2048)
        check_agreement(probe(inner), 1, 320 * KIB_PER_MIB)

    with_group(case, memory=320, cpus=0.9)


def test_update_is_seen_at_once():
    """The same process, with files that it keeps open."""
    program = """
import os, sys
meminfo, online = os.open("/proc/meminfo", os.O_RDONLY), os.open("/sys/devices/system/cpu/online", os.O_RDONLY)
for _ in sys.stdin:
    os.lseek(meminfo, 0, os.SEEK_SET)
    print(os.read(meminfo, 4096).split()[1].decode(), os.pread(online, 100, 0).decode().strip(), os.sysconf("SC_PHYS_PAGES") * 4,
          os.cpu_count(), len(os.sched_getaffinity(0)), flush=True)
"""

    def case(group):
        running = subprocess.Popen(python("-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   preexec_fn=group.enter)

        def ask():
            running.stdin.write("\n")
            running.stdin.flush()
            return running.stdout.readline().split()

        def expect(memory_mib, cpus):
            online = {1: f"{host_cpus()[0]}"}.get(cpus, "0-1")
            kib = str(memory_mib * KIB_PER_MIB)
            found = ask()
            check(found == [kib, online, kib, str(cpus), str(cpus)], f"{memory_mib} MiB and {cpus} CPUs, but {found}")

        try:
            expect(512, 1)
            group.set(memory=1024)
            expect(1024, 1)
            group.set(memory=300)
            expect(300, 1)
            if host_cpus()[:2] == [0, 1]:
                group.set(cpus=2)
                expect(300, 2)
                group.set(cpus=0.1)
                expect(300, 1)
                group.set(cpus=1)
        finally:
            running.stdin.close()
            running.wait(timeout=60)

    with_group(case, memory=512, cpus=1)


def test_affinity_stays_the_workloads_own():
    """A thread that pins itself is told so; one that asks for all CPUs it is shown runs on any."""
    if len(host_cpus()) < 2:
        raise Skip("one CPU")
    program = """
import os
first = os.sched_getaffinity(0)
assert len(first) == 1, first
os.sched_setaffinity(0, first)
assert os.sched_getaffinity(0) == first
try:
    os.sched_setaffinity(0, {99})
    raise SystemExit("a CPU that is not there was accepted")
except OSError as error:
    assert error.errno == 22, error
print("fine")
"""

    with_group(lambda group: prints_fine(python("-c", program), preexec_fn=group.enter), cpus=0.9)


def test_time_is_the_groups():
    """/proc/stat counts what was used, for each CPU and in all, and idle time is what the quota left."""
    program = """
import os, time
def ticks():
    rows = [line.split() for line in open("/proc/stat") if line.startswith("cpu")]
    return {row[0]: list(map(int, row[1:])) for row in rows}
before, start, already = ticks(), time.monotonic(), sum(os.times()[:2])
while sum(os.times()[:2]) - already < 0.6:
    for _ in range(100000): pass
time.sleep(0.5)
after, elapsed = ticks(), time.monotonic() - start
for name in before:
    assert all(b <= a for b, a in zip(before[name], after[name])), (name, before, after)
used = sum(after["cpu"][:3]) - sum(before["cpu"][:3])
assert 50 <= used <= 90, used
all_time = sum(after["cpu"]) - sum(before["cpu"])
assert all_time <= 0.5 * elapsed * 100 + 12, (all_time, elapsed)
parts = [sum(after[name][i] for name in after if name != "cpu") for i in range(10)]
assert all(abs(parts[i] - after["cpu"][i]) <= len(after) for i in range(10)), (parts, after)
print("fine")
"""

    with_group(lambda group: prints_fine(python("-c", program), preexec_fn=group.enter), cpus=0.5)


if __name__ == "__main__":
    main(globals(), first_case=4 if IS_FAST else 3)
