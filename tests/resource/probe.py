"""Runs inside: asks everybody how many CPUs and how much memory there is, and prints the answers as one JSON object."""
import ctypes
import glob
import json
import multiprocessing
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

# --all: also those that need a runtime of their own or a terminal. --fast: of these not the slowest.
ASKS_ALL, IS_FAST = "--all" in sys.argv, "--fast" in sys.argv


def text(path):
    with open(path) as file:
        return file.read()


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL).stdout


def count_of_list(cpu_list):
    """"0-2,5" names four."""
    numbers = 0
    for part in cpu_list.strip().split(","):
        first, _, last = part.partition("-")
        numbers += int(last or first) - int(first) + 1
    return numbers


def fields(path):
    return {line.split(":")[0]: int(line.split(":")[1].split()[0]) for line in text(path).splitlines()}


class SysInfo(ctypes.Structure):
    _fields_ = [("uptime", ctypes.c_long), ("loads", ctypes.c_ulong * 3), ("totalram", ctypes.c_ulong), ("freeram", ctypes.c_ulong),
                ("sharedram", ctypes.c_ulong), ("bufferram", ctypes.c_ulong), ("totalswap", ctypes.c_ulong), ("freeswap", ctypes.c_ulong),
                ("procs", ctypes.c_ushort), ("pad", ctypes.c_ushort), ("totalhigh", ctypes.c_ulong), ("freehigh", ctypes.c_ulong),
                ("mem_unit", ctypes.c_uint), ("rest", ctypes.c_char * 256)]


def sysinfo():
    info = SysInfo()
    assert ctypes.CDLL(None).sysinfo(ctypes.byref(info)) == 0
    return info


def screen_of(*command):
    """What a full-screen program has drawn after a second, without its escape sequences."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS="160", LINES="50", HOME="/tmp")
        os.execvp(command[0], command)
    drawn = b""
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                drawn += os.read(terminal, 65536)
            except OSError:
                break
    os.write(terminal, b"q")
    os.close(terminal)
    os.waitpid(pid, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]", " ", drawn.decode(errors="replace"))


def java_settings():
    flags = output("java", "-XX:+PrintFlagsFinal", "-version")
    return int(re.search(r"MaxHeapSize\s*=\s*(\d+)", flags).group(1))


JAVA_PROGRAM = "class Cpus { public static void main(String[] a) { System.out.println(Runtime.getRuntime().availableProcessors()); } }"


def java_cpus():
    with open("/tmp/Cpus.java", "w") as file:
        file.write(JAVA_PROGRAM)
    return int(output("java", "/tmp/Cpus.java"))


def node(expression):
    return int(output("node", "-e", f"console.log({expression})"))


def psutil_says(expression):
    return int(output("/usr/bin/python3", "-c", f"import psutil; print({expression})"))


CPU_SOURCES = {
    "nproc": lambda: int(output("nproc")),
    "getconf _NPROCESSORS_ONLN": lambda: int(output("getconf", "_NPROCESSORS_ONLN")),
    "/proc/cpuinfo": lambda: len(re.findall(r"^processor\s", text("/proc/cpuinfo"), re.M)),
    "/proc/stat": lambda: len(re.findall(r"^cpu\d", text("/proc/stat"), re.M)),
    "/proc/interrupts": lambda: len(text("/proc/interrupts").splitlines()[0].split()),
    "/proc/softirqs": lambda: len(text("/proc/softirqs").splitlines()[0].split()),
    "/proc/schedstat": lambda: len(re.findall(r"^cpu\d", text("/proc/schedstat"), re.M)),
    "/proc/self/status": lambda: count_of_list(re.search(r"Cpus_allowed_list:\s*(.*)", text("/proc/self/status")).group(1)),
    "/proc/self/status (mask)": lambda: bin(int(re.search(r"Cpus_allowed:\s*(.*)", text("/proc/self/status")).group(1).replace(",", ""), 16)).count("1"),
    "/sys/.../cpu/online": lambda: count_of_list(text("/sys/devices/system/cpu/online")),
    "/sys/.../cpu/present": lambda: count_of_list(text("/sys/devices/system/cpu/present")),
    "/sys/.../cpu/cpuN": lambda: len(glob.glob("/sys/devices/system/cpu/cpu[0-9]*")),
    "/sys/.../node0/cpulist": lambda: count_of_list(text("/sys/devices/system/node/node0/cpulist")),
    "sched_getaffinity": lambda: len(os.sched_getaffinity(0)),
    "os.cpu_count": os.cpu_count,
    "multiprocessing.cpu_count": multiprocessing.cpu_count,
    "lscpu": lambda: int(re.search(r"^CPU\(s\):\s*(\d+)", output("lscpu"), re.M).group(1)),
    "lscpu -p": lambda: len([line for line in output("lscpu", "-p").splitlines() if not line.startswith("#")]),
    "top": lambda: int(len(re.findall(r"%Cpu\d", output("top", "-b", "-n1", "-1", "-w160")))),
}
MEMORY_SOURCES = {  # in KiB
    "/proc/meminfo": lambda: fields("/proc/meminfo")["MemTotal"],
    "sysinfo": lambda: sysinfo().totalram * sysinfo().mem_unit // 1024,
    "getconf _PHYS_PAGES": lambda: int(output("getconf", "_PHYS_PAGES")) * int(output("getconf", "PAGESIZE")) // 1024,
    "os.sysconf": lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") // 1024,
    "free": lambda: int(output("free", "-k").splitlines()[1].split()[1]),
    "vmstat -s": lambda: int(output("vmstat", "-s").split()[0]),
    "top": lambda: int(re.search(r"KiB Mem\s*:\s*(\d+)", output("top", "-b", "-n1", "-E", "k")).group(1)),
    "/proc/zoneinfo": lambda: int(re.search(r"managed\s+(\d+)", text("/proc/zoneinfo")).group(1)) * 4,
    "/sys/.../node0/meminfo": lambda: int(re.search(r"MemTotal:\s+(\d+)", text("/sys/devices/system/node/node0/meminfo")).group(1)),
}
MORE_CPU_SOURCES = {
    "node os.cpus": ("node", lambda: node("require('os').cpus().length")),
    "node os.availableParallelism": ("node", lambda: node("(require('os').availableParallelism || (() => require('os').cpus().length))()")),
    "java availableProcessors": ("javac", java_cpus),
    "psutil.cpu_count": ("psutil", lambda: psutil_says("psutil.cpu_count()")),
    "psutil.cpu_times": ("psutil", lambda: psutil_says("len(psutil.cpu_times(percpu=True))")),
}
MORE_MEMORY_SOURCES = {
    "node os.totalmem": ("node", lambda: node("require('os').totalmem()") // 1024),
    "psutil.virtual_memory": ("psutil", lambda: psutil_says("psutil.virtual_memory().total") // 1024),
}


def free_memory():
    """The same moment cannot be had: of several attempts the one with the least between its answers. Whoever compares allows for what
    asking takes."""
    return min((free_memory_now() for _ in range(5)), key=lambda answers: max(answers.values()) - min(answers.values()))


def free_memory_now():
    return {
        "/proc/meminfo": fields("/proc/meminfo")["MemFree"],
        "sysinfo": sysinfo().freeram * sysinfo().mem_unit // 1024,
        "free": int(output("free", "-k").splitlines()[1].split()[3]),
        "/proc/vmstat": int(re.search(r"nr_free_pages (\d+)", text("/proc/vmstat")).group(1)) * 4,
        "getconf _AVPHYS_PAGES": int(output("getconf", "_AVPHYS_PAGES")) * 4,
    }


def swap():
    rows = text("/proc/swaps").splitlines()[1:]
    return {
        "/proc/meminfo": fields("/proc/meminfo")["SwapTotal"],
        "sysinfo": sysinfo().totalswap * sysinfo().mem_unit // 1024,
        "free": int(output("free", "-k").splitlines()[2].split()[1]),
        "/proc/swaps": sum(int(row.split()[2]) for row in rows),
    }


def uptimes():
    return {
        "/proc/uptime": float(text("/proc/uptime").split()[0]),
        "sysinfo": sysinfo().uptime,
        "btime": time.time() - int(re.search(r"btime (\d+)", text("/proc/stat")).group(1)),
    }


def is_there(tool):
    if tool == "psutil":
        return subprocess.run(["/usr/bin/python3", "-c", "import psutil"], capture_output=True).returncode == 0
    return shutil.which(tool) is not None


def main():
    answers = {"cpus": {name: ask() for name, ask in CPU_SOURCES.items()},
               "memory": {name: ask() for name, ask in MEMORY_SOURCES.items()},
               "free": free_memory(), "swap": swap(), "uptime": uptimes(), "missing": [],
               "meminfo": fields("/proc/meminfo"), "affinity": sorted(os.sched_getaffinity(0)),
               "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize // 1024}
    if ASKS_ALL or IS_FAST:
        for kind, sources in (("cpus", MORE_CPU_SOURCES), ("memory", MORE_MEMORY_SOURCES)):
            for name, (tool, ask) in sources.items():
                if is_there(tool):
                    if not (IS_FAST and tool == "javac"):
                        answers[kind][name] = ask()
                else:
                    answers["missing"].append(name)
        if is_there("java") and not IS_FAST:
            answers["java_heap"] = java_settings() // 1024
        if is_there("htop") and not IS_FAST:
            # "Mem[||||   12.3M/512M]", and a meter a CPU.
            screen = screen_of("htop", "--no-color")
            size = re.search(r"Mem\s*\[[^\]/]*/\s*([0-9.]+)\s*([KMGT])", screen)
            answers["htop_memory"] = [float(size.group(1)), size.group(2)] if size else None
            if not size:
                answers["htop_screen"] = screen[:2000]
    print(json.dumps(answers))


main()
