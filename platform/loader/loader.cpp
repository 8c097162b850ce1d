// The loader: the only program the kernel itself executes for the workload; it carries out the sentry's plan.
//
// Freestanding and without relocations. It decides nothing: every number was checked by the sentry. When a
// step fails there is no program left to return to, so it dies as execve does past its point of no return.
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "loader_abi.h"

using namespace sandbox::platform;

namespace {

constexpr uint64_t kPageSize = 4096;
// Where Linux puts a PIE when nothing is randomised (ELF_ET_DYN_BASE), for a break that is of no help.
constexpr uint64_t kUsualPieBase = 0x555555554000;
constexpr uint64_t kMappingRegion = 0x700000000000;
constexpr int kRlimitNofile = 7;

long call(long number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
          uint64_t f = 0) {
  register uint64_t r10 asm("r10") = d;
  register uint64_t r8 asm("r8") = e;
  register uint64_t r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

[[noreturn]] void die() {
  for (;;) asm volatile("hlt");  // SIGSEGV, which cannot be survived here
}

bool is_error(long result) { return result < 0 && result >= -4095; }

uint64_t map_or_die(uint64_t address, uint64_t size, uint64_t protection, uint64_t flags, int descriptor,
                    uint64_t offset) {
  long result = call(__NR_mmap, address, size, protection, flags, descriptor, offset);
  if (is_error(result)) die();
  return result;
}

void copy(void* destination, const void* source, uint64_t size) {
  asm volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(size) : : "memory");
}

void clear(uint64_t address, uint64_t size) {
  asm volatile("rep stosb" : "+D"(address), "+c"(size) : "a"(0) : "memory");
}

uint64_t page_start(uint64_t address) { return address & ~(kPageSize - 1); }
uint64_t page_end(uint64_t address) { return (address + kPageSize - 1) & ~(kPageSize - 1); }

constexpr uint64_t kReserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

// An address where all of the object fits, reserved.
uint64_t reserve(const LoaderObject& object, uint64_t program_break) {
  if (object.placement == LoaderPlacement::kFixed) {
    return map_or_die(object.first_vaddr, object.span, PROT_NONE, kReserve | MAP_FIXED_NOREPLACE, -1, 0);
  }
  if (object.placement == LoaderPlacement::kBelowBreak) {
    uint64_t wanted = program_break < kMappingRegion ? program_break - object.span : kUsualPieBase;
    wanted &= ~(object.alignment - 1);
    long result = call(__NR_mmap, wanted, object.span, PROT_NONE, kReserve | MAP_FIXED_NOREPLACE, -1, 0);
    if (!is_error(result)) return result;
  }
  uint64_t slack = object.alignment - kPageSize;
  uint64_t start = map_or_die(0, object.span + slack, PROT_NONE, kReserve, -1, 0);
  uint64_t aligned = (start + slack) & ~(object.alignment - 1);
  if (aligned > start) call(__NR_munmap, start, aligned - start);
  uint64_t tail = start + slack - aligned;
  if (tail > 0) call(__NR_munmap, aligned + object.span, tail);
  return aligned;
}

// As elf_load() of fs/binfmt_elf.c: file pages, the rest of the last one cleared, whole pages of zeros after
// it.
void map_segment(const LoaderSegment& segment, int descriptor, uint64_t bias) {
  uint64_t start = segment.vaddr + bias;
  uint64_t file_end = start + segment.file_size;
  uint64_t memory_end = start + segment.memory_size;
  uint64_t zero_start = page_start(start);
  if (segment.file_size > 0) {
    uint64_t in_page = start - page_start(start);
    zero_start = page_end(file_end);
    map_or_die(page_start(start), zero_start - page_start(start), segment.protection, MAP_PRIVATE | MAP_FIXED,
               descriptor, segment.file_offset - in_page);
    if (segment.memory_size > segment.file_size && (segment.protection & PROT_WRITE)) {
      clear(file_end, zero_start - file_end);
    }
  }
  if (page_end(memory_end) > zero_start) {
    map_or_die(zero_start, page_end(memory_end) - zero_start,
               PROT_READ | PROT_WRITE | (segment.protection & PROT_EXEC),
               MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  }
}

// Maps the object and returns what is to be added to its addresses.
uint64_t map_object(const char* plan, const LoaderObject& object, uint64_t program_break) {
  uint64_t base = reserve(object, program_break);
  uint64_t bias = base - object.first_vaddr;
  auto* segments = reinterpret_cast<const LoaderSegment*>(plan + object.segments_offset);
  uint64_t covered = base;
  for (uint32_t i = 0; i < object.segment_count; ++i) {
    // Linux leaves the space between two segments unmapped.
    uint64_t start = page_start(segments[i].vaddr + bias);
    if (start > covered) call(__NR_munmap, covered, start - covered);
    map_segment(segments[i], object.descriptor, bias);
    uint64_t end = page_end(segments[i].vaddr + bias + segments[i].memory_size);
    if (end > covered) covered = end;
  }
  call(__NR_close, object.descriptor);
  return bias;
}

struct AuxiliaryEntry {
  uint64_t type, value;
};

// The words of the stack at entry: argc, argv, envp, auxv.
struct StackView {
  uint64_t* words;
  uint64_t argc;
  AuxiliaryEntry* auxv;
  uint64_t* end;  // after AT_NULL's entry
};

StackView view_stack(uint64_t* words) {
  StackView view{words, words[0], nullptr, nullptr};
  uint64_t* word = words + 1 + view.argc + 1;
  while (*word != 0) ++word;
  view.auxv = reinterpret_cast<AuxiliaryEntry*>(word + 1);
  AuxiliaryEntry* entry = view.auxv;
  while (entry->type != AT_NULL) ++entry;
  view.end = reinterpret_cast<uint64_t*>(entry + 1);
  return view;
}

struct PlacedStrings {
  uint64_t* stack;  // the new stack pointer
  uint64_t execfn;
};

// Moves the words down to make room for the plan's strings above them and for the argv entries of the prefix.
PlacedStrings rebuild_stack(const LoaderPlan& plan, const char* plan_bytes, uint64_t* words) {
  StackView old = view_stack(words);
  uint64_t replaced = plan.prefix_count > 0 && old.argc > 0 ? 1 : 0;
  uint64_t argc = old.argc - replaced + plan.prefix_count;
  uint64_t strings = (reinterpret_cast<uint64_t>(old.end) - plan.strings_size) & ~uint64_t{15};
  uint64_t count = (old.end - words) - replaced + plan.prefix_count;
  auto* stack = reinterpret_cast<uint64_t*>((strings - count * sizeof(uint64_t)) & ~uint64_t{15});

  uint64_t* kept = words + 1 + replaced;  // everything after argv[0], or after argc
  copy(stack + 1 + plan.prefix_count, kept, reinterpret_cast<char*>(old.end) - reinterpret_cast<char*>(kept));
  stack[0] = argc;
  copy(reinterpret_cast<void*>(strings), plan_bytes + plan.strings_offset, plan.strings_size);

  auto* text = reinterpret_cast<const char*>(strings);
  for (uint32_t i = 0; i < plan.prefix_count; ++i) {
    stack[1 + i] = reinterpret_cast<uint64_t>(text);
    while (*text++ != 0) {
    }
  }
  return {stack, reinterpret_cast<uint64_t>(text)};
}

struct Addresses {
  uint64_t program_headers, entry, interpreter_base, execfn;
};

void patch_auxv(const LoaderPlan& plan, uint64_t* stack, const Addresses& addresses) {
  for (AuxiliaryEntry* entry = view_stack(stack).auxv; entry->type != AT_NULL; ++entry) {
    switch (entry->type) {
      case AT_PHDR:
        entry->value = addresses.program_headers;
        break;
      case AT_PHENT:
        entry->value = 56;
        break;
      case AT_PHNUM:
        entry->value = plan.objects[0].phdr_count;
        break;
      case AT_BASE:
        entry->value = addresses.interpreter_base;
        break;
      case AT_ENTRY:
        entry->value = addresses.entry;
        break;
      case AT_EXECFN:
        entry->value = addresses.execfn;
        break;
    }
  }
}

struct KernelRlimit {
  uint64_t soft, hard;
};

}  // namespace

extern "C" [[noreturn]] void loader_jump(uint64_t* stack, uint64_t entry, uint64_t scratch,
                                         uint64_t scratch_size);
extern "C" const char __ehdr_start[];

// Runs on the scratch stack, so that the one of the program can be rewritten. `was_execveat`: the tracer's
// word on which of the two calls started us.
extern "C" [[noreturn]] void loader_main(uint64_t* words, char* scratch, uint64_t was_execveat) {
  uint64_t program_break = call(__NR_brk, 0);
  long status = call(was_execveat ? __NR_execveat : __NR_execve, reinterpret_cast<uint64_t>(words),
                     program_break, reinterpret_cast<uint64_t>(scratch), kLoaderPlanCapacity,
                     reinterpret_cast<uint64_t>(__ehdr_start), kLoaderMagic);
  if (status != 0) die();
  auto& plan = *reinterpret_cast<const LoaderPlan*>(scratch);

  const LoaderObject& program = plan.objects[0];
  uint64_t bias = map_object(scratch, program, program_break);
  Addresses addresses{program.phdr_vaddr + bias, program.entry_vaddr + bias, 0, 0};
  uint64_t jump = addresses.entry;
  if (plan.object_count > 1) {
    uint64_t interpreter_bias = map_object(scratch, plan.objects[1], program_break);
    addresses.interpreter_base = interpreter_bias;
    jump = plan.objects[1].entry_vaddr + interpreter_bias;
  }
  if (plan.restores_nofile) {
    KernelRlimit limit{plan.nofile_soft, plan.nofile_hard};
    call(__NR_prlimit64, 0, kRlimitNofile, reinterpret_cast<uint64_t>(&limit));
  }

  PlacedStrings placed = rebuild_stack(plan, scratch, words);
  addresses.execfn = placed.execfn;
  patch_auxv(plan, placed.stack, addresses);
  if (plan.stack == LoaderStack::kExecutable) {
    call(__NR_mprotect, page_start(reinterpret_cast<uint64_t>(placed.stack)), kPageSize,
         PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
  }
  call(__NR_prctl, PR_SET_NAME, reinterpret_cast<uint64_t>(plan.comm));
  loader_jump(placed.stack, jump, reinterpret_cast<uint64_t>(scratch), kScratchSize);
}

// Entry: take a scratch area, put the stack at its upper end.
// Exit: give it back, leave every register as a fresh exec does, jump through a word below the stack pointer.
asm(R"(
  .text
  .globl _start
  .type _start, @function
_start:
  mov %rsp, %rbx
  mov $9, %eax
  xor %edi, %edi
  mov $(128 * 1024 + 4 * 4096), %esi
  mov $3, %edx
  mov $0x4022, %r10d
  mov $-1, %r8
  xor %r9d, %r9d
  syscall
  cmp $-4095, %rax
  jae 1f
  mov %rbx, %rdi
  mov %rax, %rsi
  mov %r12, %rdx
  lea (128 * 1024 + 4 * 4096)(%rax), %rsp
  xor %ebp, %ebp
  call loader_main
1: hlt
  jmp 1b

  .globl loader_jump
  .type loader_jump, @function
loader_jump:
  mov %rdi, %rsp
  mov %rsi, -16(%rsp)
  mov %rdx, %rdi
  mov %rcx, %rsi
  mov $11, %eax
  syscall
  xor %eax, %eax
  xor %ebx, %ebx
  xor %ecx, %ecx
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %ebp, %ebp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
  pushq $0
  popfq
  jmp *-16(%rsp)
)");

static_assert(kScratchSize == 128 * 1024 + 4 * 4096, "the entry code above says the same");
