// sysfs: its CPUs agree with the ResourceView, and every attribute can be read.
#include <sys/sysmacros.h>

#include <functional>

#include "fake_kernel.h"
#include "inode_helpers.h"
#include "vfs/synthetic/host_resources.h"
#include "vfs/sysfs/cpu_list.h"
#include "vfs/sysfs/sysfs.h"

using namespace sandbox;
using namespace sandbox::test;

namespace {

UniqueFd host_sys() { return UniqueFd(::open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

// The host's resources with CPUs of the test's choice.
class ChosenCpus : public ResourceView {
 public:
  explicit ChosenCpus(ResourceView& host) : host_(host) {}
  std::vector<int> chosen{0};
  std::vector<int> cpus() override { return chosen; }
  Result<std::vector<std::string>> cpu_descriptions() override { return host_.cpu_descriptions(); }
  Result<std::string> cpu_attribute(int, std::string_view path) override {
    if (path == "topology/core_siblings_list") return "0-63\n";
    if (path == "topology/core_id") return "0\n";
    return err(ENOENT);
  }
  Result<MemoryLines> memory() override { return host_.memory(); }
  Result<MemorySummary> memory_summary() override { return host_.memory_summary(); }
  Result<Activity> activity() override { return host_.activity(); }
  Result<Load> load(LoadUse use) override { return host_.load(use); }
  uint64_t uptime_ns() override { return host_.uptime_ns(); }
  Result<uint64_t> running_tasks() override { return host_.running_tasks(); }
  Result<Uptime> uptime() override { return host_.uptime(); }
  Result<std::string> vmstat() override { return host_.vmstat(); }
  Result<std::string> diskstats() override { return host_.diskstats(); }
  Result<std::string> partitions() override { return host_.partitions(); }
  Result<std::string> pressure(std::string_view name) override { return host_.pressure(name); }

 private:
  ResourceView& host_;
};

}  // namespace

TEST_CASE("lists and masks of CPUs are written as the kernel writes them") {
  CHECK(format_cpu_list({}) == "");
  CHECK(format_cpu_list({0}) == "0");
  CHECK(format_cpu_list({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8");
  CHECK(format_cpu_mask({}) == "0");
  CHECK(format_cpu_mask({0, 1}) == "3");
  CHECK(format_cpu_mask({0, 32}) == "1,00000001");
  CHECK(format_cpu_mask({64}) == "1,00000000,00000000");
  CHECK(parse_cpu_list("0-2,5\n") == std::vector<int>{0, 1, 2, 5});
  CHECK(parse_cpu_list("\n").empty());
  CHECK(parse_cpu_list("0-999999999").empty());
  CHECK(parse_cpu_list("3,x") == std::vector<int>{3});
}

TEST_CASE("the CPUs below /sys are the ResourceView's, live") {
  FakeKernel kernel;
  auto host = create_host_resources(kernel.host_proc(), host_sys());
  ChosenCpus resources(*host);
  auto sysfs = create_sysfs({.kernel = kernel, .resources = resources, .host_sys = host_sys()});
  InodePtr cpu = must(find(sysfs->root(), "devices/system/cpu"));
  auto text = [&](const char* path) { return must(must(find(cpu, path))->generate(nullptr)); };
  CHECK(text("online") == "0\n");
  CHECK(error_of(find(cpu, "cpu1")) == ENOENT);
  CHECK(error_of(find(cpu, "cpu0/online")) == ENOENT);
  resources.chosen = {0, 2, 3};
  CHECK(text("online") == "0,2-3\n");
  CHECK(text("cpu2/online") == "1\n");
  CHECK(text("cpu2/topology/core_siblings_list") == "0,2-3\n");
  CHECK(text("cpu2/topology/core_siblings") == "d\n");
  CHECK(error_of(find(cpu, "cpu1")) == ENOENT);
  CHECK(error_of(find(cpu, "cpu02")) == ENOENT);
  CHECK(cpu->is_current("cpu2", must(find(cpu, "cpu2"))));
  resources.chosen = {0};
  CHECK(!cpu->is_current("cpu2", cpu));
  CHECK(must(must(find(sysfs->root(), "devices/system/node/node0/cpulist"))->generate(nullptr)) == "0\n");
}

TEST_CASE("every attribute below /sys can be read, and none written") {
  FakeKernel kernel;
  auto resources = create_host_resources(kernel.host_proc(), host_sys());
  auto sysfs = create_sysfs({.kernel = kernel, .resources = *resources, .host_sys = host_sys()});
  Caller caller{.root = {}, .cwd = {}, .credentials = kRoot, .host_tid = ::gettid()};
  size_t files = 0;
  std::function<void(const InodePtr&, const std::string&)> visit = [&](const InodePtr& node,
                                                                       const std::string& path) {
    INFO(path);
    if (node->is_directory()) {
      for (const DirectoryEntry& entry : must(node->list(caller))) {
        InodePtr child = must(node->lookup(entry.name));
        CHECK(must(child->getattr()).stx_ino == entry.inode);
        visit(child, path + "/" + entry.name);
      }
    } else if (node->is_generated()) {
      ++files;
      CHECK(must(node->generate(&caller)).ends_with('\n'));
      CHECK(error_of(node->accept_writing(caller)) == EACCES);
    }
  };
  visit(sysfs->root(), "");
  CHECK(files > 50);
  CHECK(must(must(find(sysfs->root(), "class/net/lo"))->readlink(caller)) == "../../devices/virtual/net/lo");
}
