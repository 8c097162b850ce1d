// Limits by kind.
#include "sentry/cgroup/limits.h"

namespace sandbox::cgroup {

bool Limits::is_empty() const { return kinds_of(*this).empty(); }

std::string_view option_name(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMemory:
      return "--memory";
    case LimitKind::kMemorySwap:
      return "--memory-swap";
    case LimitKind::kCpus:
      return "--cpus";
    case LimitKind::kCpuset:
      return "--cpuset-cpus";
    case LimitKind::kCpuWeight:
      return "--cpu-weight";
    case LimitKind::kPids:
      return "--pids-limit";
    case LimitKind::kIoMax:
      return "--io-max";
    case LimitKind::kIoWeight:
      return "--blkio-weight";
  }
  return "";
}

std::vector<LimitKind> kinds_of(const Limits& limits) {
  std::vector<LimitKind> kinds;
  if (limits.memory_bytes) kinds.push_back(LimitKind::kMemory);
  if (limits.memory_and_swap_bytes) kinds.push_back(LimitKind::kMemorySwap);
  if (limits.cpu) kinds.push_back(LimitKind::kCpus);
  if (!limits.cpus.empty()) kinds.push_back(LimitKind::kCpuset);
  if (limits.cpu_weight) kinds.push_back(LimitKind::kCpuWeight);
  if (limits.pids) kinds.push_back(LimitKind::kPids);
  if (!limits.io.empty()) kinds.push_back(LimitKind::kIoMax);
  if (limits.io_weight) kinds.push_back(LimitKind::kIoWeight);
  return kinds;
}

void copy_limit(const Limits& from, LimitKind kind, Limits& to) {
  switch (kind) {
    case LimitKind::kMemory:
      to.memory_bytes = from.memory_bytes;
      return;
    case LimitKind::kMemorySwap:
      to.memory_and_swap_bytes = from.memory_and_swap_bytes;
      return;
    case LimitKind::kCpus:
      to.cpu = from.cpu;
      return;
    case LimitKind::kCpuset:
      to.cpus = from.cpus;
      return;
    case LimitKind::kCpuWeight:
      to.cpu_weight = from.cpu_weight;
      return;
    case LimitKind::kPids:
      to.pids = from.pids;
      return;
    case LimitKind::kIoMax:
      to.io = from.io;
      return;
    case LimitKind::kIoWeight:
      to.io_weight = from.io_weight;
      return;
  }
}

}  // namespace sandbox::cgroup
