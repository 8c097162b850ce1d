// Remembering failures, and what was made good.
#include "sentry/trace/failure_history.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "sentry/trace/explanation.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

namespace {

constexpr int kLargestErrno = 133;  // beyond are the kernel's own, for calls that it restarts

bool is_execution(uint32_t number) { return number == SYS_execve || number == SYS_execveat; }
bool is_birth(uint32_t number) {
  return number == SYS_clone || number == SYS_clone3 || number == SYS_fork || number == SYS_vfork;
}

// Nothing has gone wrong: that is how these calls say "not yet" and "no more".
bool is_ordinary(uint32_t number, Errno error) {
  switch (error.value()) {
    case EINTR:
    case EINPROGRESS:
    case ECHILD:
    case ENODATA:
    case ENOTTY:
    case ESPIPE:
      return true;
    case EAGAIN:
      return !is_birth(number);
    default:
      return error.value() > kLargestErrno;
  }
}

// The limit that such a failure may be about; -1: none.
int limit_behind(uint32_t number, Errno error) {
  switch (error.value()) {
    case EMFILE:
      return RLIMIT_NOFILE;
    case EFBIG:
      return RLIMIT_FSIZE;
    case EAGAIN:
      return RLIMIT_NPROC;
    case ENOMEM:
      return number == SYS_brk ? RLIMIT_DATA : RLIMIT_AS;
    default:
      return -1;
  }
}

// "127.0.0.1 port 80", "the socket /run/x", or as the trace has it.
std::string address_in_words(const DecodedCall& call) {
  const Value* address = find_value(call, "addr");
  if (address == nullptr) address = find_value(call, "dest_addr");
  if (address == nullptr) return "";
  const auto text_of = [&](const char* member) {
    const Value* value = address->member(member);
    return value != nullptr ? std::string(value->as_string().value_or("")) : "";
  };
  const auto number_of = [&](const char* member) {
    const Value* value = address->member(member);
    return value != nullptr ? value->as_integer().value_or(0) : 0;
  };
  if (address->member("sin_port") != nullptr)
    return fmt::format("{} port {}", text_of("sin_addr"), number_of("sin_port"));
  if (address->member("sin6_port") != nullptr)
    return fmt::format("{} port {}", text_of("sin6_addr"), number_of("sin6_port"));
  if (const Value* path = address->member("sun_path"))
    return fmt::format("the socket {}{}", path->is_abstract ? "@" : "", text_of("sun_path"));
  return to_text(*address);
}

std::string object_of(const DecodedCall& call) {
  if (call.number == SYS_bind || call.number == SYS_connect || call.number == SYS_sendto)
    return address_in_words(call);
  for (const Value& argument : call.arguments)
    if (argument.kind == Value::Kind::kDescriptor && argument.label.empty()) return argument.text;
  return "";
}

// Buffers as a trace shows them; paths stay whole.
void shorten(Value& value) {
  constexpr size_t kShown = 32;
  if (value.kind == Value::Kind::kString && value.text.size() > kShown) {
    if (!value.is_cut) value.number = value.text.size();
    value.text.resize(kShown);
    value.is_cut = true;
  }
  for (Value& member : value.members) shorten(member);
}

DecodedCall shortened(DecodedCall call) {
  const auto arguments = call.row->arguments();
  for (size_t i = 0; i < call.arguments.size(); ++i)
    if (arguments[i].kind != ArgumentKind::kPath) shorten(call.arguments[i]);
  return call;
}

std::string_view last_component(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

bool is_killed_by(const ProcessHistory& process, int signal) {
  return process.wait_status && WIFSIGNALED(*process.wait_status) && WTERMSIG(*process.wait_status) == signal;
}

// Strings of the call's output, as far as they were read.
void append_strings(std::string& out, const Value& value) {
  if (value.kind == Value::Kind::kString) out += value.text;
  for (const Value& member : value.members) append_strings(out, member);
}

}  // namespace

std::string_view FailedCall::name() const {
  return paths.empty() ? std::string_view() : last_component(paths.back());
}

ProcessHistory& FailureHistory::process_of(const Event& event) {
  if (first_ == 0) first_ = event.thread.pid;
  ProcessHistory& process = processes_[event.thread.pid];
  process.pid = event.thread.pid;
  return process;
}

const ProcessHistory* FailureHistory::find(pid_t pid) const {
  auto found = processes_.find(pid);
  return found != processes_.end() ? &found->second : nullptr;
}

pid_t FailureHistory::binder_of(const std::string& address) const {
  auto found = bound_.find(address);
  return found != bound_.end() ? found->second : 0;
}

void FailureHistory::on_call(const CallEvent& event) {
  ProcessHistory& process = process_of(event);
  ++process.calls;
  if (event.call.row == nullptr) return;
  note_signal_sent(event);
  if (!event.call.result) return;
  note_words(process, event);
  note_connection(process, event);
  const auto& error = event.call.result->error;
  if (!error) return note_success(process, event);
  if (!is_ordinary(event.call.number, *error)) note_failure(process, failed_call(process, event, *error));
}

// One that is made while the program does something else tells its error to whoever asks for it then.
void FailureHistory::note_connection(ProcessHistory& process, const CallEvent& event) {
  const DecodedCall& call = event.call;
  const int descriptor = static_cast<int>(call.registers[0]);
  if (call.number == SYS_connect) {
    process.connecting.erase(descriptor);
    if (call.result->error == Errno(EINPROGRESS))
      process.connecting.emplace(descriptor, failed_call(process, event, Errno(EINPROGRESS)));
    return;
  }
  const bool is_question = call.number == SYS_getsockopt &&
                           static_cast<int>(call.registers[1]) == SOL_SOCKET &&
                           static_cast<int>(call.registers[2]) == SO_ERROR;
  if (!is_question) return;
  const Value* told = find_value(call, "optval.0");
  const int64_t error = told != nullptr ? told->as_integer().value_or(0) : 0;
  auto attempt = process.connecting.extract(descriptor);
  if (attempt.empty() || error <= 0 || error > kLargestErrno) return;
  FailedCall failed = std::move(attempt.mapped());
  failed.place = process.calls;
  failed.error = Errno(static_cast<int>(error));
  failed.text += ", then " + to_text(shortened(call));
  note_failure(process, std::move(failed));
}

// Also by a call whose return nobody saw: it ended its own process, or the trace ended with its target.
void FailureHistory::note_signal_sent(const CallEvent& event) {
  const uint32_t number = event.call.number;
  if (number != SYS_kill && number != SYS_tgkill && number != SYS_tkill) return;
  if (event.call.result && event.call.result->error) return;
  const auto target = static_cast<pid_t>(event.call.registers[0]);
  const int signal = static_cast<int>(event.call.registers[number == SYS_tgkill ? 2 : 1]);
  std::string words;
  append_entry(words, event.call);
  words = target == event.thread.pid ? fmt::format("it sent the signal to itself: {}", words)
                                     : fmt::format("process {} sent it: {}", event.thread.pid, words);
  signalled_[target][signal] = words;
  // The target may be dead before the call has returned.
  auto found = processes_.find(target);
  if (found == processes_.end() || !is_killed_by(found->second, signal)) return;
  found->second.sender = std::move(words);
  if (target == first_) explanation_ = explain(*this, found->second, *surroundings_);
}

void FailureHistory::note_words(ProcessHistory& process, const CallEvent& event) {
  const uint32_t number = event.call.number;
  if ((number != SYS_write && number != SYS_writev) || static_cast<int>(event.call.registers[0]) != 2) return;
  // A passage is what is written with little between; the reading of a program's own source may lie there.
  constexpr uint64_t kPause = 100;
  if (process.words.empty() || process.calls - process.words_place > kPause)
    process.words_place = process.calls;
  if (event.call.arguments.size() > 1) append_strings(process.words, event.call.arguments[1]);
  if (process.words.size() > kMaxWords) process.words.erase(0, process.words.size() - kMaxWords);
}

FailedCall FailureHistory::failed_call(const ProcessHistory& process, const CallEvent& event, Errno error) {
  FailedCall failed;
  const DecodedCall& call = event.call;
  failed.place = process.calls;
  failed.event = {event.thread.host_tid, call.number, call.registers, 0};
  failed.row = call.row;
  failed.error = error;
  failed.thread = event.thread;
  failed.text = to_text(shortened(call));
  failed.paths = event.paths;
  failed.object = object_of(call);
  const Value* flags = find_value(call, call.number == SYS_openat2 ? "how.flags" : "flags");
  if (flags != nullptr) failed.flags = flags->as_integer().value_or(0);
  if (failed.error == Errno(EACCES) || failed.error == Errno(EPERM))
    failed.credentials = surroundings_->credentials_of(event.thread.host_tid);
  if (int resource = limit_behind(call.number, failed.error); resource >= 0) {
    rlimit limit;
    failed.resource = resource;
    if (::prlimit(event.thread.host_tid, static_cast<__rlimit_resource>(resource), nullptr, &limit) == 0)
      failed.limit = limit;
  }
  return failed;
}

void FailureHistory::note_failure(ProcessHistory& process, FailedCall failed) {
  process.failures.push_back(std::move(failed));
  if (process.failures.size() > kMaxFailures) process.failures.pop_front();
}

void FailureHistory::note_success(ProcessHistory& process, const CallEvent& event) {
  const DecodedCall& call = event.call;
  if (is_execution(call.number)) {
    // What went wrong before belongs to another program.
    process.failures.clear();
    process.words.clear();
    process.program = event.paths.empty() ? "" : event.paths.front();
    return;
  }
  if (call.number == SYS_bind) bound_[address_in_words(call)] = event.thread.pid;
  for (const std::string& path : event.paths) {
    const std::string_view name = last_component(path);
    for (FailedCall& failed : process.failures)
      failed.is_made_good |= !failed.paths.empty() && failed.name() == name && failed.error == Errno(ENOENT);
  }
  for (FailedCall& failed : process.failures)
    failed.is_made_good |=
        failed.row == call.row && failed.event.args == call.registers && failed.paths == event.paths;
  // Which directories a program knows of: by their attributes, or by listing them.
  const bool is_listing = call.number == SYS_getdents64 || call.number == SYS_getdents;
  const bool is_question =
      call.number == SYS_newfstatat || call.number == SYS_stat || call.number == SYS_statx;
  std::string directory = is_listing ? object_of(call) : "";
  if (is_question && !event.paths.empty()) {
    const Value* mode = find_value(call, call.number == SYS_statx ? "statxbuf.stx_mode" : "statbuf.st_mode");
    const auto number = mode != nullptr ? mode->as_integer() : std::nullopt;
    if (number && S_ISDIR(static_cast<mode_t>(*number))) directory = event.paths.front();
  }
  if (directory.empty()) return;
  std::erase(process.directories, directory);
  process.directories.push_back(std::move(directory));
  if (process.directories.size() > kMaxDirectories) process.directories.pop_front();
}

void FailureHistory::on_signal(const SignalEvent& event) { process_of(event).signal = event.info; }

void FailureHistory::on_birth(const BirthEvent& event) {
  if (event.child.pid == event.thread.pid) return;
  ProcessHistory& parent = process_of(event);
  if (processes_.size() < kMaxProcesses) parent.children.push_back(event.child.pid);
  // Pids come again.
  processes_[event.child.pid] = {.pid = event.child.pid};
  signalled_.erase(event.child.pid);
}

void FailureHistory::on_death(const DeathEvent& event) {
  if (event.thread.tid != event.thread.pid) return;
  ProcessHistory& process = process_of(event);
  process.wait_status = event.wait_status;
  if (WIFSIGNALED(event.wait_status)) process.sender = signalled_[process.pid][WTERMSIG(event.wait_status)];
  const bool has_succeeded = WIFEXITED(event.wait_status) && WEXITSTATUS(event.wait_status) == 0;
  if (has_succeeded && (process.pid != first_ || has_begun_within_)) {
    // Nobody will ask about it.
    process.failures.clear();
    process.words.clear();
  }
  const bool is_asked_about = has_begun_within_ ? !has_succeeded : process.pid == first_;
  if (is_asked_about) explanation_ = explain(*this, process, *surroundings_);
}

}  // namespace sandbox::trace
