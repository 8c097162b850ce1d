// Calls and faults at places whose stacks are known. Built without frame pointers: only the tables lead out.
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {
volatile int sink;
}

namespace shapes {

template <typename Unit>
struct Tower {
  __attribute__((noinline)) long climb(int levels, const std::vector<Unit>& stones) {
    const long result = levels > 0 ? climb(levels - 1, stones) + 1 : syscall(SYS_getppid);
    sink = static_cast<int>(result);
    return result + static_cast<long>(stones.size());
  }
};

}  // namespace shapes

extern "C" {

__attribute__((noinline)) void on_signal(int) { syscall(SYS_getppid); }

__attribute__((noinline)) void raise_it() {
  raise(SIGUSR1);
  sink = 1;
}

// A stack frame whose size only runs time knows, aligned by hand: its table computes.
__attribute__((noinline)) void aligned(int size) {
  alignas(256) volatile char room[256];
  char* more = static_cast<char*>(alloca(static_cast<size_t>(size)));
  memset(more, 0, static_cast<size_t>(size));
  room[0] = more[0];
  syscall(SYS_getppid);
  sink = room[0];
}

__attribute__((noinline)) void jump_nowhere() {
  void (*volatile nowhere)() = nullptr;
  nowhere();
  sink = 2;
}

__attribute__((noinline)) void write_there(int* where) {
  *where = 1;
  sink = 3;
}

// Code without a table, which has frame pointers: push %rbp; mov %rsp,%rbp; mov $110,%eax; syscall; pop %rbp;
// ret, and one that calls it.
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void run_made_code() {
  static const unsigned char kLeaf[] = {0x55, 0x48, 0x89, 0xe5, 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0x5d, 0xc3};
  static const unsigned char kCaller[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 0xd7, 0xff, 0xff, 0xff, 0x5d, 0xc3};
  char* code =
      static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memcpy(code, kLeaf, sizeof kLeaf);
  memcpy(code + 32, kCaller, sizeof kCaller);
  mprotect(code, 4096, PROT_READ | PROT_EXEC);
  reinterpret_cast<void (*)()>(code + 32)();
  sink = 4;
}

}  // extern "C"

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "deep" || what == "nameless") {
    if (what == "nameless") unlink(arguments[0]);
    shapes::Tower<int> tower;
    const int levels = atoi(arguments[2]), rounds = count > 3 ? atoi(arguments[3]) : 1;
    for (int i = 0; i < rounds; ++i) tower.climb(levels, {1, 2, 3});
  } else if (what == "signal") {
    signal(SIGUSR1, on_signal);
    raise_it();
  } else if (what == "aligned") {
    aligned(1000);
  } else if (what == "made") {
    run_made_code();
  } else if (what == "nowhere") {
    jump_nowhere();
  } else if (what == "fault") {
    write_there(reinterpret_cast<int*>(0x10));
  } else if (what == "abort") {
    abort();
  } else {
    return 2;
  }
  return 0;
}
