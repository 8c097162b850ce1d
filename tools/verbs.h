// The verbs of the `sandbox` command: each takes its own arguments and returns the exit code of the process.
#pragma once

namespace sandbox::tools {

// argv[0] is the verb's name, the rest its arguments; argv[argc] is null. A verb prints its own help
// (`--help`) and its own errors (messages.h) and throws nothing. Exit codes: 0 success, 125 failure of
// the sandbox itself; `run` passes the program's on.
using VerbMain = int (*)(int argc, char** argv);

int verb_run(int argc, char** argv);       // run.cpp
int verb_diff(int argc, char** argv);      // diff.cpp
int verb_apply(int argc, char** argv);     // apply.cpp
int verb_info(int argc, char** argv);      // info.cpp
int verb_syscalls(int argc, char** argv);  // syscalls.cpp

struct Verb {
  const char* name;
  const char* summary;  // one line of `sandbox --help`
  VerbMain main;
};

}  // namespace sandbox::tools
