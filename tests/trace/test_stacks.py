"""Stacks, disassembly and the report of a fatal signal; on programs that mean well and on damaged ones."""
import json
import os
import random
import re
import shutil
import struct
import subprocess

from cases import SANDBOX, Skip, check, equal, main, refused, sandbox
from test_trace import REPOSITORY, trace

GUESTS = os.environ.get("TRACE_GUESTS", ".")
STACKS = os.path.join(GUESTS, "stacks")
CALLS = os.path.join(GUESTS, "calls")
# A stack needs registers, which the notify engine does not have.
WAYS = (["--host"], [])


def stacks_of(lines, call):
    """The functions of each such call, innermost first; a frame without a name by its file."""
    stacks = []
    is_wanted = False
    for line in lines:
        if not line.startswith(" > "):
            is_wanted = re.match(rf"(\d+ +|\[pid +\d+\] )?{call}\(", line) is not None
            if is_wanted:
                stacks.append([])
        elif is_wanted:
            file, name = re.fullmatch(r" > (.*?)\((.*)\) \[0x[0-9a-f]+\]", line).groups()
            stacks[-1].append(re.sub(r"\+0x[0-9a-f]+$", "", name) or os.path.basename(file))
    return stacks


def without_ends(stack):
    """Without libc's wrapper of the call and what calls main."""
    return stack[1:stack.index("main") + 1] if "main" in stack else stack


CLIMB = "shapes::Tower<int>::climb(int, std::vector<int, std::allocator<int> > const&)"


def test_names_and_depth(folder):
    for way in WAYS:
        lines = trace(folder, *way, "-k", "-e", "getppid", "--", STACKS, "deep", "3", "2")
        stacks = stacks_of(lines, "getppid")
        equal(len(stacks), 2)
        for stack in stacks:
            equal(without_ends(stack), [CLIMB] * 4 + ["main"])
            equal(stack[-1], "_start")


def test_same_stacks_as_strace(folder):
    path = os.path.join(folder, "strace")
    command = [STACKS, "deep", "5"]
    try:
        subprocess.run(["strace", "-k", "-o", path, *command], check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        raise Skip("strace is not installed, cannot show stacks, or may not trace")

    def depths(lines):
        """How deep each call is, and at which addresses of which files."""
        calls = []
        for line in lines:
            if frame := re.fullmatch(r" > (.*?)\(.*\) \[(0x[0-9a-f]+)\]", line):
                calls[-1].append((frame.group(1), frame.group(2)))
            else:
                calls.append([re.sub(r"^\d+ +", "", line).split("(")[0]])
        return calls
    with open(path, errors="replace") as file:
        expected = [call for call in depths(file.read().splitlines()) if len(call) > 1]
    found = [call for call in depths(trace(folder, "--host", "-k", "--", *command)) if len(call) > 1]
    check(len(expected) > 20)
    for mine, theirs in zip(found, expected, strict=True):
        # Of an execve it shows where the new program begins, and an exit's stack behind the exit.
        if theirs[0] != "execve":
            equal(mine[1:], theirs[1:])


def test_through_signals_and_computed_frames(folder):
    for way in WAYS:
        stack = stacks_of(trace(folder, *way, "-k", "-e", "getppid", "--", STACKS, "signal"), "getppid")[0]
        equal(stack[1], "on_signal")
        check("raise_it" in stack and stack[-1] == "_start", stack)
        stack = stacks_of(trace(folder, *way, "-k", "-e", "getppid", "--", STACKS, "aligned"), "getppid")[0]
        equal(stack[1:3], ["aligned", "main"])
        equal(stack[-1], "_start")


def test_code_without_a_table(folder):
    """Made at run time: frame pointers lead through it, and then the tables go on."""
    for way in WAYS:
        lines = trace(folder, *way, "-k", "-e", "getppid", "--", STACKS, "made")
        equal(len([line for line in lines if line.startswith(" > (no file) [")]), 2)
        stack = stacks_of(lines, "getppid")[0]
        equal(stack[:4], ["no file", "no file", "run_made_code", "main"])


def test_stripped_program(folder):
    program = os.path.join(folder, "stripped")
    try:
        subprocess.run(["strip", "-o", program, STACKS], check=True)
    except OSError:
        raise Skip("strip is not installed")
    for way in WAYS:
        stack = stacks_of(trace(folder, *way, "-k", "-e", "getppid", "--", program, "deep", "3"), "getppid")[0]
        equal(len([name for name in stack if name == "stripped"]), 4 + 2)


def test_program_that_only_the_sandbox_has(folder):
    place = "/dev/shm/only-inside"
    check(not os.path.exists(place))
    lines = trace(folder, "-k", "-e", "getppid", "--process", "only-inside", "--",
                  "sh", "-c", f"cp {STACKS} {place} && exec {place} deep 3")
    stack = stacks_of(lines, "getppid")[-1]
    equal(without_ends(stack), [CLIMB] * 4 + ["main"])
    check(any(line.startswith(f" > {place}(") for line in lines))
    # Its name is gone: what remains is what it has mapped.
    lines = trace(folder, "-k", "-e", "getppid", "--process", "only-inside", "--",
                  "sh", "-c", f"cp {STACKS} {place} && {place} nameless 3")
    equal(len(stacks_of(lines, "getppid")), 1)


def test_go(folder):
    source = os.path.join(folder, "main.go")
    with open(source, "w") as file:
        file.write("package main\nimport \"os\"\n//go:noinline\nfunc inner() { os.Remove(\"/no/such\") }\nfunc main() { inner() }\n")
    environment = {**os.environ, "GOCACHE": f"{folder}/cache", "GOFLAGS": "-mod=mod", "HOME": folder}
    try:
        subprocess.run(["go", "build", "-o", f"{folder}/program", source], check=True, env=environment, capture_output=True)
    except OSError:
        raise Skip("go is not installed")
    stack = stacks_of(trace(folder, "--host", "-k", "-e", "unlinkat", "--", f"{folder}/program"), "unlinkat")[0]
    check("main.inner" in stack and "runtime.main" in stack, stack)


def test_only_calls_that_match(folder):
    """A stack is made for what is shown, whatever is only known when the call has returned included."""
    for filters in (["-Z"], ["--where", "ret < 0"], ["--errno", "ENOENT"]):
        lines = trace(folder, "--host", "-k", *filters, "-e", "openat", "--", CALLS, "known")
        stacks = stacks_of(lines, "openat")
        equal(len(stacks), 1)
        check("main" in stacks[0] and stacks[0][-1] == "_start", stacks)


def test_disassembly(folder):
    for way in WAYS:
        lines = trace(folder, *way, "--disasm=6", "-e", "getppid", "--", STACKS, "deep", "0")
        start = next(i for i, line in enumerate(lines) if "getppid()" in line)
        code = lines[start + 1:start + 7]
        check(all(re.fullmatch(r" \| (   |=> )0x[0-9a-f]+: [a-z(].*", line) for line in code), code)
        check(re.fullmatch(r" \| => 0x[0-9a-f]+: syscall", code[3]), code)
    for number in ("0", "257", "x", "1x", "-1"):
        refused(sandbox("trace", f"--disasm={number}", "true"), "--disasm", "256")


def test_fatal_signal(folder):
    for way in WAYS:
        text = "\n".join(trace(folder, *way, "-k", "--", STACKS, "fault", expect=139))
        report = text[text.index("--- SIGSEGV"):]
        for pattern in (r"^ ! 0x10: nothing is mapped there$", r"^ ! rax +0x[0-9a-f]{16}  rbx ", r"rip +0x[0-9a-f]{16}  eflags",
                        r"^ > .*/stacks\(write_there\+0x[0-9a-f]+\) \[", r"^ > .*/stacks\(main\+", r"^ \| => 0x[0-9a-f]+: mov dword ptr \[",
                        r"^(\d+ +)?\+\+\+ killed by SIGSEGV"):
            check(re.search(pattern, report, re.MULTILINE), pattern + "\n" + report)
        # A jump to nowhere: who made it is on top of the stack.
        text = "\n".join(trace(folder, *way, "--disasm", "-e", "exit", "--", STACKS, "nowhere", expect=139))
        check(re.search(r"^ > \(no file\) \[0x0\]\n > .*/stacks\(jump_nowhere\+", text, re.MULTILINE), text)
        text = "\n".join(trace(folder, *way, "-k", "-e", "exit", "--", STACKS, "abort", expect=134))
        check(re.search(r"--- SIGABRT .*---\n ! rax", text) and "(abort+" in text, text)
        # A signal that is caught ends nothing.
        check(" ! rax" not in "\n".join(trace(folder, *way, "-k", "-e", "getppid", "--", STACKS, "signal")))


def test_jsonl_and_perfetto(folder):
    lines = trace(folder, "--format", "jsonl", "-k", "--disasm=4", "--", STACKS, "fault", expect=139)
    records = [json.loads(line) for line in lines]
    try:
        import jsonschema
        with open(os.path.join(REPOSITORY, "tools/trace.schema.json")) as file:
            validator = jsonschema.Draft202012Validator(json.load(file))
        for record in records:
            validator.validate(record)
    except ImportError:
        pass
    call = next(record for record in records if "symbol" in record.get("stack", [{}])[0])
    check({"address", "file", "symbol", "offset"} <= call["stack"][0].keys(), call)
    equal([one["text"] for one in call["disassembly"] if one.get("is_site")], ["syscall"])
    fatal = next(record["fatal"] for record in records if record["type"] == "signal")
    equal((fatal["address"], fatal["hit"], fatal["stack"][0]["symbol"]), ("0x10", "nothing is mapped there", "write_there"))
    check(int(fatal["registers"]["rip"], 16) == int(next(one for one in fatal["disassembly"] if one.get("is_site"))["address"], 16))
    document = json.loads("\n".join(trace(folder, "--format", "perfetto", "-k", "--", STACKS, "fault", expect=139)))
    check(any("(_start+" in event["args"]["stack"][-1] for event in document["traceEvents"] if event.get("name") == "exit_group" or
              event.get("name") == "write" or "stack" in event.get("args", {})))
    check(any(event["ph"] == "i" and "write_there" in event["args"]["stack"][0] for event in document["traceEvents"]
              if event.get("name") == "SIGSEGV"))


def test_notify_engine_is_refused():
    refused(sandbox("trace", "-k", "--platform", "notify", "--", "true"), "registers", "ptrace")
    refused(sandbox("trace", "--disasm", "--platform", "notify", "--", "true"), "registers", "ptrace")


# ---- damaged programs ----

def sections_of(image):
    """Name, offset and size of each section."""
    header_offset, = struct.unpack_from("<Q", image, 40)
    size, count, names_index = struct.unpack_from("<HHH", image, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", image, header_offset + i * size) for i in range(count)]
    names = rows[names_index]
    sections = {}
    for row in rows:
        start = names[4] + row[0]
        sections[bytes(image[start:image.index(b"\0", start)]).decode()] = (row[4], row[5])
    return header_offset, size * count, sections


def damaged(seed):
    """A copy of the guest whose tables and symbols are noise in places. The kernel and the loader do not look at them."""
    source = random.Random(seed)
    with open(STACKS, "rb") as file:
        image = bytearray(file.read())
    table, table_size, sections = sections_of(image)
    for name in (".eh_frame", ".eh_frame_hdr", ".symtab", ".strtab"):
        offset, size = sections[name]
        mode = source.randrange(4)
        if mode == 0:
            image[offset:offset + size] = source.randbytes(size)
        elif mode == 1:
            for _ in range(max(1, size // 50)):
                image[offset + source.randrange(size)] = source.choice((0, 1, 0x0f, 0x10, 0x1b, 0x7f, 0x80, 0xff, source.randrange(256)))
        elif mode == 2:
            start = source.randrange(size)
            image[offset + start:offset + size] = bytes([source.choice((0, 0x0a, 0xff))]) * (size - start)
    if source.randrange(2):
        for _ in range(20):
            image[table + source.randrange(table_size)] = source.randrange(256)
    if source.randrange(8) == 0:
        struct.pack_into("<Q", image, 40, source.choice((2**64 - 1, 2**63, len(image) - 1, 2**40)))
    return image


def test_damaged_tables(folder):
    program = os.path.join(folder, "damaged")
    for seed in range(60):
        with open(program, "wb") as file:
            file.write(damaged(seed))
        os.chmod(program, 0o755)
        way = WAYS[seed % 2]
        try:
            lines = trace(folder, *way, "-k", "--disasm", "-e", "getppid,exit_group", "--", program, "deep", "20", "3")
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}")
        equal((seed, len([line for line in lines if "getppid()" in line])), (seed, 3))
        check(not any("\033" in line or "\007" in line for line in lines), seed)


def test_names_with_terminal_escapes(folder):
    program = os.path.join(folder, "red\033[31m\007")
    shutil.copy(STACKS, program)
    result = subprocess.run([SANDBOX, "trace", "--host", "-k", "-e", "getppid", "--", program, "deep", "1"],
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    equal(result.returncode, 0)
    check(b"\033" not in result.stderr and b"\007" not in result.stderr and b"red\\033[31m\\007(" in result.stderr, result.stderr)


if __name__ == "__main__":
    main(globals())
