// The ptrace requests the tracer makes, with errors as Result. ESRCH always means: the thread was killed
// meanwhile.
#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "platform/intercepted_call.h"
#include "sandbox/result.h"

namespace sandbox::platform {

using Registers = user_regs_struct;

inline Result<Registers> get_registers(pid_t tid) {
  Registers registers;
  TRY(host_status(ptrace(PTRACE_GETREGS, tid, nullptr, &registers)));
  return registers;
}
inline Result<void> set_registers(pid_t tid, const Registers& registers) {
  return host_status(ptrace(PTRACE_SETREGS, tid, nullptr, &registers));
}
inline Result<uint64_t> get_event_message(pid_t tid) {
  unsigned long message = 0;
  TRY(host_status(ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message)));
  return message;
}
// What a stop at a system call is about: PTRACE_SYSCALL_INFO_ENTRY, _EXIT, _SECCOMP or _NONE.
using CallInfo = __ptrace_syscall_info;
inline Result<CallInfo> get_call_info(pid_t tid) {
  CallInfo info{};
  TRY(host_result(ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info)));
  return info;
}
// Lets it run, delivering `signal` (0: none).
inline Result<void> resume(pid_t tid, int signal = 0) {
  return host_status(ptrace(PTRACE_CONT, tid, nullptr, static_cast<long>(signal)));
}
// Lets it run to the end of the system call it is in.
inline Result<void> resume_to_syscall_exit(pid_t tid) {
  return host_status(ptrace(PTRACE_SYSCALL, tid, nullptr, 0L));
}
// Lets it run to the entry or the exit of a system call, delivering `signal`.
inline Result<void> resume_to_call(pid_t tid, int signal) {
  return host_status(ptrace(PTRACE_SYSCALL, tid, nullptr, static_cast<long>(signal)));
}
// Leaves it stopped by job control until SIGCONT.
inline Result<void> leave_stopped(pid_t tid) { return host_status(ptrace(PTRACE_LISTEN, tid, nullptr, 0L)); }
// One word of its memory; grows its stack, where process_vm_writev does not.
inline Result<void> poke(pid_t tid, uint64_t address, uint64_t word) {
  return host_status(ptrace(PTRACE_POKEDATA, tid, address, word));
}

// The register that holds the argument with that index, 0 to 5.
inline unsigned long long& argument_of(Registers& registers, size_t index) {
  unsigned long long* const places[] = {&registers.rdi, &registers.rsi, &registers.rdx,
                                        &registers.r10, &registers.r8,  &registers.r9};
  return *places[index];
}

// The system call that a seccomp stop is about.
inline SyscallEvent event_of(pid_t tid, const Registers& registers) {
  return {tid,
          static_cast<uint32_t>(registers.orig_rax),
          {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9},
          registers.rip};
}

}  // namespace sandbox::platform
