// Each line of /proc/meminfo and /proc/vmstat with what it is made of.
#include "sentry/resources/group_memory.h"

#include <algorithm>
#include <array>

namespace sandbox {

namespace {

using cgroup::MemoryField;
using cgroup::MemoryStatistics;

constexpr uint64_t kBytesPerKibibyte = 1024;
constexpr uint64_t kBytesPerPage = 4096;

// Sums of fields of memory.stat.
struct Sum {
  std::string_view name;
  std::array<MemoryField, 4> fields{};
  size_t count = 0;

  template <typename... Fields>
  constexpr Sum(std::string_view name, Fields... fields)
      : name(name), fields{fields...}, count(sizeof...(Fields)) {}
  uint64_t of(const MemoryStatistics& statistics) const {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum += statistics[fields[i]];
    return sum;
  }
};

// What no group is charged with (Buffers, Bounce, NFS_Unstable, Mlocked, WritebackTmp, CMA, huge page pools)
// is not here, and is 0.
constexpr Sum kMemoryLines[] = {
    {"Cached", MemoryField::kFile},
    {"SwapCached", MemoryField::kSwapCached},
    {"Active", MemoryField::kActiveAnon, MemoryField::kActiveFile},
    {"Inactive", MemoryField::kInactiveAnon, MemoryField::kInactiveFile},
    {"Active(anon)", MemoryField::kActiveAnon},
    {"Inactive(anon)", MemoryField::kInactiveAnon},
    {"Active(file)", MemoryField::kActiveFile},
    {"Inactive(file)", MemoryField::kInactiveFile},
    {"Unevictable", MemoryField::kUnevictable},
    {"Zswap", MemoryField::kZswap},
    {"Zswapped", MemoryField::kZswapped},
    {"Dirty", MemoryField::kDirty},
    {"Writeback", MemoryField::kWriteback},
    {"AnonPages", MemoryField::kAnon},
    {"Mapped", MemoryField::kMapped},
    {"Shmem", MemoryField::kShmem},
    {"KReclaimable", MemoryField::kSlabReclaimable},
    {"Slab", MemoryField::kSlabReclaimable, MemoryField::kSlabUnreclaimable},
    {"SReclaimable", MemoryField::kSlabReclaimable},
    {"SUnreclaim", MemoryField::kSlabUnreclaimable},
    {"KernelStack", MemoryField::kKernelStack},
    {"PageTables", MemoryField::kPageTables},
    {"SecPageTables", MemoryField::kSecondaryPageTables},
    {"VmallocUsed", MemoryField::kVmalloc},
    {"Percpu", MemoryField::kPerCpu},
    {"AnonHugePages", MemoryField::kAnonHuge},
    {"ShmemHugePages", MemoryField::kShmemHuge},
    {"FileHugePages", MemoryField::kFileHuge},
};

// Lines that need more than memory.stat, in bytes.
struct Formula {
  std::string_view name;
  uint64_t (*bytes)(const GroupMemory& memory, const HostMemory& host, const MemoryStatistics& statistics);
};

uint64_t nothing(const GroupMemory&, const HostMemory&, const MemoryStatistics&) { return 0; }
uint64_t total(const GroupMemory& memory, const HostMemory&, const MemoryStatistics&) { return memory.total; }
uint64_t free(const GroupMemory& memory, const HostMemory&, const MemoryStatistics&) { return memory.free; }
// What the group can give up is page cache that is no shared memory, and caches of the kernel.
uint64_t available(const GroupMemory& memory, const HostMemory&, const MemoryStatistics& statistics) {
  uint64_t reclaimable = statistics[MemoryField::kActiveFile] + statistics[MemoryField::kInactiveFile] +
                         statistics[MemoryField::kSlabReclaimable];
  return std::min(memory.total, memory.free + reclaimable);
}
uint64_t swap_total(const GroupMemory& memory, const HostMemory&, const MemoryStatistics&) {
  return memory.swap_total;
}
uint64_t swap_free(const GroupMemory& memory, const HostMemory&, const MemoryStatistics&) {
  return memory.swap_free;
}
// vm_commit_limit (mm/util.c), of this machine.
uint64_t commit_limit(const GroupMemory& memory, const HostMemory& host, const MemoryStatistics&) {
  return memory.total / 100 * host.overcommit_percent + memory.swap_total;
}
// Address space that was promised is not counted for groups: what of it was used is the least it can be.
uint64_t committed(const GroupMemory& memory, const HostMemory&, const MemoryStatistics& statistics) {
  return statistics[MemoryField::kAnon] + statistics[MemoryField::kShmem] + memory.use.swap_used;
}

constexpr Formula kFormulas[] = {
    {"", nothing},
    {"MemTotal", total},
    {"MemFree", free},
    {"MemAvailable", available},
    {"SwapTotal", swap_total},
    {"SwapFree", swap_free},
    {"CommitLimit", commit_limit},
    {"Committed_AS", committed},
};
// Properties of the host's kernel, not amounts of memory.
constexpr std::string_view kHostLines[] = {"VmallocTotal", "Hugepagesize"};

// A line's source: the index of its formula, or one of these.
constexpr uint8_t kNothing = 0, kAsOnHost = 0x3f, kFirstSum = 0x40;

uint8_t source_of(std::string_view name) {
  for (size_t i = 0; i < std::size(kMemoryLines); ++i)
    if (kMemoryLines[i].name == name) return static_cast<uint8_t>(kFirstSum + i);
  for (size_t i = 0; i < std::size(kFormulas); ++i)
    if (kFormulas[i].name == name) return static_cast<uint8_t>(i);
  return std::ranges::find(kHostLines, name) != std::end(kHostLines) ? kAsOnHost : kNothing;
}

constexpr Sum kPageCounts[] = {
    {"nr_zone_inactive_anon", MemoryField::kInactiveAnon},
    {"nr_zone_active_anon", MemoryField::kActiveAnon},
    {"nr_zone_inactive_file", MemoryField::kInactiveFile},
    {"nr_zone_active_file", MemoryField::kActiveFile},
    {"nr_zone_unevictable", MemoryField::kUnevictable},
    {"nr_zone_write_pending", MemoryField::kDirty, MemoryField::kWriteback},
    {"nr_inactive_anon", MemoryField::kInactiveAnon},
    {"nr_active_anon", MemoryField::kActiveAnon},
    {"nr_inactive_file", MemoryField::kInactiveFile},
    {"nr_active_file", MemoryField::kActiveFile},
    {"nr_unevictable", MemoryField::kUnevictable},
    {"nr_slab_reclaimable", MemoryField::kSlabReclaimable},
    {"nr_slab_unreclaimable", MemoryField::kSlabUnreclaimable},
    {"nr_anon_pages", MemoryField::kAnon},
    {"nr_mapped", MemoryField::kMapped},
    {"nr_file_pages", MemoryField::kFile},
    {"nr_dirty", MemoryField::kDirty},
    {"nr_writeback", MemoryField::kWriteback},
    {"nr_shmem", MemoryField::kShmem},
    {"nr_page_table_pages", MemoryField::kPageTables},
    {"nr_sec_page_table_pages", MemoryField::kSecondaryPageTables},
    {"nr_swapcached", MemoryField::kSwapCached},
};
// Counted in units of their own: KiB of stacks, huge pages of 2 MiB.
constexpr Sum kKibibyteCounts[] = {{"nr_kernel_stack", MemoryField::kKernelStack}};
constexpr Sum kHugePageCounts[] = {
    {"nr_anon_transparent_hugepages", MemoryField::kAnonHuge},
    {"nr_shmem_hugepages", MemoryField::kShmemHuge},
    {"nr_file_hugepages", MemoryField::kFileHuge},
};
constexpr uint64_t kBytesPerHugePage = 2 << 20;

template <size_t count>
const Sum* find(const Sum (&sums)[count], std::string_view name) {
  auto found = std::ranges::find(sums, name, &Sum::name);
  return found == std::end(sums) ? nullptr : found;
}

}  // namespace

GroupMemory::GroupMemory(const cgroup::MemoryUse& use, const HostMemory& host)
    : use(use),
      total(std::min(use.limit, host.total)),
      free(total - std::min(total, use.used)),
      swap_total(std::min(use.swap_limit, host.swap_total)),
      swap_free(swap_total - std::min(swap_total, use.swap_used)) {}

MemorySummary GroupMemory::summary(const MemoryStatistics& statistics) const {
  return {.total = total,
          .free = free,
          .shared = statistics[MemoryField::kShmem],
          .buffers = 0,
          .swap_total = swap_total,
          .swap_free = swap_free};
}

void HostMemory::set_lines(const MemoryLines& host_lines) {
  lines.clear();
  for (const MemoryLine& line : host_lines) lines.push_back({line, source_of(line.name)});
}

MemoryLines GroupMemory::lines(const HostMemory& host, const MemoryStatistics& statistics) const {
  MemoryLines lines;
  for (auto [line, source] : host.lines) {
    if (source >= kFirstSum) {
      line.value = kMemoryLines[source - kFirstSum].of(statistics) / kBytesPerKibibyte;
    } else if (source != kAsOnHost) {
      line.value = kFormulas[source].bytes(*this, host, statistics) / kBytesPerKibibyte;
    }
    lines.push_back(line);
  }
  return lines;
}

uint64_t vmstat_value(std::string_view name, const GroupMemory& memory, const MemoryStatistics& statistics,
                      const cgroup::IoUse& io) {
  if (const Sum* sum = find(kPageCounts, name)) return sum->of(statistics) / kBytesPerPage;
  if (const Sum* sum = find(kKibibyteCounts, name)) return sum->of(statistics) / kBytesPerKibibyte;
  if (const Sum* sum = find(kHugePageCounts, name)) return sum->of(statistics) / kBytesPerHugePage;
  if (name == "nr_free_pages") return memory.free / kBytesPerPage;
  // KiB that went to and came from disks.
  if (name == "pgpgin") return io.read_bytes / kBytesPerKibibyte;
  if (name == "pgpgout") return io.write_bytes / kBytesPerKibibyte;
  // Events have the same names in both files.
  for (size_t i = static_cast<size_t>(MemoryField::kLargestOfBytes) + 1; i < cgroup::kMemoryFields; ++i)
    if (name == name_of(static_cast<MemoryField>(i), cgroup::HierarchyVersion::kV2))
      return statistics.values[i];
  return 0;
}

}  // namespace sandbox
