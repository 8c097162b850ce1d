// The control groups a task is in, as cgroups(7) describes: /proc/cgroups, /proc/PID/cgroup and cpuset.
#include <fmt/format.h>

#include <algorithm>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// The kernel's controllers; how many groups the host has is not told.
Result<std::string> generate_cgroups(const RootContext& context) {
  std::string host = TRY(read_host_file(context.kernel.host_proc(), "cgroups"));
  const auto& shown = context.procfs.options_of_mount().cgroups.hierarchies();
  std::string text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
  for_each_line(host, [&](std::string_view line) {
    std::string_view name = take_word(&line);
    auto number = parse_number<int>(take_word(&line));
    take_word(&line);
    auto enabled = parse_number<int>(take_word(&line));
    if (name.starts_with('#') || !number || !enabled) return;
    bool is_shown = std::ranges::find(shown, *number, &CgroupHierarchy::number) != shown.end();
    // Hierarchy 0: the unified one of version 2.
    fmt::format_to(std::back_inserter(text), "{}\t{}\t1\t{}\n", name, is_shown ? *number : 0, *enabled);
  });
  return text;
}

// Every task of the sandbox is in its one group, the root of what it sees.
Result<std::string> generate_cgroup(const TaskContext& context) {
  std::string text;
  for (const CgroupHierarchy& hierarchy : context.procfs.options_of_mount().cgroups.hierarchies())
    fmt::format_to(std::back_inserter(text), "{}:{}:/\n", hierarchy.number, hierarchy.controllers);
  return text;
}
Result<std::string> generate_cpuset(const TaskContext&) { return "/\n"; }

constexpr RootFile kRootFiles[] = {{"cgroups", 0444, generate_cgroups}};
constexpr TaskRow kRows[] = {
    task_file("cgroup", 0444, Access::kAnyone, generate_cgroup),
    if_on_host(task_file("cpuset", 0444, Access::kAnyone, generate_cpuset)),
};

}  // namespace

std::span<const RootFile> cgroup_files() { return kRootFiles; }
std::span<const TaskRow> task_cgroup_rows() { return kRows; }

}  // namespace sandbox::vfs
