// toy_run [--ptrace] [--park] PROGRAM [ARGS]: runs a program on an engine under the toy supervisor.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "platform/filter.h"
#include "toy_supervisor.h"

extern char** environ;

int main(int argc, char** argv) {
  using namespace sandbox;
  using namespace sandbox::platform;
  LaunchOptions options;
  ToySupervisor supervisor;
  bool is_verbose = false;
  int first = 1;
  for (; first < argc && std::strncmp(argv[first], "--", 2) == 0; ++first) {
    if (std::strcmp(argv[first], "--ptrace") == 0) options.engine = EngineKind::kPtrace;
    if (std::strcmp(argv[first], "--park") == 0) supervisor.parks_opens = true;
    if (std::strcmp(argv[first], "--verbose") == 0) is_verbose = true;
    if (std::strcmp(argv[first], "--program-is-init") == 0) options.init = LaunchOptions::Init::kProgram;
  }
  if (first >= argc) return 2;
  auto fail = [](const std::string& doing, Errno error) {
    fmt::print(stderr, "toy_run: {}: {}\n", doing, error.name());
    return 125;
  };
  auto entered = enter_sentry_namespaces();
  if (!entered) return fail("enter namespaces", entered.error());
  // As numbered from now on, one to one for the workload.
  options.uid = geteuid();
  options.gid = getegid();
  options.namespaces = {NamespaceKind::kUser, NamespaceKind::kPid, NamespaceKind::kMount,
                        NamespaceKind::kIpc,  NamespaceKind::kUts, NamespaceKind::kCgroup,
                        NamespaceKind::kNet};
  for (int fd : {0, 1, 2}) options.descriptors.push_back({fd, fd});
  std::string context;
  auto begun = Launch::begin(options, context);
  if (!begun) return fail(context, begun.error());
  auto running = Platform::create(*std::move(begun), supervisor, context);
  if (!running) return fail(context, running.error());
  for (auto& [kind, error] : (*running)->missing_namespaces()) {
    fmt::print(stderr, "toy_run: namespace {} is missing: {}\n", static_cast<int>(kind), error.name());
  }
  std::vector<std::string> arguments(argv + first, argv + argc), environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  auto outcome = (*running)->run(argv[first], arguments, environment);
  if (!outcome) return fail("run", outcome.error());
  if (is_verbose) {
    fmt::print(stderr, "births {} deaths {} execs {} calls {} strangers {}\n", supervisor.births.load(),
               supervisor.deaths.load(), supervisor.execs.load(), supervisor.calls.load(),
               supervisor.strangers.load());
  }
  if (outcome->exec_error) return fail("exec", *outcome->exec_error);
  if (WIFSIGNALED(outcome->wait_status)) return 128 + WTERMSIG(outcome->wait_status);
  return WEXITSTATUS(outcome->wait_status);
}
