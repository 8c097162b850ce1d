// Decoding what was refused.
#include "sentry/profile_reports.h"

#include <fmt/format.h>

#include "sandbox/errno.h"
#include "sandbox/syscall_table.h"
#include "sentry/trace/text.h"

namespace sandbox {

namespace {

std::string consequence_of(const platform::ProfileAction& action) {
  using Kind = platform::ProfileAction::Kind;
  switch (action.kind) {
    case Kind::kAllow:
      return "allows it";
    case Kind::kLog:
      return "lets it pass and wants it told";
    case Kind::kErrno:
      return fmt::format("lets it fail with {}", Errno(action.error).name());
    case Kind::kTrap:
      return "sends SIGSYS";
    case Kind::kKillThread:
      return "kills the thread";
    case Kind::kKillProcess:
      return "kills the process";
  }
  return "refuses it";
}

}  // namespace

void ProfileReports::on_call_against_profile(const platform::SyscallEvent& event, GuestMemory& memory,
                                             const platform::ProfileAction& action) {
  const SyscallRow* row = find_syscall(event.number);
  std::string name = row != nullptr ? std::string(row->name) : fmt::format("syscall_{:#x}", event.number);
  const std::string consequence = consequence_of(action);
  std::lock_guard lock(mutex_);
  if (counts_[{name, consequence}]++ > 0) return;
  std::string text;
  trace::append_entry(text, decoder_.entry(event.number, event.args, {memory}));
  const trace::ThreadIdentity thread =
      subject_ != nullptr ? subject_->identify(event.host_tid) : trace::ThreadIdentity{};
  const std::string command = subject_ != nullptr ? subject_->command_of(event.host_tid) : "";
  std::string who;
  trace::append_text(who, trace::Value::string(command));
  tell_(fmt::format("process {} ({}) called {}: the seccomp profile {}", thread.pid, who, text, consequence));
}

std::vector<std::string> ProfileReports::repetitions() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto& [kind, count] : counts_)
    if (count > 1)
      lines.push_back(
          fmt::format("{} {} times more: the seccomp profile {}", kind.first, count - 1, kind.second));
  return lines;
}

}  // namespace sandbox
