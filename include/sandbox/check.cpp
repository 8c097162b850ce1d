// What happens when a check fails: say where, print a backtrace if one is installed, end the process.
#include "sandbox/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace sandbox {

namespace {
std::atomic<void (*)()> failure_hook{nullptr};
}

void set_check_failure_hook(void (*hook)()) { failure_hook.store(hook); }

void check_failed(const char* condition, const char* explanation, std::source_location where) {
  std::fprintf(stderr, "sandbox: internal error: %s\n  check `%s` failed in %s at %s:%u\n", explanation,
               condition, where.function_name(), where.file_name(), static_cast<unsigned>(where.line()));
  // The hook runs once, even when it fails a check itself.
  if (auto hook = failure_hook.exchange(nullptr)) hook();
  std::abort();
}

}  // namespace sandbox
