"""Containers that share a PID namespace, as those of a pod do."""
import os

from bundles import Bundle, need_root, wait_until
from cases import check, equal, is_alive, main


class Pair:
    """`first` runs; `second` is in its PID namespace and not created yet."""

    def __init__(self, folder, script):
        need_root()
        for name in ("one", "two"):
            os.mkdir(f"{folder}/{name}")
        self.first, self.second = Bundle(f"{folder}/one", "sleep 100"), Bundle(f"{folder}/two", script)
        equal((self.first.create(), self.first.errors()), (0, ""))
        equal(self.first.call("start", self.first.id).stderr, "")
        self.first_pid = self.first.state()["pid"]
        for namespace in self.second.config["linux"]["namespaces"]:
            if namespace["type"] == "pid":
                namespace["path"] = f"/proc/{self.first_pid}/ns/pid"

    def start_second(self):
        equal((self.second.create(), self.second.errors()), (0, ""))
        equal(self.second.call("start", self.second.id).stderr, "")
        return self.second.state()["pid"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for bundle in (self.second, self.first):
            bundle.call("delete", "--force", bundle.id)


def test_the_other_containers_processes_are_reached_by_their_numbers(folder):
    with Pair(folder, "kill -0 1 && echo reached; test $$ != 1 && test -d /proc/$$ && echo fine; exit 5") as pair:
        result = pair.second.run()
        equal((result.stdout, result.stderr, result.returncode), ("reached\nfine\n", "", 5))
        equal(pair.first.state()["status"], "running")


def test_what_a_container_leaves_ends_with_its_first_process(folder):
    with Pair(folder, "sleep 50 & wait") as pair:
        pid = pair.start_second()
        wait_until(lambda: len(pair.second.call("ps", pair.second.id).stdout.splitlines()) == 3)
        members = [int(line.split()[1]) for line in pair.second.call("ps", pair.second.id).stdout.splitlines()[1:]]
        equal(pair.second.call("kill", pair.second.id, "KILL").stderr, "")
        wait_until(lambda: not any(is_alive(member) for member in members))
        check(pid in members, str(members))
        equal(pair.second.call("delete", pair.second.id).stderr, "")
        check(is_alive(pair.first_pid), "the other container has ended as well")


def test_all_end_with_the_namespaces_first_process(folder):
    with Pair(folder, "sleep 50") as pair:
        pid = pair.start_second()
        equal(pair.first.call("kill", pair.first.id, "KILL").stderr, "")
        wait_until(lambda: not is_alive(pid))
        wait_until(lambda: pair.second.state()["status"] == "stopped")
        equal(pair.second.call("delete", pair.second.id).stderr, "")


def test_exec_enters_it(folder):
    with Pair(folder, "sleep 50") as pair:
        pair.start_second()
        equal(pair.second.call("exec", pair.second.id, "sh", "-c", "kill -0 1 && echo reached").stdout, "reached\n")


if __name__ == "__main__":
    main(globals())
