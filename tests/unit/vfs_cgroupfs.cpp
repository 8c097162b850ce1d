// cgroupfs: the three forms of /sys/fs/cgroup, pids of the sandbox, and nothing to write.
#include <fcntl.h>
#include <linux/magic.h>
#include <unistd.h>

#include <map>

#include "fake_cgroups.h"
#include "fake_kernel.h"
#include "inode_helpers.h"
#include "vfs/cgroupfs/cgroupfs.h"

using namespace sandbox;
using namespace sandbox::test;

namespace {

struct World {
  FakeKernel kernel;
  FakeCgroups cgroups;
  std::map<std::string, std::shared_ptr<Filesystem>> mounted;

  void mount() {
    must(mount_cgroups(
        kernel, cgroups,
        [this](const std::string& path, std::shared_ptr<Filesystem> filesystem) -> Result<void> {
          mounted[path] = std::move(filesystem);
          return {};
        }));
  }
  InodePtr root_of(const std::string& path) { return mounted.at(path)->root(); }
};

std::string text_of(const InodePtr& directory, const std::string& name) {
  return must(must(directory->lookup(name))->generate(nullptr));
}

}  // namespace

TEST_CASE("version 2 alone is mounted at /sys/fs/cgroup itself") {
  World world;
  world.cgroups.shown = {unified_at("")};
  world.cgroups.texts[0] = {{"memory.max", "536870912\n"}, {"cgroup.controllers", "cpu memory pids\n"}};
  world.mount();
  REQUIRE(world.mounted.size() == 1);
  auto& filesystem = *world.mounted.at("/sys/fs/cgroup");
  CHECK(filesystem.type() == "cgroup2");
  CHECK(filesystem.options() == "rw");
  CHECK(must(filesystem.statfs()).f_type == CGROUP2_SUPER_MAGIC);
  InodePtr root = filesystem.root();
  CHECK(names(root) == std::vector<std::string>{"cgroup.controllers", "memory.max"});
  CHECK(text_of(root, "memory.max") == "536870912\n");
  world.cgroups.texts[0]["memory.max"] = "max\n";
  CHECK(text_of(root, "memory.max") == "max\n");
}

TEST_CASE("a mixed host has a directory for each hierarchy, and links for controllers that share one") {
  World world;
  world.cgroups.shown = {v1_hierarchy(4, "memory"), v1_hierarchy(2, "cpu,cpuacct"), unified_at("unified")};
  world.cgroups.shown.push_back(v1_hierarchy(1, "name=systemd"));
  world.cgroups.shown.back().directory = "systemd";
  world.cgroups.shown.push_back(v1_hierarchy(9, "rdma"));
  world.cgroups.shown.back().directory.reset();
  world.mount();
  CHECK(world.mounted.size() == 5);
  CHECK(world.mounted.at("/sys/fs/cgroup")->type() == "tmpfs");
  CHECK(names(world.root_of("/sys/fs/cgroup")) ==
        std::vector<std::string>{"cpu", "cpu,cpuacct", "cpuacct", "memory", "systemd", "unified"});
  InodePtr link = must(world.root_of("/sys/fs/cgroup")->lookup("cpuacct"));
  CHECK(must(link->readlink(caller())) == "cpu,cpuacct");
  CHECK(world.mounted.at("/sys/fs/cgroup/memory")->type() == "cgroup");
  CHECK(world.mounted.at("/sys/fs/cgroup/memory")->options() == "rw,memory");
  CHECK(world.mounted.at("/sys/fs/cgroup/systemd")->options() == "rw,name=systemd");
  CHECK(must(world.mounted.at("/sys/fs/cgroup/memory")->statfs()).f_type == CGROUP_SUPER_MAGIC);
  CHECK(world.mounted.at("/sys/fs/cgroup/unified")->type() == "cgroup2");
}

TEST_CASE("without control groups on the host nothing is mounted") {
  World world;
  world.mount();
  world.cgroups.shown = {unified_at(std::nullopt)};
  world.mount();
  CHECK(world.mounted.empty());
}

TEST_CASE("lists of tasks hold the sandbox's numbers, and nobody who is outside") {
  World world;
  world.cgroups.shown = {unified_at("")};
  std::string own = fmt::format("{}\n", ::getpid());
  world.cgroups.texts[0] = {{"cgroup.procs", "0\n1\n" + own + "no number\n"},
                            {"cgroup.threads", own},
                            {"tasks", ""},
                            {"pids.current", own}};
  world.mount();
  InodePtr root = world.root_of("/sys/fs/cgroup");
  std::string inside = fmt::format("{}\n", FakeKernel::inside(::getpid()));
  CHECK(text_of(root, "cgroup.procs") == inside);
  CHECK(text_of(root, "cgroup.threads") == inside);
  CHECK(text_of(root, "tasks").empty());
  CHECK(text_of(root, "pids.current") == own);  // a number that is no pid
}

TEST_CASE("nothing is written or made, whatever the mount's flags say") {
  World world;
  world.cgroups.shown = {unified_at("")};
  world.cgroups.texts[0] = {{"memory.max", "1\n"}};
  world.mount();
  InodePtr root = world.root_of("/sys/fs/cgroup");
  InodePtr file = must(root->lookup("memory.max"));
  CHECK(error_of(file->accept_writing(caller())) == EACCES);
  CHECK(error_of(file->setattr({.mode = 0777})) == EPERM);
  CHECK(error_of(root->create("child", node(S_IFDIR | 0755))) == EPERM);
  CHECK(error_of(root->create("release_agent", node(S_IFREG | 0644))) == EACCES);
  CHECK(error_of(root->unlink("memory.max", file)) == EPERM);
}

TEST_CASE("files come and go with the controllers, and reading in a group that is gone is ENODEV") {
  World world;
  world.cgroups.shown = {unified_at("")};
  world.cgroups.texts[0] = {{"memory.max", "1\n"}};
  world.mount();
  InodePtr root = world.root_of("/sys/fs/cgroup");
  InodePtr file = must(root->lookup("memory.max"));
  CHECK(error_of(root->lookup("pids.max")) == ENOENT);
  CHECK(root->is_current("pids.max", nullptr));
  world.cgroups.texts[0]["pids.max"] = "max\n";
  CHECK_FALSE(root->is_current("pids.max", nullptr));
  CHECK(root->is_current("memory.max", file));
  world.cgroups.is_gone = true;
  CHECK(error_of(file->generate(nullptr)) == ENODEV);
}

TEST_CASE("files whose text tells of events are handed out themselves, for reading") {
  World world;
  world.cgroups.shown = {unified_at("")};
  world.cgroups.texts[0] = {{"memory.events", "oom_kill 0\n"}, {"memory.max", "max\n"}};
  world.mount();
  InodePtr events = must(world.root_of("/sys/fs/cgroup")->lookup("memory.events"));
  CHECK(!events->is_generated());
  CHECK(must(world.root_of("/sys/fs/cgroup")->lookup("memory.max"))->is_generated());
  Credentials root;
  UniqueFd file = must(events->open({.root = {}, .cwd = {}, .credentials = root}, O_RDONLY));
  CHECK(world.mounted.at("/sys/fs/cgroup")->path_of_descriptor(file.get()) == "/memory.events");
  CHECK(must(events->getattr()).stx_uid == 0);
}
