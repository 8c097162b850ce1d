// What the sentry can no longer do once it has confined itself.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "sentry/self_confinement.h"

using namespace sandbox;

namespace {

// The errno of `attempt` in a confined process, 0 when it succeeds, 255 when confining failed.
template <typename Attempt>
int errno_when_confined(Attempt attempt) {
  pid_t child = ::fork();
  if (child == 0) {
    if (!confine_sentry()) ::_exit(255);
    ::_exit(attempt() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("a confined sentry starts nothing and reaches no network") {
  CHECK(errno_when_confined([] { return ::execl("/bin/true", "true", nullptr); }) == EPERM);
  CHECK(errno_when_confined([] { return ::socket(AF_INET, SOCK_STREAM, 0); }) == EPERM);
  CHECK(errno_when_confined([] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }) == EPERM);
  CHECK(errno_when_confined([] { return ::unshare(CLONE_NEWNS); }) == EPERM);
  CHECK(errno_when_confined([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }) == EPERM);
  CHECK(errno_when_confined([] { return ::syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0); }) == EPERM);
}

TEST_CASE("a confined sentry can still work") {
  CHECK(errno_when_confined([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }) == 0);
  CHECK(errno_when_confined([] { return ::open("/proc/self/status", O_RDONLY); }) == 0);
  CHECK(errno_when_confined([] { return ::memfd_create("m", 0); }) == 0);
  CHECK(errno_when_confined([] {
          pid_t child = ::fork();
          if (child == 0) ::_exit(0);
          return ::waitpid(child, nullptr, 0);
        }) == 0);
}

TEST_CASE("the descriptor limit is raised and given back") {
  pid_t child = ::fork();
  if (child == 0) {
    rlimit small{64, 4096};
    ::setrlimit(RLIMIT_NOFILE, &small);
    rlimit before = raise_descriptor_limit();
    rlimit now;
    ::getrlimit(RLIMIT_NOFILE, &now);
    bool is_right = before.rlim_cur == 64 && now.rlim_cur == now.rlim_max;
    is_right = is_right && set_descriptor_limit(::getpid(), before);
    ::getrlimit(RLIMIT_NOFILE, &now);
    ::_exit(is_right && now.rlim_cur == 64 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}
