"""`sandbox trace --top`: plain tables where there is no terminal."""
from cases import check, equal, main, refused, sandbox

LOOP = "import os, time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end:\n    os.getppid()\n    os.access('/no/such', 0)"


def test_tables():
    for way in (["--host"], []):
        result = sandbox("trace", *way, "--top", "--", "python3", "-c", LOOP)
        equal(result.returncode, 0)
        tables = result.stderr.rstrip("\n").split("\n\n")
        check(len(tables) >= 2, result.stderr)
        for table in tables:
            head, first, *_ = table.splitlines()
            equal(head.split(), ["PID", "calls/s", "errors/s", "p50", "us", "p99", "us", "max", "us", "most", "called", "program"])
            check(float(first.split()[1]) > 0 and first.rstrip().endswith('python3"'), table)
        check("\x1b" not in result.stderr, result.stderr)


def test_refused():
    refused(sandbox("trace", "--top", "--format", "jsonl", "--", "true"), "--top")


if __name__ == "__main__":
    main(globals())
