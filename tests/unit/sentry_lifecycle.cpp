// Records, the state directory and its locks, and cleaning up.
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "scratch_directory.h"
#include "sentry/lifecycle/leftovers.h"
#include "sentry/lifecycle/state_directory.h"

using namespace sandbox;
using namespace sandbox::lifecycle;
using namespace sandbox::test;

namespace {

StateDirectory state_in(const ScratchDirectory& scratch) {
  auto state = StateDirectory::open_at(scratch / "state");
  REQUIRE(state);
  return *std::move(state);
}

}  // namespace

TEST_CASE("a record survives every byte that an argument or a path may have") {
  std::vector<std::string> argv{"sh", "", "a b", "new\nline", "back\\slash", "\x7f\x01", "é", "\\040"};
  std::string text = record_line("name", "box") + record_words("owner", {"12", "345"}) +
                     record_words("argv", argv) + record_line("started", "1700000000") +
                     record_line("group", "/sys/fs/my groups/x") + record_line("group", "/b") +
                     record_words("running", {"13", "14"});
  SandboxRecord record = SandboxRecord::parse(text);
  CHECK(record.name == "box");
  CHECK(record.owner == 12);
  CHECK(record.owner_start == 345);
  CHECK(record.started_s == 1700000000);
  CHECK(record.argv == argv);
  CHECK(record.groups == std::vector<std::string>{"/sys/fs/my groups/x", "/b"});
  CHECK(record.init == 13);
  CHECK(record.program == 14);
  CHECK(record.group_name() == "sandbox-box-12.345");
}

TEST_CASE("unknown, broken and unfinished lines of a record are skipped") {
  SandboxRecord record =
      SandboxRecord::parse("\n\nfuture word 1\nowner\nowner 5\nrunning x y\nname a\nname unfinished");
  CHECK(record.name == "a");
  CHECK(record.owner == 0);
  CHECK(record.init == 0);
  CHECK(SandboxRecord::parse("").groups.empty());
}

TEST_CASE("names") {
  for (const char* name : {"a", "box-1", "A.b_c", "0"}) CHECK(is_valid_name(name));
  for (const char* name : {"", ".", "..", "-a", "a/b", "a b", "@1", "\xc3\xa9", "a\n"})
    CHECK(!is_valid_name(name));
  CHECK(is_valid_name(std::string(64, 'x')));
  CHECK(!is_valid_name(std::string(65, 'x')));
  CHECK(!is_valid_name(name_without_name(7)));
}

TEST_CASE("the start time of a process is the kernel's, whatever the process calls itself") {
  pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NAME, ") 1 (2 3");
    ::pause();
  }
  auto start = start_time_of(child), own = start_time_of(::getpid());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  REQUIRE(start);
  REQUIRE(own);
  CHECK(*start >= *own);
  CHECK(start_time_of(child) == err(ESRCH));
}

TEST_CASE("a name belongs to one sandbox at a time, and is free again after it") {
  ScratchDirectory scratch;
  StateDirectory state = state_in(scratch);
  CHECK(state.read("box").error() == Errno(ENOENT));
  CHECK(state.claim("box", StateDirectory::Missing::kFail).error() == Errno(ENOENT));
  {
    auto claim = state.claim("box", StateDirectory::Missing::kCreate);
    REQUIRE(claim);
    REQUIRE(claim->append(record_line("name", "box")));
    CHECK(state.claim("box", StateDirectory::Missing::kCreate).error() == Errno(EBUSY));
    CHECK(state.claim("box", StateDirectory::Missing::kFail).error() == Errno(EBUSY));
    auto record = state.read("box");
    REQUIRE(record);
    CHECK(record->name == "box");
    CHECK(state.names() == std::vector<std::string>{"box"});
  }
  CHECK(state.names().empty());
  CHECK(state.claim("box", StateDirectory::Missing::kCreate));
}

TEST_CASE("what a dead owner leaves is told apart from a live one's and cleaned") {
  ScratchDirectory scratch;
  StateDirectory state = state_in(scratch);
  auto live = state.claim("live", StateDirectory::Missing::kCreate);
  auto dead = state.claim("dead", StateDirectory::Missing::kCreate);
  REQUIRE((live && dead));
  REQUIRE(dead->append(record_line("name", "dead")));
  dead->abandon();
  CHECK(state.read("dead").error() == Errno(ESRCH));
  CHECK(state.read("live"));
  auto cleaned = clean_leftovers(state);
  REQUIRE(cleaned.size() == 1);
  CHECK(cleaned[0].name == "dead");
  CHECK(state.names() == std::vector<std::string>{"live"});
}

TEST_CASE("cleaning touches nothing that is not a control group of the recorded name") {
  ScratchDirectory scratch;
  StateDirectory state = state_in(scratch);
  scratch.make_directory("sandbox-box-1.2");
  auto claim = state.claim("box", StateDirectory::Missing::kCreate);
  REQUIRE(claim);
  REQUIRE(claim->append(record_line("name", "box") + record_words("owner", {"1", "2"}) +
                        record_line("group", scratch / "sandbox-box-1.2") +
                        record_line("group", "/sys/fs/cgroup") + record_line("group", "/") +
                        record_line("group", "sandbox-box-1.2") +
                        record_line("group", "/sys/fs/cgroup/memory")));
  Cleaned cleaned = clean_after(*claim);
  CHECK(cleaned.groups.empty());
  CHECK(cleaned.problems.empty());
  CHECK(scratch.exists("sandbox-box-1.2"));
}

TEST_CASE("a state directory that others may write to is not used") {
  ScratchDirectory scratch;
  scratch.make_directory("open");
  REQUIRE(::chmod((scratch / "open").c_str(), 0777) == 0);
  CHECK(StateDirectory::open_at(scratch / "open").error() == Errno(EPERM));
  REQUIRE(::symlink("open", (scratch / "link").c_str()) == 0);
  CHECK(!StateDirectory::open_at(scratch / "link"));
  scratch.write("file", "");
  CHECK(!StateDirectory::open_at(scratch / "file"));
}
