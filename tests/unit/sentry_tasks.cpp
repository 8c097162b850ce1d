// Tasks: what is read of /proc/TID/status, and the state that CLONE_FS shares.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "sentry/task.h"
#include "sentry/task_status.h"

using namespace sandbox;

TEST_CASE("the lines of a status file") {
  TaskStatus status = parse_task_status(
      "Name:\tUid:\nState:\tZ (zombie)\nTgid:\t70\nPid:\t71\nPPid:\t60\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n"
      "Groups:\t10 20 30 "
      "\nNStgid:\t70\t3\nNSpid:\t71\t4\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000200\n"
      "SigBlk:\t0000000000000004\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000008\nCapEff:"
      "\t000001ffffffffff\n");
  CHECK(status.state == 'Z');
  CHECK(status.tgid == 70);
  CHECK(status.parent == 60);
  CHECK(status.uids == std::array<uint32_t, 4>{1, 2, 3, 4});
  CHECK(status.gids == std::array<uint32_t, 4>{5, 6, 7, 8});
  CHECK(status.groups == std::vector<uint32_t>{10, 20, 30});
  CHECK(status.inside_tgid == 3);
  CHECK(status.inside_tid == 4);
  CHECK(status.pending_signals == 1);
  CHECK(status.pending_group_signals == 0x200);
  CHECK(status.blocked_signals == 4);
  CHECK(status.ignored_signals == 0x1000);
  CHECK(status.caught_signals == 8);
  CHECK(status.effective_caps == 0x1ffffffffffull);
}

TEST_CASE("our own status is what the system calls say") {
  int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto status = read_task_status(proc, ::getpid());
  REQUIRE(status);
  CHECK(status->uids[1] == ::geteuid());
  CHECK(status->gids[1] == ::getegid());
  CHECK(status->parent == ::getppid());
  CHECK(status->tgid == ::getpid());
  pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  CHECK(read_task_status(proc, child).error() == Errno(ESRCH));
  ::close(proc);
}

TEST_CASE("a snapshot of root, cwd and umask does not change") {
  FsContext fs({.umask = 022});
  auto before = fs.snapshot();
  CHECK(fs.exchange_umask(01077) == 022);
  CHECK(before->umask == 022);
  CHECK(fs.snapshot()->umask == 077);
}

TEST_CASE("unsharing parts what was shared") {
  auto process = std::make_shared<Process>(::getpid(), std::make_shared<Program>(), rlimit{});
  auto shared = std::make_shared<FsContext>(FsContext::Snapshot{.umask = 022});
  Task one(::getpid(), process, shared, Task::FileTable::kOfProcess);
  Task other(::getpid() + 1, process, shared, Task::FileTable::kOfProcess);
  one.fs()->exchange_umask(011);
  CHECK(other.fs()->snapshot()->umask == 011);
  other.unshare_fs();
  one.fs()->exchange_umask(033);
  CHECK(other.fs()->snapshot()->umask == 011);
}

TEST_CASE("descriptors of a task are duplicates of its own") {
  auto process = std::make_shared<Process>(::getpid(), std::make_shared<Program>(), rlimit{});
  Task self(::getpid(), process, std::make_shared<FsContext>(FsContext::Snapshot{}),
            Task::FileTable::kOfProcess);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  auto copy = self.descriptor(ends[1]);
  REQUIRE(copy);
  CHECK(::write(copy->get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 1);
  CHECK(self.descriptor(5000).error() == Errno(EBADF));
}
