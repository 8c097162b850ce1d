// Discovery of control groups, on recorded hosts: v1, v2, mixed, containers with and without a namespace.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "scratch_directory.h"
#include "sentry/cgroup/directories.h"

using namespace sandbox;
using namespace sandbox::cgroup;
using namespace sandbox::test;

namespace {

// A recorded tree below a scratch directory.
struct RecordedHost {
  ScratchDirectory scratch;

  void group(const std::string& path) { scratch.make_directory(path.substr(1)); }
  void file(const std::string& path, const std::string& text) { scratch.write(path.substr(1), text); }
  CgroupDirectories discover(std::string membership, std::string mounts) {
    return discover_cgroups(
        {.prefix = scratch.path(), .membership = std::move(membership), .mounts = std::move(mounts)});
  }
};

bool is_same(const GroupDirectory& group, const RecordedHost& host, const std::string& path) {
  struct stat status{};
  struct stat wanted = host.scratch.status(path.substr(1));
  return ::fstat(group.directory.get(), &status) == 0 && status.st_ino == wanted.st_ino &&
         status.st_dev == wanted.st_dev;
}

constexpr const char* kUnifiedMount =
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";

}  // namespace

TEST_CASE("a v2 host: a controller that ends at an ancestor is found there") {
  RecordedHost host;
  host.group("/sys/fs/cgroup/user.slice/session-1.scope");
  host.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
  host.file("/sys/fs/cgroup/user.slice/cgroup.controllers", "cpuset cpu io memory pids\n");
  host.file("/sys/fs/cgroup/user.slice/session-1.scope/cgroup.controllers", "memory pids\n");
  host.file("/sys/fs/cgroup/user.slice/session-1.scope/cgroup.freeze", "0\n");
  auto found = host.discover("0::/user.slice/session-1.scope\n", kUnifiedMount);

  CHECK(found.version == HierarchyVersion::kV2);
  for (Controller controller : kControllers) CHECK(found.of(controller).version == HierarchyVersion::kV2);
  CHECK(found.unified.path == "/user.slice/session-1.scope");
  CHECK(found.unified.ancestor_count == 2);
  for (Controller controller :
       {Controller::kMemory, Controller::kPids, Controller::kCpuacct, Controller::kFreezer})
    CHECK(is_same(found.of(controller), host, "/sys/fs/cgroup/user.slice/session-1.scope"));
  for (Controller controller : {Controller::kCpu, Controller::kCpuset, Controller::kIo}) {
    CHECK(is_same(found.of(controller), host, "/sys/fs/cgroup/user.slice"));
    CHECK(found.of(controller).path == "/user.slice");
    CHECK(found.of(controller).ancestor_count == 1);
  }
}

TEST_CASE("a v2 host's topmost group has controllers, but nothing to freeze") {
  RecordedHost host;
  host.group("/sys/fs/cgroup");
  host.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
  auto found = host.discover("0::/\n", kUnifiedMount);
  CHECK(found.of(Controller::kMemory).path == "/");
  CHECK(found.of(Controller::kMemory).host_path == "/sys/fs/cgroup");
  CHECK(found.of(Controller::kMemory).ancestor_count == 0);
  CHECK(!found.of(Controller::kFreezer));
}

TEST_CASE("a v1 host: controllers that share a hierarchy, and one that is not mounted") {
  RecordedHost host;
  host.group("/sys/fs/cgroup/cpu,cpuacct/jobs/one");
  host.group("/sys/fs/cgroup/memory/jobs");
  auto found = host.discover(
      "5:pids:/\n4:memory:/jobs\n3:cpu,cpuacct:/jobs/one\n1:name=systemd:/init.scope\n",
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "34 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n");
  CHECK(found.version == HierarchyVersion::kV1);
  CHECK(is_same(found.of(Controller::kCpu), host, "/sys/fs/cgroup/cpu,cpuacct/jobs/one"));
  CHECK(is_same(found.of(Controller::kCpuacct), host, "/sys/fs/cgroup/cpu,cpuacct/jobs/one"));
  CHECK(found.of(Controller::kCpu).ancestor_count == 2);
  CHECK(found.of(Controller::kMemory).host_path == "/sys/fs/cgroup/memory/jobs");
  CHECK(!found.of(Controller::kPids));
  CHECK(!found.unified);
}

TEST_CASE("a mixed host: v1 where v1 has the controller, v2 for the rest") {
  RecordedHost host;
  host.group("/sys/fs/cgroup/memory/box");
  host.group("/sys/fs/cgroup/unified/box");
  host.file("/sys/fs/cgroup/unified/cgroup.controllers", "io\n");
  host.file("/sys/fs/cgroup/unified/box/cgroup.controllers", "io\n");
  auto found = host.discover("4:memory:/box\n0::/box\n",
                             "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                             "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  CHECK(found.version == HierarchyVersion::kV1);
  CHECK(found.of(Controller::kMemory).version == HierarchyVersion::kV1);
  CHECK(found.of(Controller::kIo).version == HierarchyVersion::kV2);
  CHECK(is_same(found.of(Controller::kIo), host, "/sys/fs/cgroup/unified/box"));
  CHECK(!found.of(Controller::kPids));
  CHECK(is_same(found.unified, host, "/sys/fs/cgroup/unified/box"));
}

TEST_CASE("a container without a cgroup namespace: the mount's root is the container's group") {
  RecordedHost host;
  host.group("/sys/fs/cgroup/memory/inner");
  auto found = host.discover("4:memory:/docker/0123/inner\n",
                             "33 31 0:30 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  CHECK(found.of(Controller::kMemory).host_path == "/sys/fs/cgroup/memory/inner");
  CHECK(found.of(Controller::kMemory).path == "/docker/0123/inner");
  CHECK(found.of(Controller::kMemory).ancestor_count == 1);

  // A name that only begins alike is another group.
  auto other = host.discover("4:memory:/docker/01234\n",
                             "33 31 0:30 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  CHECK(!other.of(Controller::kMemory));
}

TEST_CASE("of several mounts of a hierarchy the one that shows most is taken") {
  RecordedHost host;
  host.group("/part/b");
  host.group("/whole/a/b");
  auto found = host.discover("4:memory:/a/b\n",
                             "33 31 0:30 /a /part rw - cgroup cgroup rw,memory\n"
                             "34 31 0:30 / /whole rw - cgroup cgroup rw,memory\n");
  CHECK(found.of(Controller::kMemory).host_path == "/whole/a/b");
  CHECK(found.of(Controller::kMemory).ancestor_count == 2);
}

TEST_CASE("groups outside of what is visible, hostile and broken texts yield nothing") {
  RecordedHost host;
  host.group("/sys/fs/cgroup/memory");
  const std::string mount = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  for (const char* membership :
       {"", "\n", ":", "4", "4:memory", "4:memory:", "4:memory:box", "4:memory:/../other", "4::/",
        "4:memory:/gone", "4:memory:/box (deleted)", "x:y:z\n\n:::\n", "4:memoryy:/"})
    CHECK(!host.discover(membership, mount).of(Controller::kMemory));
  for (const char* mounts :
       {"", "33", "33 31 0:30 / - cgroup", " - ", "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup",
        "33 31 0:30 /../.. /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
        "33 31 0:30 / /sys/fs/cgroup/memory rw - tmpfs cgroup rw,memory",
        "33 31 0:30 / /sys/fs/cgroup/mem\\04ory rw - cgroup cgroup rw,memory"})
    CHECK(!host.discover("4:memory:/\n", mounts).of(Controller::kMemory));
}

TEST_CASE("mount points with escaped characters are found") {
  RecordedHost host;
  host.group("/my groups");
  auto found = host.discover("4:memory:/\n", "33 31 0:30 / /my\\040groups rw - cgroup cgroup rw,memory\n");
  CHECK(found.of(Controller::kMemory).host_path == "/my groups");
}

TEST_CASE("a host without any control group is a host without limits") {
  RecordedHost host;
  auto found = host.discover("", "");
  CHECK(found.version == HierarchyVersion::kV2);
  for (Controller controller : kControllers) CHECK(!found.of(controller));
}

TEST_CASE("this process's own groups contain this process") {
  auto sources = own_cgroup_sources();
  REQUIRE(sources);
  auto found = discover_cgroups(*sources);
  for (Controller controller : kControllers) {
    const GroupDirectory& group = found.of(controller);
    if (!group) continue;
    CHECK(::faccessat(group.directory.get(), "cgroup.procs", F_OK, 0) == 0);
  }
}
