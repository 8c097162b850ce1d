// CodeReader: where in the traced program a call or a fault happened: stack, instructions, memory.
#pragma once

#include <sys/user.h>

#include "platform/debug/disassembly.h"
#include "platform/debug/stack_walker.h"
#include "sentry/trace/event.h"

namespace sandbox::trace {

struct CodeOptions {
  bool wants_stacks = false;  // -k
  size_t instructions = 0;    // --disasm: so many around the site of a call; 0: none

  bool wants_any() const { return wants_stacks || instructions > 0; }
};

// The thread is stopped, or waits in a call; `process` is its process as the trace numbers it.
class CodeReader {
 public:
  // `files` outlives it.
  CodeReader(const CodeOptions& options, platform::MappedFiles& files) : options_(options), walker_(files) {}

  CodeSite site_of_call(pid_t process, pid_t tid, const user_regs_struct& registers);
  FatalSignal fatal_signal(pid_t process, pid_t tid, const siginfo_t& info,
                           const user_regs_struct& registers);

  // The call has returned: memory may have gone.
  void note_return(pid_t process, const DecodedCall& call);
  void note_birth(pid_t parent, pid_t child) { walker_.inherit(parent, child); }
  // Another program runs in the process, or none.
  void forget(pid_t process) { walker_.forget(process); }

 private:
  const CodeOptions options_;
  platform::StackWalker walker_;
  platform::Disassembler disassembler_;
};

// Whether the signal, which is about to be delivered, ends a process that ignores or catches `handled` (bit 0
// is signal 1).
bool is_fatal(int signal, uint64_t handled);

}  // namespace sandbox::trace
