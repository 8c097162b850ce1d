// `sandbox trace`: runs or attaches to a program and shows its system calls.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "platform/host_tracer.h"
#include "sentry/tracing_failure.h"
#include "tools/live_trace.h"
#include "tools/messages.h"
#include "tools/sandbox_options.h"
#include "tools/trace_findings.h"
#include "tools/trace_options.h"
#include "tools/trace_recording.h"
#include "tools/trace_verbs.h"
#include "tools/verbs.h"

extern char** environ;

namespace sandbox::tools {
namespace {

// A handler and not SIG_IGN, which the traced program would inherit: a closed pipe is write's error then.
void survive_closed_pipes() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &action, nullptr);
}

std::atomic<platform::HostTracer*> running_tracer{nullptr};

void detach_on(int signal) {
  struct sigaction action{};
  action.sa_handler = [](int) {
    if (platform::HostTracer* tracer = running_tracer) tracer->request_detach();
  };
  ::sigaction(signal, &action, nullptr);
}

// The terminal sends it to the program as well, whose end is awaited.
void pass_to_program(int signal) {
  struct sigaction action{};
  action.sa_handler = [](int number) {
    platform::HostTracer* tracer = running_tracer;
    if (tracer != nullptr && tracer->first_process() > 0) ::kill(tracer->first_process(), number);
  };
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

// Where execvp would find it; as it is when nowhere, for execve's own error.
std::string find_in_path(const std::string& name) {
  if (name.contains('/')) return name;
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  while (!folders.empty()) {
    std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    std::string candidate = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;
}

int exit_code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int report_start(const std::string& program, Errno error) {
  RunFailure failure{.doing = fmt::format("run {}", printable(program)),
                     .reason = reason_of(error),
                     .advice = "look whether it exists and is executable",
                     .exit_code = error == Errno(ENOENT) ? 127 : 126};
  return report(failure);
}

int trace_on_host(const TraceOptions& options, const std::vector<std::string>& program,
                  trace::Recorder& recorder) {
  auto subject = trace::make_host_subject();
  recorder.set_subject(*subject);
  using NeedsRegisters = platform::HostTracerOptions::NeedsRegisters;
  platform::HostTracer tracer(
      {.traced = recorder.calls(),
       .needs_registers = recorder.needs_registers() ? NeedsRegisters::kYes : NeedsRegisters::kNo},
      recorder);
  running_tracer = &tracer;
  if (program.empty()) {
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) detach_on(signal);
    for (pid_t pid : options.pids()) {
      auto attached = tracer.attach(pid);
      if (attached) continue;
      return report({.doing = fmt::format("attach to process {}", pid),
                     .reason = reason_of(attached.error()),
                     .advice = attached.error() == Errno(EPERM)
                                   ? "it must be yours, not be traced already, and ptrace_scope must allow it"
                                   : "look whether it still runs (ps shows Z for one that has ended)"});
    }
  } else {
    struct sigaction ignored{};
    ignored.sa_handler = [](int) {};
    ignored.sa_flags = SA_RESTART;
    for (int signal : {SIGINT, SIGQUIT}) ::sigaction(signal, &ignored, nullptr);
    for (int signal : {SIGTERM, SIGHUP}) pass_to_program(signal);
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
    auto started = tracer.start(find_in_path(program[0]), program, environment);
    if (!started)
      return report(tracing_failure("trace a new process", started.error(),
                                    "`sandbox info` tells whether ptrace works here")
                        .error());
  }
  auto outcome = tracer.serve();
  running_tracer = nullptr;
  recorder.finish();
  if (outcome.exec_error) return report_start(program[0], *outcome.exec_error);
  return program.empty() ? 0 : exit_code_of(outcome.wait_status);
}

int trace_in_sandbox(const SandboxOptions& sandbox_options, std::vector<std::string> program,
                     trace::Recorder& recorder) {
  auto config = sandbox_options.config(std::move(program));
  if (!config) return report(config.error());
  config->recorder = &recorder;
  auto outcome = run_sandbox(*config);
  recorder.finish();
  if (!outcome) return report(outcome.error());
  for (const std::string& warning : outcome->warnings) warn(warning);
  if (outcome->memory_kill) report_memory_kill(*outcome->memory_kill);
  return outcome->exit_code;
}

void warn_of_losses(const trace::Outputs& outputs, const std::string& name) {
  if (!outputs.failure() || *outputs.failure() == Errno(EPIPE)) return;
  warn(fmt::format("{} records of the trace could not be written to {}: {}", outputs.lost_records(),
                   printable(name), reason_of(*outputs.failure())));
}

}  // namespace

int verb_trace(int argc, char** argv) {
  // A program of that name goes behind --.
  if (argc > 1 && std::string_view(argv[1]) == "diff") return trace_diff(argc - 1, argv + 1);
  CLI::App app(
      "Show the system calls of a program and all it starts: in a sandbox, on the host itself (--host), or "
      "of\n"
      "one that runs already (--pid). The sandbox is that of `sandbox run`, with its options.",
      "trace");
  set_usage(
      app, "sandbox trace [OPTIONS] [--] PROGRAM [ARGUMENTS]\n       sandbox trace [OPTIONS] --pid PID|NAME");
  TraceOptions options(app);
  TraceFindings findings(app);
  SandboxOptions sandbox_options(app);
  CutCommandLine cut = cut_at_program(app, argc, argv);
  if (auto exit_code = parse_command_line(app, std::move(cut.options))) return *exit_code;
  if (cut.program.empty() != options.is_attaching())
    return report(
        {.doing = "trace",
         .reason = cut.program.empty() ? "no program is named" : "there is both a program and --pid",
         .advice = "sandbox trace -- PROGRAM, or sandbox trace --pid PID"});
  auto name = options.named_sandbox();
  if (!name) return report(name.error());
  if (findings.is_wanted() && options.has_filters())
    return report({.doing = "understand the command line",
                   .reason = "--profile, --files and --explain look at all calls",
                   .advice = "leave the filters out"});
  survive_closed_pipes();
  if (*name) return trace_named_sandbox(**name, options, findings);

  auto recorder_options = options.recorder_options();
  if (!recorder_options) return report(recorder_options.error());
  if (auto opened = findings.open(); !opened) return report(opened.error());
  auto outputs = options.open_outputs();
  if (!outputs) return report(outputs.error());
  if (options.is_attaching()) findings.begin_within_program();
  auto recording =
      TraceRecording::create(options, findings, *std::move(recorder_options), *std::move(outputs));
  if (!recording) return report(recording.error());
  trace::Recorder& recorder = (*recording)->recorder();
  const int exit_code = options.is_on_host()
                            ? trace_on_host(options, cut.program, recorder)
                            : trace_in_sandbox(sandbox_options, std::move(cut.program), recorder);
  warn_of_losses((*recording)->outputs(), options.output());
  if (!findings.is_wanted()) return exit_code;
  if (auto written = findings.write(findings.found()); !written) return report(written.error());
  return exit_code;
}

}  // namespace sandbox::tools
