// Both engines run the same programs under the toy supervisor, as root and as an ordinary user.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

struct Finished {
  std::string output;  // both streams
  int exit_code;
};

// The shell only starts the command, on the host.
Finished run_shell(const std::string& command) {
  FILE* pipe = popen(("exec 2>&1; " + command).c_str(), "re");
  REQUIRE(pipe != nullptr);
  Finished finished{};
  char chunk[4096];
  while (size_t count = fread(chunk, 1, sizeof chunk, pipe)) finished.output.append(chunk, count);
  int status = pclose(pipe);
  finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

struct RemovedAtExit {
  std::string path;
  ~RemovedAtExit() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

// A copy of the programs that every user may execute, wherever the build lies.
const std::string& program_directory() {
  static const RemovedAtExit place = [] {
    char name[] = "/tmp/platform_engines.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    std::filesystem::permissions(name, std::filesystem::perms(0755));
    for (const char* program :
         {TOY_RUN, GUEST_DIRECTORY "/stat_threads", GUEST_DIRECTORY "/timer_eintr",
          GUEST_DIRECTORY "/exec_from_thread", GUEST_DIRECTORY "/spawn_many", GUEST_DIRECTORY "/stack_code",
          GUEST_DIRECTORY "/stack_code_plain", GUEST_DIRECTORY "/hostile", GUEST_DIRECTORY "/own_filter",
          GUEST_DIRECTORY "/close_all", GUEST_DIRECTORY "/registers_at_entry", GUEST_DIRECTORY "/layout_pie",
          GUEST_DIRECTORY "/layout_fixed", GUEST_DIRECTORY "/layout_static",
          GUEST_DIRECTORY "/layout_static_pie"}) {
      std::filesystem::copy(program, name);
    }
    std::ofstream(std::string(name) + "/script") << "#!/bin/sh -e\necho \"script $1 $2\"\n";
    std::filesystem::permissions(std::string(name) + "/script", std::filesystem::perms(0755));
    return RemovedAtExit{name};
  }();
  return place.path;
}

struct Mode {
  std::string options;
  std::string user;  // prefix that changes the user, or ""
};

Mode any_mode() {
  const std::string nobody = geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "";
  auto options =
      GENERATE(values<std::string>({"", "--ptrace ", "--park ", "--ptrace --park ", "--program-is-init "}));
  auto user = GENERATE(0, 1);
  return {options, user == 0 ? "" : nobody};
}

std::string toy(const Mode& mode, const std::string& program) {
  return fmt::format("{}timeout -k 1 60 {}/toy_run {}{}", mode.user, program_directory(), mode.options,
                     program);
}

std::string guest(const std::string& name) { return program_directory() + "/" + name; }

}  // namespace

#define REQUIRE_RUN(mode, program, expected)       \
  do {                                             \
    std::string command_line = toy(mode, program); \
    INFO("repeat with: " << command_line);         \
    Finished finished = run_shell(command_line);   \
    CHECK(finished.output == (expected));          \
    CHECK(finished.exit_code == 0);                \
  } while (false)

TEST_CASE("programs of every kind run") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, "/bin/echo dynamic", "dynamic\n");
  REQUIRE_RUN(mode, guest("registers_at_entry"), "");
  REQUIRE_RUN(mode, guest("script") + " a 'b c'", "script a b c\n");
  for (std::string kind : {"pie", "fixed", "static", "static_pie"}) {
    std::string name = "layout_" + kind;
    REQUIRE_RUN(mode, guest(name),
                fmt::format("phdr 1 entry 1 zeros 1 tls 42 heap-above 1 args 1 execfn /{} comm {}\n", name,
                            name.substr(0, 15)));
  }
}

TEST_CASE("pipelines, working directories and exit codes") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, "/bin/sh -c 'cd /etc; for i in 1 2 3; do /bin/echo $i; done | cat | wc -l; /bin/pwd'",
              "3\n/etc\n");
  CHECK(run_shell(toy(mode, "/bin/sh -c 'exit 42'")).exit_code == 42);
  CHECK(run_shell(toy(mode, "/does/not/exist")).output == "toy_run: exec: ENOENT\n");
  // PID 1 takes no signal that it has no handler for.
  if (mode.options != "--program-is-init ") {
    CHECK(run_shell(toy(mode, "/bin/sh -c 'kill -9 $$'")).exit_code == 128 + 9);
    CHECK(run_shell(toy(mode, "/bin/sh -c 'kill -SEGV $$'")).exit_code == 128 + 11);
  }
}

TEST_CASE("a program ends all it left behind") {
  Mode mode = any_mode();
  auto begin = std::chrono::steady_clock::now();
  CHECK(run_shell(toy(mode, "/bin/sh -c 'sleep 50 & sleep 50 >/dev/null 2>&1 & exit 3'")).exit_code == 3);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(40));
}

TEST_CASE("a failed execve leaves the registers as they were") {
  Mode mode = any_mode();
  // Longer than any argument may be: the kernel itself refuses, after the sentry agreed.
  REQUIRE_RUN(
      mode,
      "/bin/bash -c 'long=$(printf %0200000d 0); /bin/echo $long 2>/dev/null; echo $?; /bin/echo $((40+2))'",
      "126\n42\n");
}

TEST_CASE("an exec without room for descriptors") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, "/bin/bash -c 'ulimit -S -n 3; " + guest("registers_at_entry") + " && ulimit -n'", "3\n");
}

TEST_CASE("threads, forks, spawns and execs at once") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("stat_threads"), "wrong 0\n");
  REQUIRE_RUN(mode, guest("spawn_many"), "wrong 0\n");
  REQUIRE_RUN(mode, guest("exec_from_thread"), "again tid-is-pid 1\n");
}

TEST_CASE("a program closes every descriptor it has") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("close_all"), run_shell(guest("close_all")).output);
}

TEST_CASE("what a program tries against the engine ends in plain errors") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("hostile"),
              "forged -1 ENOSYS\nstackless -14\nint80 -38\ntraced -1 ENOSYS\nfiltered exec\nagain\n");
}

TEST_CASE("the stack is executable for those that ask") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("stack_code"), "stack code 42\n");
  CHECK(run_shell(toy(mode, guest("stack_code_plain"))).exit_code == 128 + 11);
}

TEST_CASE("a signal never interrupts a call that Linux does not interrupt") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("timer_eintr"), "interrupted 0 other 0\n");
}

TEST_CASE("a workload's own filter can only refuse more") {
  Mode mode = any_mode();
  REQUIRE_RUN(mode, guest("own_filter"), "wrong 0\n");
}

TEST_CASE("stopped processes stay stopped until SIGCONT") {
  Mode mode = any_mode();
  REQUIRE_RUN(
      mode,
      "/bin/bash -c 'sleep 0.3 & p=$!; kill -STOP $p; sleep 0.6; kill -0 $p && echo alive; kill -CONT $p;"
      " wait $p; echo $?'",
      "alive\n0\n");
}

TEST_CASE("nothing survives the sentry") {
  Mode mode = any_mode();
  // Every process holds the pipe: it ends only when all of them are gone.
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const std::string command =
      fmt::format("exec {}{}/toy_run {}/bin/sh -c 'sleep 50 & sleep 50 & echo up; sleep 50'", mode.user,
                  program_directory(), mode.options);
  INFO("repeat with: " << command);
  pid_t sentry = fork();
  if (sentry == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  char text[16];
  CHECK(read(ends[0], text, sizeof text) == 3);
  kill(sentry, SIGKILL);
  waitpid(sentry, nullptr, 0);
  auto begin = std::chrono::steady_clock::now();
  CHECK(read(ends[0], text, sizeof text) == 0);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(40));
  close(ends[0]);
}
