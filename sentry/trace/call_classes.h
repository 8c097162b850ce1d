// Sets of system calls as a person names them: "openat,%net,!*stat*".
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "platform/call_observer.h"
#include "sandbox/syscall_table.h"

namespace sandbox::trace {

// Names, globs of names, classes (%file %desc %net %process %memory %signal %ipc %clock %creds), "all" and
// "none", separated by commas; a "!" before a member takes it away again, and at the very beginning starts
// from "all". The error says which word is unknown.
std::expected<platform::CallSet, std::string> parse_call_set(std::string_view text);

// "file", "net", ...: the class a reader looks for it in; "other" when none has it.
std::string_view class_of(const SyscallRow& row);

}  // namespace sandbox::trace
