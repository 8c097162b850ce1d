// procfs: /proc of the sandbox, made from the host's /proc and what the sentry knows.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "sandbox/cgroup_view.h"
#include "sandbox/kernel_view.h"
#include "sandbox/resource_view.h"
#include "vfs/core/vfs.h"

namespace sandbox::vfs {

// Where /proc/PID/{root,cwd,exe} lead; `exe` is empty for a task without a program of its own.
struct TaskPlaces {
  Location root, cwd, exe;
};

// The callbacks may be called with the Vfs's tree lock held shared, and from any thread.
struct ProcfsOptions {
  KernelView& kernel;
  ResourceView& resources;
  CgroupView& cgroups;
  // Errors: ESRCH.
  std::function<Result<TaskPlaces>(const TaskView& task)> places;
  // Vfs::locate: what a descriptor of the workload refers to.
  std::function<Result<Location>(const Caller& caller, UniqueFd descriptor)> locate;
  // Vfs::mounts: every mount reachable from `root`, parents first.
  std::function<std::vector<Vfs::MountLine>(const Location& root)> mounts;
  // What uid_map and gid_map of a container show of ids outside; nothing: each id stands for itself.
  std::optional<IdMap> shown_uid_map, shown_gid_map;
  // Values of /proc/sys that were set for the sandbox, by their paths below it.
  std::map<std::string, std::string, std::less<>> sysctls;
};

// One instance is enough: it may be mounted at any number of places.
std::shared_ptr<Filesystem> create_procfs(ProcfsOptions options);

}  // namespace sandbox::vfs
