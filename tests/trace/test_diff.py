"""`sandbox trace diff`: where two runs part."""
import os

from cases import check, equal, main, refused, sandbox

WAYS = (["--host"], [])


def record(folder, name, way, *program):
    path = os.path.join(folder, name)
    sandbox("trace", *way, "--format", "jsonl", "-o", path, "--", *program)
    return path


def test_same_calls(folder):
    """Addresses, process ids and times differ; forks, threads' order and clocks as well."""
    program = ["sh", "-c", "true; date +%Y; sleep 0.01; cat /proc/$$/comm | cat"]
    for way in WAYS:
        one, two = (record(folder, name, way, *program) for name in ("a", "b"))
        result = sandbox("trace", "diff", one, two)
        equal((way, result.returncode, result.stdout, result.stderr), (way, 0, "the runs make the same calls\n", ""))


def test_first_difference(folder):
    data = os.path.join(folder, "data")
    script = f"cat /etc/hostname; cat {data}; cat /etc/passwd"
    for way in WAYS:
        two = record(folder, "b", way, "sh", "-c", script)
        with open(data, "w") as file:
            file.write("x")
        one = record(folder, "a", way, "sh", "-c", script)
        os.unlink(data)
        result = sandbox("trace", "diff", one, two)
        equal((way, result.returncode), (way, 1))
        lines = result.stdout.splitlines()
        check("the runs part at call" in lines[0] and "of thread 0.2" in lines[0], result.stdout)
        minus = [line for line in lines if line.startswith("- ")]
        plus = [line for line in lines if line.startswith("+ ")]
        check("openat" in minus[0] and data in minus[0] and "ENOENT" not in minus[0], result.stdout)
        check("openat" in plus[0] and data in plus[0] and "ENOENT" in plus[0], result.stdout)


def test_one_stops_early(folder):
    one = record(folder, "a", ["--host"], "sh", "-c", "exit 3")
    two = record(folder, "b", ["--host"], "sh", "-c", "exit 3")
    with open(two) as file:
        lines = [line for line in file if '"type":"exit"' not in line]
    with open(two, "w") as file:
        file.writelines(lines)
    result = sandbox("trace", "diff", one, two)
    equal(result.returncode, 1)
    check("+ (the thread has no further call)" in result.stdout, result.stdout)


def test_bad_files(folder):
    path = os.path.join(folder, "bad")
    for text, word in (("x\n", "line 1"), ('{"v": 2, "type": "begin"}\n', "version"), ("[]\n", "line 1")):
        with open(path, "w") as file:
            file.write(text)
        refused(sandbox("trace", "diff", path, path), word)
    refused(sandbox("trace", "diff", "/no/such", path), "ENOENT")
    refused(sandbox("trace", "diff", path))


if __name__ == "__main__":
    main(globals())
