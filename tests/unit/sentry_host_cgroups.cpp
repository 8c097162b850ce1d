// HostCgroups over recorded trees: what of a group is shown, by which names, and what is not.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "scratch_directory.h"
#include "sentry/cgroup/host_cgroups.h"

using namespace sandbox;
using namespace sandbox::cgroup;
using namespace sandbox::test;

namespace {

struct Tree {
  ScratchDirectory scratch;
  std::string top = scratch.path();

  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(top + path).parent_path());
    std::ofstream(top + path) << text;
  }
  CgroupSources sources(std::string membership, std::string mounts) const {
    return {.prefix = top, .membership = std::move(membership), .mounts = std::move(mounts)};
  }
};

std::vector<std::string> names_of(HostCgroups& cgroups, size_t hierarchy) {
  std::vector<std::string> names;
  std::vector<CgroupFile> files = cgroups.files(hierarchy).value();
  for (const CgroupFile& file : files) names.push_back(file.name);
  std::ranges::sort(names);
  return names;
}

constexpr char kHybridMounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /elsewhere rw - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
constexpr char kHybridMembership[] =
    "9:name=systemd:/\n8:pids:/box\n5:devices:/\n4:memory:/box\n1:cpu,cpuacct:/box\n0::/\n";
constexpr char kPureMounts[] = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

}  // namespace

TEST_CASE("hierarchies keep the host's order, numbers and places") {
  Tree tree;
  HostCgroups cgroups(tree.sources(kHybridMembership, kHybridMounts));
  std::vector<std::string> shown;
  for (const CgroupHierarchy& hierarchy : cgroups.hierarchies())
    shown.push_back(std::to_string(hierarchy.number) + ":" + hierarchy.controllers + ":" +
                    hierarchy.directory.value_or("not mounted"));
  CHECK(shown == std::vector<std::string>{"9:name=systemd:systemd", "8:pids:pids", "5:devices:not mounted",
                                          "4:memory:memory", "1:cpu,cpuacct:cpu,cpuacct", "0::unified"});
  CHECK(cgroups.hierarchies().back().version == CgroupHierarchy::Version::kV2);
}

TEST_CASE("the kernel's files of the group are shown, and nothing else that lies there") {
  Tree tree;
  tree.file("/sys/fs/cgroup/box/memory.max", "1024\n");
  tree.file("/sys/fs/cgroup/box/cgroup.procs", "1\n");
  tree.file("/sys/fs/cgroup/box/release_agent", "/bin/agent\n");
  tree.file("/sys/fs/cgroup/box/secret", "key\n");
  tree.file("/sys/fs/cgroup/box/memory.child/memory.max", "1\n");
  tree.file("/sys/fs/cgroup/memory.max", "the parent's\n");
  std::filesystem::create_symlink("/etc/passwd", tree.top + "/sys/fs/cgroup/box/memory.link");
  HostCgroups cgroups(tree.sources("0::/box\n", kPureMounts));
  CHECK(cgroups.hierarchies().front().directory == "");
  CHECK(names_of(cgroups, 0) == std::vector<std::string>{"cgroup.procs", "memory.max"});
  CHECK(cgroups.read(0, "memory.max") == "1024\n");
  for (const char* name :
       {"secret", "release_agent", "memory.link", "memory.child", "memory.child/memory.max", "../memory.max",
        "memory.max/", "memory.", "", ".", "..", "/etc/passwd"}) {
    INFO(name);
    CHECK_FALSE(cgroups.file(0, name).has_value());
    CHECK_FALSE(cgroups.read(0, name).has_value());
  }
}

TEST_CASE("after entering another group its files are shown") {
  Tree tree;
  tree.file("/sys/fs/cgroup/caller/memory.max", "max\n");
  tree.file("/sys/fs/cgroup/caller/box/memory.max", "64\n");
  HostCgroups cgroups(tree.sources("0::/caller\n", kPureMounts));
  CHECK(cgroups.read(0, "memory.max") == "max\n");
  cgroups.enter("7:unknown:/x\nno line\n0::/caller/box\n");
  CHECK(cgroups.read(0, "memory.max") == "64\n");
  cgroups.enter("0::/gone\n");
  CHECK(cgroups.files(0)->empty());
  CHECK_FALSE(cgroups.read(0, "memory.max").has_value());
}

TEST_CASE("files that vanish or are cut short are what they are, and never another group's") {
  Tree tree;
  tree.file("/sys/fs/cgroup/box/memory.max", "64\n");
  HostCgroups cgroups(tree.sources("0::/box\n", kPureMounts));
  tree.file("/sys/fs/cgroup/box/memory.max", "");
  CHECK(cgroups.read(0, "memory.max") == "");
  std::filesystem::remove(tree.top + "/sys/fs/cgroup/box/memory.max");
  CHECK(cgroups.read(0, "memory.max").error() == Errno(ENOENT));
  // A new group of the same name is another one.
  std::filesystem::remove(tree.top + "/sys/fs/cgroup/box");
  tree.file("/sys/fs/cgroup/box/memory.max", "128\n");
  CHECK_FALSE(cgroups.read(0, "memory.max").has_value());
}

TEST_CASE("a container whose mount shows its own group only") {
  Tree tree;
  tree.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "512\n");
  std::string mounts = "32 31 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  HostCgroups own(tree.sources("4:memory:/docker/abc\n", mounts));
  CHECK(own.read(0, "memory.limit_in_bytes") == "512\n");
  HostCgroups other(tree.sources("4:memory:/docker/abcdef\n", mounts));
  CHECK(other.files(0)->empty());
}

TEST_CASE("a host without control groups has none") {
  Tree tree;
  HostCgroups none(tree.sources("", ""));
  CHECK(none.hierarchies().empty());
  HostCgroups nonsense(tree.sources("abc\n::\n1:cpu\nx:cpu:/\n-1::relative\n", "a b c - cgroup\n"));
  CHECK(nonsense.hierarchies().empty());
}
