// What is shown of each process of a running sandbox, read from the host's /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sandbox::lifecycle {

struct ListedProcess {
  pid_t host_pid = 0;
  pid_t pid = 0;  // inside
  uid_t uid = 0;  // on the host
  char state = '?';
  uint64_t resident_bytes = 0;
  uint64_t cpu_ticks = 0;  // user and system, sysconf(_SC_CLK_TCK) a second
  unsigned threads = 0;
  std::string command;  // as the process itself gives it: not to be trusted, nor printed as it is
};

// Those that are still there.
std::vector<ListedProcess> list_processes(const std::vector<pid_t>& host_pids);

}  // namespace sandbox::lifecycle
