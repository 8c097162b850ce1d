// Stacks, instructions and registers as text and as JSON. Names are the traced program's and are escaped.
#pragma once

#include <string>

#include "sentry/trace/event.h"

namespace sandbox::trace {

// "/usr/lib/libc.so.6(read+0xd) [0xfd19d]", as strace has it.
void append_frame(std::string& text, const platform::Frame& frame);

// Lines that follow the event's own, each after a newline: " > frame", " |    0x4010: mov eax, 1" and, for
// the instruction itself, " | => 0x4012: syscall".
void append_site(std::string& text, const CodeSite& site);
void append_fatal_signal(std::string& text, const FatalSignal& fatal);

// Members of a record, each with a comma before it: "stack" and "disassembly", as far as there is any.
void append_json_site(std::string& text, const CodeSite& site);
// {"address": ..., "hit": ..., "registers": {...}, "stack": [...], "disassembly": [...]}
void append_json_fatal_signal(std::string& text, const FatalSignal& fatal);

}  // namespace sandbox::trace
