// devfs and devpts: real devices by their right numbers, and terminals that belong to who made them.
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fake_kernel.h"
#include "inode_helpers.h"
#include "scratch_directory.h"
#include "vfs/devfs/devfs.h"

using namespace sandbox;
using namespace sandbox::test;

namespace {

UniqueFd host_dev() { return UniqueFd(::open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

// A devpts instance of its own. Not open when this process may not mount.
UniqueFd new_devpts() {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "devpts", 1)));
  if (!context) return {};
  ::syscall(SYS_fsconfig, context.get(), 1 /* FSCONFIG_SET_STRING */, "ptmxmode", "0666", 0);
  if (::syscall(SYS_fsconfig, context.get(), 6 /* FSCONFIG_CMD_CREATE */, nullptr, nullptr, 0) < 0) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), 1, 0)));
}

Caller me(const Credentials& credentials) {
  return Caller{.root = {}, .cwd = {}, .credentials = credentials, .host_tid = ::gettid()};
}

}  // namespace

TEST_CASE("devices are the host's own, with their numbers") {
  FakeKernel kernel;
  auto devfs = create_devfs({.kernel = kernel, .host_devices = host_dev(), .terminals = {}, .console = {}});
  struct Want {
    const char* name;
    unsigned major, minor;
  };
  for (Want want : {Want{"null", 1, 3}, Want{"zero", 1, 5}, Want{"full", 1, 7}, Want{"random", 1, 8},
                    Want{"urandom", 1, 9}, Want{"tty", 5, 0}}) {
    INFO(want.name);
    InodePtr device = must(find(devfs->root(), want.name));
    Attributes attributes = must(device->getattr());
    CHECK(S_ISCHR(attributes.stx_mode));
    CHECK((attributes.stx_mode & 0777) == 0666);
    CHECK(attributes.stx_rdev_major == want.major);
    CHECK(attributes.stx_rdev_minor == want.minor);
  }
  UniqueFd full = must(must(find(devfs->root(), "full"))->open(me(kRoot), O_WRONLY | O_CREAT | O_TRUNC));
  CHECK(::write(full.get(), "x", 1) < 0);
  CHECK(errno == ENOSPC);
  UniqueFd zero = must(must(find(devfs->root(), "zero"))->open(me(kRoot), O_RDONLY));
  CHECK((::fcntl(zero.get(), F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDONLY);
  CHECK((::fcntl(full.get(), F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_WRONLY);
  char byte = 'x';
  CHECK(::read(zero.get(), &byte, 1) == 1);
  CHECK(byte == 0);
  CHECK(devfs->path_of_descriptor(zero.get()) == "/zero");
  UniqueFd other(::open("/proc/version", O_RDONLY));
  CHECK(!devfs->path_of_descriptor(other.get()));
}

TEST_CASE("/dev has its links and mount points, and takes nothing new") {
  FakeKernel kernel;
  auto devfs = create_devfs({.kernel = kernel, .host_devices = host_dev(), .terminals = {}, .console = {}});
  InodePtr root = devfs->root();
  CHECK(must(must(find(root, "fd"))->readlink(caller())) == "/proc/self/fd");
  CHECK(must(must(find(root, "stderr"))->readlink(caller())) == "/proc/self/fd/2");
  for (const char* name : {"pts", "shm", "mqueue"}) CHECK(must(find(root, name))->is_directory());
  for (const char* name : {"ptmx", "console", "kmsg", "mem", "sda", "kvm"})
    CHECK(error_of(find(root, name)) == ENOENT);
  CHECK(error_of(root->create("x", node(S_IFREG | 0644))) == EACCES);
  CHECK(error_of(root->create("x", node(S_IFDIR | 0755))) == EPERM);
  CHECK(error_of(root->unlink("null", must(find(root, "null")))) == EPERM);
}

TEST_CASE("what only looks like a device is left out") {
  ScratchDirectory scratch;
  scratch.write("null", "");
  REQUIRE(::symlink("/dev/zero", (scratch / "zero").c_str()) == 0);
  bool has_made_device = ::mknod((scratch / "full").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  FakeKernel kernel;
  auto devfs =
      create_devfs({.kernel = kernel, .host_devices = scratch.open(), .terminals = {}, .console = {}});
  for (const char* name : {"null", "zero", "full", "tty"})
    CHECK(error_of(find(devfs->root(), name)) == ENOENT);
  if (!has_made_device) WARN("the case of a wrong device number needs root");
}

TEST_CASE("/dev/tty without a controlling terminal is ENXIO") {
  pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    FakeKernel kernel;
    auto devfs = create_devfs({.kernel = kernel, .host_devices = host_dev(), .terminals = {}, .console = {}});
    auto tty = find(devfs->root(), "tty");
    ::_exit(tty ? error_of((*tty)->open(me(kRoot), O_RDWR)) : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == ENXIO);
}

TEST_CASE("a terminal made through ptmx appears, leads back to itself, and is /dev/tty of its session") {
  UniqueFd terminals = new_devpts();
  if (!terminals) {
    WARN("skipped: mounting devpts needs a privilege this process lacks");
    return;
  }
  FakeKernel kernel;
  auto devpts = create_devpts(kernel, UniqueFd(::dup(terminals.get())));
  CHECK(names(devpts->root()) == std::vector<std::string>{"ptmx"});
  Credentials owner{.fsuid = 4711, .fsgid = 4712};
  UniqueFd master = must(must(find(devpts->root(), "ptmx"))->open(me(owner), O_RDWR));
  int unlock = 0;
  unsigned index = 99;
  REQUIRE(::ioctl(master.get(), TIOCSPTLCK, &unlock) == 0);
  REQUIRE(::ioctl(master.get(), TIOCGPTN, &index) == 0);
  std::string name = std::to_string(index);
  InodePtr terminal = must(find(devpts->root(), name));
  Attributes attributes = must(terminal->getattr());
  CHECK(attributes.stx_uid == 4711);
  CHECK(attributes.stx_gid == 4712);
  CHECK(attributes.stx_rdev_major == 136);
  REQUIRE(terminal->setattr({.mode = 0622}).has_value());
  CHECK((must(terminal->getattr()).stx_mode & 0777) == 0622);
  UniqueFd slave = must(terminal->open(me(owner), O_RDWR));
  CHECK(devpts->path_of_descriptor(slave.get()) == "/" + name);
  CHECK(devpts->path_of_descriptor(master.get()) == "/ptmx");

  auto devfs = create_devfs(
      {.kernel = kernel, .host_devices = host_dev(), .terminals = std::move(terminals), .console = {}});
  CHECK(must(must(find(devfs->root(), "ptmx"))->readlink(caller())) == "pts/ptmx");
  // A session of its own, asked about by somebody of another.
  int ready[2], done[2];
  REQUIRE((::pipe(ready) == 0 && ::pipe(done) == 0));
  pid_t child = ::fork();
  if (child == 0) {
    ::close(done[1]);
    ::setsid();
    char byte = ::ioctl(slave.get(), TIOCSCTTY, 0) == 0 ? 'y' : 'n';
    (void)!::write(ready[1], &byte, 1);
    (void)!::read(done[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  Caller inside{.root = {}, .cwd = {}, .credentials = owner, .host_tid = child};
  UniqueFd tty = must(must(find(devfs->root(), "tty"))->open(inside, O_RDWR));
  CHECK(devpts->path_of_descriptor(tty.get()) == "/" + name);
  ::close(done[1]);
  ::waitpid(child, nullptr, 0);

  tty.reset();
  slave.reset();
  master.reset();
  CHECK(error_of(find(devpts->root(), name)) == ENOENT);
}
