// The verbs of the `sandbox` command: each takes its own arguments and returns the exit code of the process.
#pragma once

namespace sandbox::tools {

// argv[0] is the verb's name, the rest its arguments; argv[argc] is null. A verb prints its own help
// (`--help`) and its own errors (messages.h) and throws nothing. Exit codes: 0 success, 125 failure of
// the sandbox itself; `run` passes the program's on.
using VerbMain = int (*)(int argc, char** argv);

int verb_run(int argc, char** argv);       // run.cpp
int verb_trace(int argc, char** argv);     // trace.cpp
int verb_diff(int argc, char** argv);      // diff.cpp
int verb_apply(int argc, char** argv);     // apply.cpp
int verb_info(int argc, char** argv);      // info.cpp
int verb_syscalls(int argc, char** argv);  // syscalls.cpp
int verb_pause(int argc, char** argv);     // pause.cpp
int verb_resume(int argc, char** argv);    // resume.cpp
int verb_update(int argc, char** argv);    // update.cpp
int verb_stats(int argc, char** argv);     // stats.cpp
int verb_ps(int argc, char** argv);        // ps.cpp
int verb_top(int argc, char** argv);       // top.cpp
int verb_image(int argc, char** argv);     // image_store.cpp
int verb_gc(int argc, char** argv);        // gc.cpp

struct Verb {
  const char* name;
  const char* summary;  // one line of `sandbox --help`
  VerbMain main;
};

}  // namespace sandbox::tools
