// The sentry's half of execve(2): finds program, `#!` interpreters and ELF interpreter in the VFS.
#pragma once

#include <span>
#include <string>

#include "sentry/sentry.h"

namespace sandbox {

// Everything up to the point of no return. Nothing changes for the task until the loader runs.
// Errors as execve(2): EFAULT ENAMETOOLONG ENOENT EINVAL(flags) EBADF, the walk's, EACCES ETXTBSY
// ENOEXEC ELOOP (more than five `#!`), ELIBBAD (the interpreter is no ELF file).
Result<PendingExec> resolve_exec(Sentry& sentry, Task& task, const vfs::Caller& caller,
                                 const platform::SyscallEvent& event, GuestMemory& memory);

// The first line of a script (fs/binfmt_script.c).
struct ScriptLine {
  std::string interpreter;
  std::string argument;  // one, blanks inside kept; empty: none
};
inline constexpr size_t kProgramHeadSize = 256;
// `head`: the file's first kProgramHeadSize bytes, zeros after its end. Errors: ENOEXEC.
Result<ScriptLine> parse_script_line(std::span<const char, kProgramHeadSize> head);

}  // namespace sandbox
