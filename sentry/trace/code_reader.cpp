// Asking the stack walker and the disassembler.
#include "sentry/trace/code_reader.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "platform/process_memory.h"

namespace sandbox::trace {

namespace {

// syscall; the registers are those behind it.
constexpr uint64_t kCallInstructionBytes = 2;
constexpr size_t kFaultInstructions = 9;

// Signals of the processor: siginfo tells an address then.
bool is_fault(const siginfo_t& info) {
  constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  return info.si_code > 0 && info.si_code != SI_KERNEL &&
         std::ranges::find(kFaults, info.si_signo) != kFaults.end();
}

}  // namespace

bool is_fatal(int signal, uint64_t handled) {
  constexpr std::array kHarmless = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  if (std::ranges::find(kHarmless, signal) != kHarmless.end()) return false;
  return ((handled >> (signal - 1)) & 1) == 0;
}

CodeSite CodeReader::site_of_call(pid_t process, pid_t tid, const user_regs_struct& registers) {
  CodeSite site{.address = registers.rip - kCallInstructionBytes};
  if (options_.wants_stacks) site.stack = walker_.walk(process, tid, registers);
  if (options_.instructions > 0) {
    platform::ProcessMemory memory(tid);
    site.instructions = disassembler_.around(memory, site.address, options_.instructions);
  }
  return site;
}

FatalSignal CodeReader::fatal_signal(pid_t process, pid_t tid, const siginfo_t& info,
                                     const user_regs_struct& registers) {
  FatalSignal fatal{.registers = registers};
  if (is_fault(info)) {
    fatal.address = reinterpret_cast<uint64_t>(info.si_addr);
    fatal.hit = walker_.describe(process, tid, *fatal.address);
  }
  platform::ProcessMemory memory(tid);
  fatal.site.address = registers.rip;
  fatal.site.stack = walker_.walk(process, tid, registers);
  fatal.site.instructions =
      disassembler_.around(memory, registers.rip, std::max(options_.instructions, kFaultInstructions));
  return fatal;
}

void CodeReader::note_return(pid_t process, const DecodedCall& call) {
  const auto& arguments = call.registers;
  switch (call.number) {
    case SYS_munmap:
      return walker_.note_unmapped(process, arguments[0], arguments[1]);
    case SYS_mmap:
      if ((arguments[3] & MAP_FIXED) != 0) walker_.note_unmapped(process, arguments[0], arguments[1]);
      return;
    case SYS_mremap:
      walker_.note_unmapped(process, arguments[0], arguments[1]);
      if ((arguments[3] & MREMAP_FIXED) != 0) walker_.note_unmapped(process, arguments[4], arguments[2]);
      return;
    default:
      return;
  }
}

}  // namespace sandbox::trace
