// Decoding what was refused.
#include "sentry/profile_reports.h"

#include <fmt/format.h>

#include "sandbox/errno.h"
#include "sandbox/syscall_table.h"
#include "sentry/trace/code_text.h"
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

void ProfileReports::set_subject(trace::Subject& subject) {
  subject_ = &subject;
  code_.emplace(trace::CodeOptions{.wants_stacks = true}, subject);
}

ProfileReports::Interest ProfileReports::on_call_against_profile(const platform::SyscallEvent& event,
                                                                 GuestMemory& memory,
                                                                 const platform::ProfileAction& action) {
  const SyscallRow* row = find_syscall(event.number);
  std::string name = row != nullptr ? std::string(row->name) : fmt::format("syscall_{:#x}", event.number);
  const std::string consequence = consequence_of(action);
  std::lock_guard lock(mutex_);
  if (counts_[{name, consequence}]++ > 0) return Interest::kNone;
  // What it would have written is shown as where it would have.
  trace::DecodedCall call = decoder_.entry(event.number, event.args, {memory});
  decoder_.exit(call, Errno(EPERM).as_return(), {memory});
  std::string text;
  trace::append_entry(text, call);
  const pid_t pid = subject_->identify(event.host_tid).pid;
  std::string who;
  trace::append_text(who, trace::Value::string(subject_->surroundings().command_of(event.host_tid)));
  waiting_[event.host_tid] =
      fmt::format("process {} ({}) called {}: the seccomp profile {}", pid, who, text, consequence);
  return Interest::kRegisters;
}

void ProfileReports::on_registers(pid_t tid, const user_regs_struct& registers) {
  std::lock_guard lock(mutex_);
  auto waiting = waiting_.extract(tid);
  if (waiting.empty()) return;
  const pid_t pid = subject_->identify(tid).pid;
  trace::append_site(waiting.mapped(), code_->site_of_call(pid, tid, registers));
  // Nobody tells of what the process maps and executes until the next time.
  code_->forget(pid);
  tell_(waiting.mapped());
}

void ProfileReports::finish() {
  std::lock_guard lock(mutex_);
  for (const auto& [tid, text] : waiting_) tell_(text);
  waiting_.clear();
  for (const auto& [kind, count] : counts_)
    if (count > 1)
      tell_(fmt::format("{} {} times more: the seccomp profile {}", kind.first, count - 1, kind.second));
}

}  // namespace sandbox
