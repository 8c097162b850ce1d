// Walks the stack with libunwind.
#define UNW_LOCAL_ONLY
#include "platform/debug/backtrace.h"

#include <cxxabi.h>
#include <libunwind.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "sandbox/check.h"

namespace sandbox::platform {

void print_backtrace() {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return;
  for (int depth = 0; depth < 64 && unw_step(&cursor) > 0; ++depth) {
    unw_word_t address = 0, offset = 0;
    char name[512];
    unw_get_reg(&cursor, UNW_REG_IP, &address);
    if (unw_get_proc_name(&cursor, name, sizeof name, &offset) != 0) {
      std::fprintf(stderr, "  #%d %#lx\n", depth, static_cast<unsigned long>(address));
      continue;
    }
    int status = 0;
    std::unique_ptr<char, decltype(&std::free)> readable(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
    std::fprintf(stderr, "  #%d %#lx %s+%#lx\n", depth, static_cast<unsigned long>(address),
                 status == 0 ? readable.get() : name, static_cast<unsigned long>(offset));
  }
}

void install_check_failure_backtrace() { set_check_failure_hook(&print_backtrace); }

}  // namespace sandbox::platform
