// Memory: mappings, protection, advice, NUMA policy.
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kProtection[] = {{"PROT_NONE", 0, 0}, NAME(PROT_READ),      NAME(PROT_WRITE),  NAME(PROT_EXEC),
                                {"PROT_SEM", 8},     NAME(PROT_GROWSDOWN), NAME(PROT_GROWSUP)};

constexpr uint64_t kMapType = 0xf, kHugeMask = uint64_t{MAP_HUGE_MASK} << MAP_HUGE_SHIFT;
constexpr Name kMapFlags[] = {MASKED_NAME(MAP_SHARED, kMapType),
                              MASKED_NAME(MAP_PRIVATE, kMapType),
                              MASKED_NAME(MAP_SHARED_VALIDATE, kMapType),
                              {"MAP_DROPPABLE", 8, kMapType},
                              NAME(MAP_FIXED),
                              NAME(MAP_ANONYMOUS),
                              NAME(MAP_32BIT),
                              {"MAP_ABOVE4G", 0x80},
                              NAME(MAP_GROWSDOWN),
                              NAME(MAP_DENYWRITE),
                              NAME(MAP_EXECUTABLE),
                              NAME(MAP_LOCKED),
                              NAME(MAP_NORESERVE),
                              NAME(MAP_POPULATE),
                              NAME(MAP_NONBLOCK),
                              NAME(MAP_STACK),
                              NAME(MAP_HUGETLB),
                              NAME(MAP_SYNC),
                              NAME(MAP_FIXED_NOREPLACE),
                              {"MAP_UNINITIALIZED", 0x4000000},
                              {"21<<MAP_HUGE_SHIFT", MAP_HUGE_2MB, kHugeMask},
                              {"30<<MAP_HUGE_SHIFT", MAP_HUGE_1GB, kHugeMask}};

constexpr Name kMremapFlags[] = {NAME(MREMAP_MAYMOVE), NAME(MREMAP_FIXED), NAME(MREMAP_DONTUNMAP)};
constexpr Name kMsyncFlags[] = {NAME(MS_SYNC), NAME(MS_ASYNC), NAME(MS_INVALIDATE)};
constexpr Name kMlock2Flags[] = {{"MLOCK_ONFAULT", 1}};
constexpr Name kMlockallFlags[] = {NAME(MCL_CURRENT), NAME(MCL_FUTURE), NAME(MCL_ONFAULT)};

constexpr Name kAdvice[] = {NAME(MADV_NORMAL),          NAME(MADV_RANDOM),
                            NAME(MADV_SEQUENTIAL),      NAME(MADV_WILLNEED),
                            NAME(MADV_DONTNEED),        NAME(MADV_FREE),
                            NAME(MADV_REMOVE),          NAME(MADV_DONTFORK),
                            NAME(MADV_DOFORK),          NAME(MADV_MERGEABLE),
                            NAME(MADV_UNMERGEABLE),     NAME(MADV_HUGEPAGE),
                            NAME(MADV_NOHUGEPAGE),      NAME(MADV_DONTDUMP),
                            NAME(MADV_DODUMP),          NAME(MADV_WIPEONFORK),
                            NAME(MADV_KEEPONFORK),      NAME(MADV_COLD),
                            NAME(MADV_PAGEOUT),         NAME(MADV_POPULATE_READ),
                            NAME(MADV_POPULATE_WRITE),  {"MADV_DONTNEED_LOCKED", 24},
                            {"MADV_COLLAPSE", 25},      NAME(MADV_HWPOISON),
                            {"MADV_SOFT_OFFLINE", 101}, {"MADV_GUARD_INSTALL", 102},
                            {"MADV_GUARD_REMOVE", 103}};

constexpr uint64_t kNumaModeBits = 0xff;
constexpr Name kNumaModes[] = {MASKED_NAME(MPOL_DEFAULT, kNumaModeBits),
                               MASKED_NAME(MPOL_PREFERRED, kNumaModeBits),
                               MASKED_NAME(MPOL_BIND, kNumaModeBits),
                               MASKED_NAME(MPOL_INTERLEAVE, kNumaModeBits),
                               MASKED_NAME(MPOL_LOCAL, kNumaModeBits),
                               MASKED_NAME(MPOL_PREFERRED_MANY, kNumaModeBits),
                               {"MPOL_WEIGHTED_INTERLEAVE", 6, kNumaModeBits},
                               NAME(MPOL_F_STATIC_NODES),
                               NAME(MPOL_F_RELATIVE_NODES),
                               NAME(MPOL_F_NUMA_BALANCING)};
constexpr Name kBindFlags[] = {NAME(MPOL_MF_STRICT), NAME(MPOL_MF_MOVE), NAME(MPOL_MF_MOVE_ALL)};
constexpr Name kPolicyFlags[] = {NAME(MPOL_F_NODE), NAME(MPOL_F_ADDR), NAME(MPOL_F_MEMS_ALLOWED)};

constexpr Name kPkeyRights[] = {NAME(PKEY_DISABLE_ACCESS), NAME(PKEY_DISABLE_WRITE)};
constexpr Name kShadowStackFlags[] = {{"SHADOW_STACK_SET_TOKEN", 1}, {"SHADOW_STACK_SET_MARKER", 2}};
constexpr Name kMemfdFlags[] = {
    NAME(MFD_CLOEXEC),
    NAME(MFD_ALLOW_SEALING),
    NAME(MFD_HUGETLB),
    {"MFD_NOEXEC_SEAL", 8},
    {"MFD_EXEC", 0x10},
    {"21<<MFD_HUGE_SHIFT", MFD_HUGE_2MB, uint64_t{MFD_HUGE_MASK} << MFD_HUGE_SHIFT},
    {"30<<MFD_HUGE_SHIFT", MFD_HUGE_1GB, uint64_t{MFD_HUGE_MASK} << MFD_HUGE_SHIFT}};
constexpr Name kSecretFlags[] = {{"FD_CLOEXEC", 02000000}};

// An anonymous mapping has no descriptor and no offset worth more than the numbers.
Value show_mapped_offset(Scope&, const Type&, const Source& source) { return Value::hex(source.number); }

Value show_new_address(Scope& scope, const Type&, const Source& source) {
  const bool is_used = (scope.argument_before() & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0;
  return is_used ? Value::address(source.number) : Value{};
}

// A bit mask of `argument after` bits, as numbers in hexadecimal.
Value show_node_mask(Scope& scope, const Type&, const Source& source) {
  constexpr uint64_t kMostNodes = 1 << 12;
  static constexpr Type kWord{"", show_hex, 8};
  const uint64_t bits = scope.argument_after();
  if (source.number == 0 || bits == 0 || bits > kMostNodes) return Value::address(source.number);
  return scope.array(kWord, source.number, (bits + 63) / 64);
}

Value show_counted_node_mask(Scope& scope, const Type&, const Source& source) {
  static constexpr Type kWord{"", show_hex, 8};
  const uint64_t bits = scope.argument(1);
  if (source.number == 0 || bits == 0 || bits > 1 << 12) return Value::address(source.number);
  return scope.array(kWord, source.number, (bits + 63) / 64);
}

constexpr Type kNumaModeType{"NumaMode", show_flags, 4, kNumaModes, "MPOL_???"};

Value show_residency(Scope& scope, const Type&, const Source& source) {
  constexpr uint64_t kPage = 4096;
  const uint64_t pages = scope.argument_before() / kPage + (scope.argument_before() % kPage != 0);
  static constexpr Type kPageState{"", show_unsigned, 1};
  return scope.array(kPageState, source.number, pages);
}

constexpr Type kTypes[] = {
    {"MapProtection", show_flags, 0, kProtection, "PROT_???"},
    {"MapFlags", show_flags, 0, kMapFlags, "MAP_???"},
    {"MapOffset", show_mapped_offset},
    {"MremapFlags", show_flags, 0, kMremapFlags, "MREMAP_???"},
    {"NewAddress", show_new_address},
    {"MsyncFlags", show_flags, 0, kMsyncFlags, "MS_???"},
    {"MlockFlags", show_flags, 0, kMlock2Flags, "MLOCK_???"},
    {"MlockallFlags", show_flags, 0, kMlockallFlags, "MCL_???"},
    {"MadviseAdvice", show_choice, 0, kAdvice, "MADV_???"},
    kNumaModeType,
    {"NumaFlags", show_flags, 0, kBindFlags, "MPOL_???"},
    {"MovePagesFlags", show_flags, 0, kBindFlags, "MPOL_???"},
    {"NumaPolicyFlags", show_flags, 0, kPolicyFlags, "MPOL_???"},
    {"NodeMaskPtr", show_node_mask},
    {"OutNodeMask", show_node_mask},
    {"CountedNodeMaskPtr", show_counted_node_mask},
    {"PkeyRights", show_flags, 0, kPkeyRights, "PKEY_???"},
    {"ShadowStackFlags", show_flags, 0, kShadowStackFlags, "SHADOW_STACK_???"},
    {"MemfdFlags", show_flags, 0, kMemfdFlags, "MFD_???"},
    {"SecretFlags", show_flags, 0, kSecretFlags, "O_???"},
    {"ResidencyBytes", show_residency},
};

}  // namespace

Family memory_family() { return {kTypes}; }

}  // namespace sandbox::trace
