// CgroupView: the control groups that hold the sandbox, as /proc and /sys/fs/cgroup show them inside.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox {

// One tree of control groups (cgroups(7)): the one of version 2, or one of version 1 with its controllers.
struct CgroupHierarchy {
  enum class Version { kV1, kV2 } version = Version::kV2;
  int number = 0;           // first field of /proc/PID/cgroup; 0 for version 2
  std::string controllers;  // second field: "cpu,cpuacct", "name=systemd"; "" for version 2
  // Where it is mounted below /sys/fs/cgroup: "cpu,cpuacct", "unified"; "" when it is mounted there itself;
  // nothing when it is not mounted.
  std::optional<std::string> directory;
};

struct CgroupFile {
  std::string name;
  mode_t permissions = 0444;
  // poll(2) and inotify(7) on it tell when the kernel changes its text; it is counters only, of nobody else.
  bool tells_changes = false;
};

// Every method is safe to call from any thread and reads live. A hierarchy is named by its index. Only
// the group that the sandbox is in is visible: neither its parents nor groups beside or below it.
class CgroupView {
 public:
  virtual ~CgroupView() = default;

  // In the order of /proc/PID/cgroup. Constant; empty on a host without control groups.
  virtual const std::vector<CgroupHierarchy>& hierarchies() = 0;
  // The files of the sandbox's group. Errors: ENOENT (the group is gone).
  virtual Result<std::vector<CgroupFile>> files(size_t hierarchy) = 0;
  // One of them. `name` may be the workload's text. Errors: ENOENT.
  virtual Result<CgroupFile> file(size_t hierarchy, std::string_view name) = 0;
  // Its content as the host has it: process ids are the host's.
  // Errors: ENOENT, ENODEV (the group is gone), EINVAL (a file that is only written), EOPNOTSUPP, EACCES.
  virtual Result<std::string> read(size_t hierarchy, std::string_view name) = 0;
  // The host's own file: with O_PATH any, as what inotify(7) watches; for reading, perhaps with O_NONBLOCK,
  // where CgroupFile::tells_changes. Errors: EACCES (not such a file, or not for reading), those of file.
  virtual Result<UniqueFd> open(size_t hierarchy, std::string_view name, int flags) = 0;
};

}  // namespace sandbox
