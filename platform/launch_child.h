// The part of a launch that runs in the new processes, before any of the workload's code.
//
// They are forks of a sentry that may have threads: nothing here allocates or takes a lock.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "platform/platform.h"

namespace sandbox::platform {

// What is told to the sentry through the channel.
enum class LaunchStep : uint32_t {
  kReady,  // the first process waits for its command line
  kJoin,
  kNamespaces,
  kClocks,
  kRoot,
  kHostname,
  kInit,
  kCredentials,
  kDescriptors,
  kSession,
  kLimits,
  kFilter,
  kExec,
};

inline constexpr size_t kOptionalNamespaceCount = 5;  // IPC, UTS, cgroup, time, network
inline constexpr NamespaceKind kOptionalNamespaces[kOptionalNamespaceCount] = {
    NamespaceKind::kIpc, NamespaceKind::kUts, NamespaceKind::kCgroup, NamespaceKind::kTime,
    NamespaceKind::kNet};

// With a root apart: where the namespace's root has a procfs of the workload's own PID namespace, if it has
// one.
inline constexpr char kProcfsPlace[] = "/proc";

struct LaunchReport {
  LaunchStep step;
  int32_t error;                                      // 0 for kReady
  int32_t namespace_errors[kOptionalNamespaceCount];  // 0: entered, or not asked for
};

// The head of what release_process sends. After it: argc + envc offsets (uint64_t) of strings from the
// head's start, in that order, each list followed by a 0; then the strings.
struct CommandHead {
  uint64_t size;  // bytes in all
  uint64_t path;  // offset
  uint64_t argc, envc;
};

// Everything the children need, made before the fork.
struct LaunchPlan {
  const LaunchOptions* options;
  std::span<const std::byte> loader, init;
  std::span<const sock_filter> filter;
  std::span<const sock_filter> profile;  // empty: none
  unsigned profile_flags;
  std::span<const gid_t> groups;
  std::span<const PassedFd> descriptors;
  std::span<int> copies;                       // scratch, as many as descriptors
  int highest_target;                          // largest PassedFd::target
  int unshare_flags[kOptionalNamespaceCount];  // 0: not asked for
  std::string_view clock_offsets;              // as /proc/PID/timens_offsets takes them; empty: none
  int reserved_socket;  // ptrace engine: the workload's end of the descriptor channel; else -1
  int reserved_number;  // where it goes
  int channel;
  enum class Place { kNewNamespaces, kJoined } place = Place::kNewNamespaces;
};

// Runs in the first process of the new namespaces, or in one that has joined a workload's; ends in the
// workload's execve, as init, or in exit.
[[noreturn]] void run_launch_child(const LaunchPlan& plan);

}  // namespace sandbox::platform
