// The built-in init: PID 1 of a workload that brings none. It reaps orphans and ends with the program, and
// with it ends every process of its namespace.
//
// Freestanding, so that PID 1 has two pages of memory of its own and nothing of the sentry's.
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <linux/wait.h>
#include <stdint.h>

namespace {

constexpr int kSigkill = 9;
constexpr long kNoChild = -10;  // ECHILD

long call(long number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  register uint64_t r10 asm("r10") = d;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
               : "rcx", "r11", "memory");
  return result;
}

long number_of(const char* text) {
  long number = 0;
  while (*text >= '0' && *text <= '9') number = number * 10 + (*text++ - '0');
  return number;
}

}  // namespace

// argv[1] is the program's process id.
extern "C" [[noreturn]] void init_main(const uint64_t* words) {
  call(__NR_prctl, PR_SET_DUMPABLE, 0);
  call(__NR_prctl, PR_SET_PDEATHSIG, kSigkill);
  call(__NR_prctl, PR_SET_NAME, reinterpret_cast<uint64_t>("sandbox-init"));
  const long program = words[0] > 1 ? number_of(reinterpret_cast<const char*>(words[2])) : 0;
  for (;;) {
    long ended = call(__NR_wait4, static_cast<uint64_t>(-1), 0, __WALL);
    if (ended == program || ended == kNoChild) call(__NR_exit_group);
  }
}

asm(R"(
  .text
  .globl _start
  .type _start, @function
_start:
  mov %rsp, %rdi
  and $-16, %rsp
  call init_main
)");
