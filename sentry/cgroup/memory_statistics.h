// MemoryStatistics: what memory.stat tells, in the words of version 2.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "sentry/cgroup/directories.h"

namespace sandbox::cgroup {

// Bytes up to kLargestOfBytes, events (counted since the group was made) after it.
enum class MemoryField : uint8_t {
  kAnon,
  kFile,  // with shmem
  kKernelStack,
  kPageTables,
  kSecondaryPageTables,
  kPerCpu,
  kVmalloc,
  kShmem,
  kZswap,
  kZswapped,
  kMapped,
  kDirty,
  kWriteback,
  kSwapCached,
  kAnonHuge,
  kFileHuge,
  kShmemHuge,
  kInactiveAnon,
  kActiveAnon,
  kInactiveFile,
  kActiveFile,
  kUnevictable,
  kSlabReclaimable,
  kSlabUnreclaimable,
  kSwap,               // v1 only
  kHierarchicalLimit,  // v1 only; over ancestors that may not be visible
  kHierarchicalSwapLimit,
  kLargestOfBytes = kHierarchicalSwapLimit,
  kRefaultAnon,
  kRefaultFile,
  kActivateAnon,
  kActivateFile,
  kRestoreAnon,
  kRestoreFile,
  kNodeReclaim,
  kFaults,
  kMajorFaults,
  kRefill,
  kScanDirect,
  kScanKswapd,
  kStealDirect,
  kStealKswapd,
  kActivate,
  kDeactivate,
  kLazyFree,
  kLazyFreed,
  kSwapIn,
  kSwapOut,
  kZswapIn,
  kZswapOut,
  kThpFault,
  kThpCollapse,
  kCount,
};
inline constexpr size_t kMemoryFields = static_cast<size_t>(MemoryField::kCount);

struct MemoryStatistics {
  std::array<uint64_t, kMemoryFields> values{};
  uint64_t operator[](MemoryField field) const { return values[static_cast<size_t>(field)]; }
};

// The field's name in memory.stat; "" where that version has none.
std::string_view name_of(MemoryField field, HierarchyVersion version);

// Finds fields by where they were the last time: a kernel keeps its lines in one order.
// Safe to use from several threads.
class MemoryStatisticsParser {
 public:
  explicit MemoryStatisticsParser(HierarchyVersion version) : version_(version) {}
  // A field that is missing or cut off stays 0.
  MemoryStatistics parse(std::string_view text);

 private:
  static constexpr size_t kRememberedLines = 128;
  // What a line was: its field, kNone for one that is not ours, and how long its name is.
  static constexpr uint8_t kNone = 0xff;
  using Line = uint16_t;
  uint8_t find(std::string_view name) const;

  const HierarchyVersion version_;
  std::array<std::atomic<Line>, kRememberedLines> lines_{};  // 0: not seen yet
};

}  // namespace sandbox::cgroup
