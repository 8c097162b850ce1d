"""Time namespaces: clocks that are ahead of the host's or behind, and what /proc tells of them."""
import os
import time

from bundles import Bundle, need_root, wait_until
from cases import Skip, check, equal, main

AHEAD_S = 5_000_000
SCRIPT = ("cat /proc/self/timens_offsets; cat /proc/uptime; grep btime /proc/stat; cut -d' ' -f22 /proc/self/stat; busybox uptime; "
          "readlink /proc/self/ns/time; sleep 100")


def bundle_of(folder, script=SCRIPT, offsets=None, engine="auto", **path):
    need_root()
    if not os.path.exists("/proc/self/ns/time"):
        raise Skip("needs a kernel with time namespaces")
    bundle = Bundle(folder, script)
    bundle.config["linux"]["namespaces"].append({"type": "time", **path})
    bundle.config["annotations"] = {"dev.sandbox.platform": engine}
    if offsets is not None:
        bundle.config["linux"]["timeOffsets"] = offsets
    return bundle


def started(bundle):
    equal((bundle.create(), bundle.errors()), (0, ""))
    equal(bundle.call("start", bundle.id).stderr, "")
    return bundle


def host_uptime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def check_clocks(printed, before):
    """That everything agrees with a CLOCK_BOOTTIME that is AHEAD_S ahead."""
    lines = printed.splitlines()
    equal([line.split() for line in lines[:2]], [["monotonic", "-7", "500000000"], ["boottime", str(AHEAD_S), "0"]])
    uptime, boot, start_ticks = float(lines[2].split()[0]), int(lines[3].split()[1]), int(lines[4])
    check(before + AHEAD_S - 1 <= uptime <= host_uptime() + AHEAD_S + 1, lines[2])
    check(abs(time.time() - host_uptime() - AHEAD_S - boot) <= 2, lines[3])
    check(before + AHEAD_S - 1 <= start_ticks / 100 <= uptime + 1, lines[4])
    check(f"up {AHEAD_S // 86400} days" in lines[5] or f"up {int(uptime) // 86400} days" in lines[5], lines[5])
    return lines[6]


def test_offsets_of_a_new_namespace(folder):
    """config-linux.md#time-offsets: timeOffsets (object, OPTIONAL) sets the offset for Time Namespace.
    config-linux.md#namespaces: type (string, REQUIRED) - namespace type: time."""
    for engine in ("notify", "ptrace"):
        before = host_uptime()
        bundle = bundle_of(folder, offsets={"monotonic": {"secs": -7, "nanosecs": 500000000}, "boottime": {"secs": AHEAD_S}}, engine=engine)
        with started(bundle):
            wait_until(lambda: bundle.printed().count("\n") == 7)
            link = check_clocks(bundle.printed(), before)
            equal(link, os.readlink(f"/proc/{bundle.state()['pid']}/ns/time"))
            check(link != os.readlink("/proc/self/ns/time"), link)
            # exec enters it, too.
            equal(bundle.call("exec", bundle.id, "readlink", "/proc/self/ns/time").stdout, f"{link}\n")


def test_a_namespace_that_is_joined(folder):
    """config-linux.md#namespaces: The runtime MUST place the container process in the namespace associated with that path (time)."""
    before = host_uptime()
    first = bundle_of(folder, "sleep 100", {"monotonic": {"secs": -7, "nanosecs": 500000000}, "boottime": {"secs": AHEAD_S}})
    with started(first):
        place = f"/proc/{first.state()['pid']}/ns/time"
        second = bundle_of(folder, path=place)
        with started(second):
            wait_until(lambda: second.printed().count("\n") == 7)
            equal(check_clocks(second.printed(), before), os.readlink(place))
            equal(second.call("exec", second.id, "readlink", "/proc/self/ns/time").stdout, f"{os.readlink(place)}\n")
            equal(second.call("kill", second.id, "KILL").stderr, "")
            wait_until(lambda: second.state()["status"] == "stopped")


def test_a_namespace_without_offsets(folder):
    bundle = bundle_of(folder, "cat /proc/self/timens_offsets /proc/uptime")
    lines = bundle.output().splitlines()
    equal([line.split() for line in lines[:2]], [["monotonic", "0", "0"], ["boottime", "0", "0"]])
    check(abs(float(lines[2].split()[0]) - host_uptime()) < 30, lines[2])


def test_offsets_that_cannot_be(folder):
    """config-linux.md#time-offsets: offsets of no clock, beyond its range, or of a namespace that is not new are errors."""
    for offsets, word in (({"realtime": {"secs": 1}}, "timeOffsets.realtime"), ({"boottime": {"secs": -10**10}}, "timeOffsets.boottime.secs"),
                          ({"boottime": {"secs": 10**10}}, "timeOffsets.boottime.secs"), ({"monotonic": {"nanosecs": 10**9}}, "timeOffsets.monotonic.nanosecs"),
                          ([], "timeOffsets")):
        bundle_of(folder, "true", offsets).refused(word)
    bundle_of(folder, "true", {"boottime": {"secs": 1}}, path="/proc/self/ns/time").refused("no new time namespace")
    bundle = Bundle(folder)
    bundle.config["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}
    bundle.refused("linux.timeOffsets", "no new time namespace")


if __name__ == "__main__":
    main(globals())
