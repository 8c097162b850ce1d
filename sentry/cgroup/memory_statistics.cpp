// The names of memory.stat's fields on both versions, and their parser.
#include "sentry/cgroup/memory_statistics.h"

#include "sandbox/numbers.h"
#include "sentry/cgroup/numbers.h"

namespace sandbox::cgroup {

namespace {

struct FieldName {
  MemoryField field;
  std::string_view v2, v1;  // v1: the sums over the group and all below it
};

constexpr FieldName kNames[] = {
    {MemoryField::kAnon, "anon", "total_rss"},
    {MemoryField::kFile, "file", "total_cache"},
    {MemoryField::kKernelStack, "kernel_stack", ""},
    {MemoryField::kPageTables, "pagetables", ""},
    {MemoryField::kSecondaryPageTables, "sec_pagetables", ""},
    {MemoryField::kPerCpu, "percpu", ""},
    {MemoryField::kVmalloc, "vmalloc", ""},
    {MemoryField::kShmem, "shmem", "total_shmem"},
    {MemoryField::kZswap, "zswap", ""},
    {MemoryField::kZswapped, "zswapped", ""},
    {MemoryField::kMapped, "file_mapped", "total_mapped_file"},
    {MemoryField::kDirty, "file_dirty", "total_dirty"},
    {MemoryField::kWriteback, "file_writeback", "total_writeback"},
    {MemoryField::kSwapCached, "swapcached", "total_swapcached"},
    {MemoryField::kAnonHuge, "anon_thp", "total_rss_huge"},
    {MemoryField::kFileHuge, "file_thp", ""},
    {MemoryField::kShmemHuge, "shmem_thp", ""},
    {MemoryField::kInactiveAnon, "inactive_anon", "total_inactive_anon"},
    {MemoryField::kActiveAnon, "active_anon", "total_active_anon"},
    {MemoryField::kInactiveFile, "inactive_file", "total_inactive_file"},
    {MemoryField::kActiveFile, "active_file", "total_active_file"},
    {MemoryField::kUnevictable, "unevictable", "total_unevictable"},
    {MemoryField::kSlabReclaimable, "slab_reclaimable", ""},
    {MemoryField::kSlabUnreclaimable, "slab_unreclaimable", ""},
    {MemoryField::kSwap, "", "total_swap"},
    {MemoryField::kHierarchicalLimit, "", "hierarchical_memory_limit"},
    {MemoryField::kHierarchicalSwapLimit, "", "hierarchical_memsw_limit"},
    {MemoryField::kRefaultAnon, "workingset_refault_anon", "total_workingset_refault_anon"},
    {MemoryField::kRefaultFile, "workingset_refault_file", "total_workingset_refault_file"},
    {MemoryField::kActivateAnon, "workingset_activate_anon", ""},
    {MemoryField::kActivateFile, "workingset_activate_file", ""},
    {MemoryField::kRestoreAnon, "workingset_restore_anon", ""},
    {MemoryField::kRestoreFile, "workingset_restore_file", ""},
    {MemoryField::kNodeReclaim, "workingset_nodereclaim", ""},
    {MemoryField::kFaults, "pgfault", "total_pgfault"},
    {MemoryField::kMajorFaults, "pgmajfault", "total_pgmajfault"},
    {MemoryField::kRefill, "pgrefill", ""},
    {MemoryField::kScanDirect, "pgscan_direct", ""},
    {MemoryField::kScanKswapd, "pgscan_kswapd", ""},
    {MemoryField::kStealDirect, "pgsteal_direct", ""},
    {MemoryField::kStealKswapd, "pgsteal_kswapd", ""},
    {MemoryField::kActivate, "pgactivate", ""},
    {MemoryField::kDeactivate, "pgdeactivate", ""},
    {MemoryField::kLazyFree, "pglazyfree", ""},
    {MemoryField::kLazyFreed, "pglazyfreed", ""},
    {MemoryField::kSwapIn, "pswpin", ""},
    {MemoryField::kSwapOut, "pswpout", ""},
    {MemoryField::kZswapIn, "zswpin", ""},
    {MemoryField::kZswapOut, "zswpout", ""},
    {MemoryField::kThpFault, "thp_fault_alloc", ""},
    {MemoryField::kThpCollapse, "thp_collapse_alloc", ""},
};
static_assert(std::size(kNames) == kMemoryFields, "every field has its row, in the order of the enumeration");

}  // namespace

std::string_view name_of(MemoryField field, HierarchyVersion version) {
  const FieldName& row = kNames[static_cast<size_t>(field)];
  return version == HierarchyVersion::kV2 ? row.v2 : row.v1;
}

uint8_t MemoryStatisticsParser::find(std::string_view name) const {
  for (const FieldName& row : kNames)
    if (name == name_of(row.field, version_)) return static_cast<uint8_t>(row.field);
  return kNone;
}

MemoryStatistics MemoryStatisticsParser::parse(std::string_view text) {
  MemoryStatistics statistics;
  for (size_t number = 0; !text.empty(); ++number) {
    // The kernel ends each line: what is left without an end was cut off.
    if (!text.contains('\n')) break;
    std::string_view line = take_line(&text);
    std::string_view name = take_word(&line);
    Line known = number < kRememberedLines ? lines_[number].load(std::memory_order_relaxed) : 0;
    auto field = static_cast<uint8_t>(known);
    bool is_as_before = known >> 8 == name.size() && !name.empty() &&
                        (field == kNone || name == name_of(static_cast<MemoryField>(field), version_));
    if (!is_as_before) {
      field = find(name);
      if (number < kRememberedLines && name.size() <= 0xff)
        lines_[number].store(static_cast<Line>(name.size() << 8 | field), std::memory_order_relaxed);
    }
    if (field == kNone) continue;
    if (auto value = parse_number<uint64_t>(line)) statistics.values[field] = *value;
  }
  return statistics;
}

}  // namespace sandbox::cgroup
