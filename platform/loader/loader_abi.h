// What the loader and the sentry say to each other: the magic call and the plan that answers it.
#pragma once

#include <stdint.h>

namespace sandbox::platform {

// The loader's one call to the sentry has the number of the exec that started the loader, as that is the one
// which a filter of the workload's own lets pass for certain, and this in r9, which neither of them uses.
//   rdi: the stack pointer at entry   rsi: brk(0)   rdx: plan buffer   r10: its size   r8: the loader's base
// 0: a LoaderPlan lies in the buffer and the descriptors it names are installed. Anything else: the loader
// gives up.
inline constexpr uint64_t kLoaderMagic = 0x9d3c71e5b84a206f;

// Where the loader lies in the workload's otherwise empty root.
inline constexpr char kLoaderPath[] = "/l";

// One PT_LOAD, values as in the file.
struct LoaderSegment {
  uint64_t vaddr, file_size, memory_size, file_offset;
  uint64_t protection;  // PROT_*
};

enum class LoaderPlacement : uint32_t {
  kFixed,       // at its own addresses or not at all
  kAnywhere,    // where the kernel maps things
  kBelowBreak,  // so that the heap begins right above it; elsewhere when that place is taken
};

struct LoaderObject {
  int32_t descriptor;  // closed by the loader once mapped
  LoaderPlacement placement;
  uint64_t first_vaddr, span, alignment;  // bytes; first_vaddr and span are multiples of the page size
  uint64_t entry_vaddr, phdr_vaddr;
  uint32_t phdr_count;
  uint32_t segment_count;
  uint32_t segments_offset;  // from the plan's start, of LoaderSegment[segment_count]
  uint32_t padding;
};

enum class LoaderStack : uint32_t { kPlain, kExecutable };

struct LoaderPlan {
  uint32_t object_count;    // 1: a static program; 2: with its interpreter
  uint32_t prefix_count;    // strings that replace argv[0]; 0: argv stays
  uint32_t strings_offset;  // from the plan's start: the prefix strings, then AT_EXECFN's, each with its NUL
  uint32_t strings_size;
  LoaderStack stack;
  uint32_t restores_nofile;  // not 0: RLIMIT_NOFILE was raised and goes back to the two values below
  uint64_t nofile_soft, nofile_hard;
  char comm[16];
  LoaderObject objects[2];  // the program, its interpreter
};

// Room the loader offers: two objects of as many headers as Linux accepts, and the longest strings.
inline constexpr uint64_t kLoaderPlanCapacity = 128 * 1024;

// The plan and the loader's stack. Giving this area back is the last call the loader makes.
inline constexpr uint64_t kScratchSize = kLoaderPlanCapacity + 4 * 4096;

}  // namespace sandbox::platform
