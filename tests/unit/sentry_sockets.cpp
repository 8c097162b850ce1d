// What binding, connecting and sending by path are made of: addresses, scratch paths, peers, errands.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>

#include "fake_memory.h"
#include "sentry/errand.h"
#include "sentry/scratch_path.h"
#include "sentry/socket_address.h"
#include "sentry/socket_peers.h"

using namespace sandbox;
using Kind = ScratchPath::Kind;
using Paths = std::vector<std::string>;

TEST_CASE("a socket address is a path only where the kernel takes it for one") {
  test::FakeMemory memory(256);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "/run/x");
  auto pointer = memory.put(address).cast<const void>();
  auto path_of = [&](int length) { return SocketAddress::read(memory, pointer, length)->path(); };

  CHECK(path_of(sizeof address) == "/run/x");
  CHECK(path_of(2 + 6) == "/run/x");  // without its NUL
  CHECK(path_of(2 + 4) == "/run");
  CHECK(path_of(2).empty());  // autobind
  CHECK(path_of(0).empty());
  CHECK(path_of(sizeof address + 1).empty());  // EINVAL of the kernel's own
  CHECK(SocketAddress::read(memory, pointer, -1).error() == Errno(EINVAL));
  CHECK(SocketAddress::read(memory, pointer, sizeof(sockaddr_storage) + 1).error() == Errno(EINVAL));
  CHECK(SocketAddress::read(memory, {0}, 16).error() == Errno(EFAULT));

  std::memset(address.sun_path, 'p', sizeof address.sun_path);
  memory.put(address);
  CHECK(path_of(sizeof address) == std::string(108, 'p'));
  address.sun_path[0] = '\0';  // abstract
  memory.put(address);
  CHECK(path_of(sizeof address).empty());
  address.sun_path[0] = 'p';
  address.sun_family = AF_INET;
  memory.put(address);
  CHECK(path_of(sizeof address).empty());
}

TEST_CASE("an address has the length that getsockname tells") {
  CHECK(UnixAddress("s").length == 2 + 2);
  CHECK(UnixAddress(std::string(107, 's')).length == 2 + 108);
  CHECK(UnixAddress(std::string(108, 's')).length == 2 + 108);
}

TEST_CASE("a path of one name needs no scratch tree") {
  for (const char* path : {"s", "./s", ".//./s"})
    CHECK(scratch_path_for(path).kind == Kind::kInWorkingDirectory);
  for (const char* path : {"/s", "//s", "/./s"}) CHECK(scratch_path_for(path).kind == Kind::kInRoot);
}

TEST_CASE("a scratch tree leads through one link") {
  ScratchPath absolute = scratch_path_for("/var//run/./s");
  CHECK(absolute.kind == Kind::kInScratch);
  CHECK(absolute.directories == Paths{"/var"});
  CHECK(absolute.link == "/var/run");
  CHECK(absolute.proc_directory == "/pppp");

  ScratchPath relative = scratch_path_for("../a/b/../c/s");
  CHECK(relative.kind == Kind::kInScratch);
  CHECK(relative.working_directory == "/www/www");
  CHECK(relative.directories == Paths{"/www", "/www/www", "/www/a", "/www/a/b"});
  CHECK(relative.link == "/www/a/c");

  ScratchPath above_root = scratch_path_for("/../../a/s");
  CHECK(above_root.directories.empty());
  CHECK(above_root.link == "/a");
}

TEST_CASE("a path whose directory cannot be a link is given up") {
  CHECK(scratch_path_for("a/../s").kind == Kind::kImpossible);
  CHECK(scratch_path_for("../s").kind == Kind::kImpossible);
  CHECK(scratch_path_for("a/../a/s").kind == Kind::kImpossible);
}

TEST_CASE("peers are found by the errand that connected, until its number is another's") {
  SocketPeers peers;
  peers.add(100, {.tgid = 7, .host_tgid = 4000});
  REQUIRE(peers.find(100));
  CHECK(peers.find(100)->tgid == 7);
  CHECK(!peers.find(101));
  peers.remove(100);
  CHECK(!peers.find(100));
}

TEST_CASE("an errand changes its own state only") {
  char directory[] = "/tmp/errand-XXXXXX";
  REQUIRE(::mkdtemp(directory));
  std::string file = std::string(directory) + "/made";
  mode_t before = ::umask(022);
  Errand errand;
  errand.add(SYS_chdir, directory);
  errand.add(SYS_umask, 0777);
  errand.add(SYS_mknod, "made", S_IFREG | 0666, 0);
  auto outcome = errand.run_briefly();
  REQUIRE(outcome);
  CHECK(outcome->failed_step == errand.step_count());
  CHECK(outcome->pid > 0);
  CHECK(outcome->pid != ::getpid());
  struct stat status;
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0);
  CHECK(::umask(before) == 022);
  ::unlink(file.c_str());
  ::rmdir(directory);
}

TEST_CASE("an errand stops at the step that fails, unless that is optional") {
  Errand errand;
  errand.add_optional(SYS_chdir, "/no/such/directory");
  errand.add(SYS_chdir, "/no/such/directory");
  errand.add(SYS_getpid);
  auto outcome = errand.run_briefly();
  REQUIRE(outcome);
  CHECK(outcome->failed_step == 1);
  CHECK(outcome->result == -ENOENT);
}

TEST_CASE("an errand is told about before its first step") {
  pid_t born = 0;
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  char byte = 'x';
  Errand errand;
  errand.add(SYS_read, pipe[0], &byte, 1);
  auto outcome = errand.run_interruptibly([&](pid_t pid) {
    born = pid;
    CHECK(::write(pipe[1], "y", 1) == 1);
  });
  REQUIRE(outcome);
  CHECK(outcome->pid == born);
  CHECK(outcome->result == 1);
  CHECK(byte == 'y');
  ::close(pipe[0]);
  ::close(pipe[1]);
}
