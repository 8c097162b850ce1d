// A tracer of one thread, as small as can be: prints each decoded call as a line, to compare with strace's.
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "platform/process_memory.h"
#include "sentry/trace/decoder.h"
#include "sentry/trace/host_descriptor_names.h"
#include "sentry/trace/json.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {
namespace {

struct Settings {
  FILE* output = stdout;
  bool has_names = false;
  pid_t process = 0;
  TextStyle style;
};

[[noreturn]] void run_program(char** command) {
  // The same addresses as under the other tracer.
  personality(ADDR_NO_RANDOMIZE);
  ptrace(PTRACE_TRACEME);
  // So that execve is seen.
  kill(getpid(), SIGSTOP);
  execvp(command[0], command);
  std::perror(command[0]);
  _exit(127);
}

class LineTracer {
 public:
  LineTracer(pid_t pid, const Settings& settings)
      : pid_(pid), settings_(settings), memory_(pid), names_(pid) {}

  void on_stop() {
    __ptrace_syscall_info info;
    std::memset(&info, 0, sizeof info);
    ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info);
    const Target target{memory_, settings_.has_names ? &names_ : nullptr};
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      std::array<uint64_t, 6> registers;
      std::copy(std::begin(info.entry.args), std::end(info.entry.args), registers.begin());
      call_ = decoder_.entry(static_cast<uint32_t>(info.entry.nr), registers, target);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && call_) {
      decoder_.exit(*call_, info.exit.rval, target);
      print();
    }
  }
  // A call that the program never returned from.
  void finish() {
    if (call_) print();
  }

 private:
  void print() {
    std::fprintf(settings_.output, "%s\n", to_text(*call_, settings_.style).c_str());
    // Whatever was decoded must have a JSON form.
    for (const Value& argument : call_->arguments) (void)to_json(argument);
    call_.reset();
  }

  pid_t pid_;
  const Settings& settings_;
  platform::ProcessMemory memory_;
  HostDescriptorNames names_;
  Decoder decoder_;
  std::optional<DecodedCall> call_;
};

// Lets process numbers go by until the next one is `wanted`: strace uses up some before it starts the
// program.
pid_t fork_as(pid_t wanted) {
  for (;;) {
    const pid_t pid = fork();
    if (pid != 0 && pid < wanted) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      continue;
    }
    // A child that is not wanted waits to be killed.
    if (pid == 0 && getpid() < wanted) pause();
    return pid;
  }
}

int trace(char** command, const Settings& settings) {
  const pid_t pid = fork_as(settings.process);
  if (pid == 0) run_program(command);
  int status = 0;
  waitpid(pid, &status, 0);
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  LineTracer tracer(pid, settings);
  long signal = 0;
  for (;;) {
    ptrace(PTRACE_SYSCALL, pid, 0, signal);
    if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status)) break;
    signal = 0;
    constexpr int kCallStop = SIGTRAP | 0x80;
    if (WSTOPSIG(status) == kCallStop)
      tracer.on_stop();
    else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
      signal = WSTOPSIG(status);
  }
  tracer.finish();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace sandbox::trace

// decode_trace [-y] [-v] [-n PID] -o FILE PROGRAM [ARGUMENT...]
int main(int argc, char** argv) {
  sandbox::trace::Settings settings;
  int option;
  while ((option = getopt(argc, argv, "+yvn:o:")) != -1) {
    if (option == 'y') settings.has_names = true;
    if (option == 'v') settings.style.fields = sandbox::trace::TextStyle::Fields::kAll;
    if (option == 'n') settings.process = std::atoi(optarg);
    if (option == 'o') settings.output = std::fopen(optarg, "we");
    if (option == '?' || settings.output == nullptr) return 2;
  }
  if (optind == argc) return 2;
  return sandbox::trace::trace(argv + optind, settings);
}
