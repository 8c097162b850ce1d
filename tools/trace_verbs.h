// What `sandbox trace` does besides tracing.
#pragma once

namespace sandbox::tools {

// `sandbox trace diff A.jsonl B.jsonl`; argv[0] is "diff". Exit code 0: the same calls, 1: not.
int trace_diff(int argc, char** argv);

}  // namespace sandbox::tools
