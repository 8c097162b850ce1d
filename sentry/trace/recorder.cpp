// From stops to events.
#include "sentry/trace/recorder.h"

#include <sys/syscall.h>

#include <chrono>
#include <utility>

#include "platform/copied_memory.h"
#include "platform/process_memory.h"
#include "sandbox/clock.h"
#include "sentry/trace/named_paths.h"

namespace sandbox::trace {

namespace {

using Interest = platform::CallObserver::Interest;

bool never_returns(const DecodedCall& call) {
  return call.row != nullptr && call.row->signature.result_type == "NoReturn";
}

bool is_exec(const DecodedCall& call) { return call.number == SYS_execve || call.number == SYS_execveat; }

}  // namespace

Recorder::Recorder(RecorderOptions options, Outputs& outputs, Writer& writer)
    : options_(std::move(options)),
      decoder_(options_.decoder),
      outputs_(outputs),
      writer_(writer),
      real_time_offset_ns_(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)) {
  calls_wanted_ = options_.filter.calls;
  if (options_.injector) calls_wanted_.add(options_.injector->calls());
}

Recorder::~Recorder() { finish(); }

void Recorder::set_subject(Subject& subject) {
  subject_ = &subject;
  if (needs_registers()) code_.emplace(options_.code, subject);
  writer_.set_surroundings(subject.surroundings());
}

void Recorder::add_thread(pid_t host_tid) {
  std::lock_guard lock(mutex_);
  thread_of(host_tid);
}

void Recorder::look_at_process(pid_t tid, Thread& thread) {
  if (options_.filter.processes.empty()) return;
  thread.command = subject_->surroundings().command_of(tid);
  thread.is_admitted = options_.filter.admits_process(thread.identity, thread.command);
}

Recorder::Thread& Recorder::thread_of(pid_t tid) {
  auto [found, is_new] = threads_.try_emplace(tid);
  Thread& thread = found->second;
  if (!is_new) return thread;
  thread.identity = subject_->identify(tid);
  thread.identity.host_tid = tid;
  const bool needs_names = options_.describes_descriptors || options_.resolves_paths ||
                           (options_.injector && options_.injector->needs_names()) ||
                           !options_.filter.paths.empty();
  if (needs_names) thread.names = subject_->names_of(tid);
  look_at_process(tid, thread);
  if (!has_begun_) {
    has_begun_ = true;
    writer_.begin(real_time_of(clock_ns(CLOCK_MONOTONIC)));
    // Not earlier: the sandbox is set up by a process of one thread.
    flusher_ = std::jthread([this](std::stop_token stop) { flush_now_and_then(stop); });
  }
  return thread;
}

Event Recorder::event_of(const Thread& thread) const {
  return {thread.identity, real_time_of(clock_ns(CLOCK_MONOTONIC))};
}

void Recorder::note_record() {
  if (is_dirty_) return;
  is_dirty_ = true;
  dirty_.notify_one();
}

void Recorder::flush_now_and_then(std::stop_token stop) {
  constexpr auto kOldAge = std::chrono::milliseconds(100);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!dirty_.wait(lock, stop, [&] { return is_dirty_; })) return;
    dirty_.wait_for(lock, stop, kOldAge, [] { return false; });
    outputs_.flush();
    is_dirty_ = false;
  }
}

Interest Recorder::on_call(const platform::SyscallEvent& event, GuestMemory& memory,
                           const user_regs_struct* registers) {
  std::lock_guard lock(mutex_);
  Thread& thread = thread_of(event.host_tid);
  thread.pending.reset();
  thread.intervention.reset();
  thread.registers.reset();
  if (std::exchange(thread.is_renamed, false)) look_at_process(event.host_tid, thread);
  if (!thread.is_admitted) return Interest::kNone;
  CallEvent& call = thread.pending.emplace();
  call.thread = thread.identity;
  call.time_ns = real_time_of(clock_ns(CLOCK_MONOTONIC));
  DescriptorNames* names = thread.names.get();
  call.call =
      decoder_.entry(event.number, event.args, {memory, options_.describes_descriptors ? names : nullptr});
  if (options_.resolves_paths) call.paths = named_paths(call.call, *names);
  if (options_.injector) thread.intervention = options_.injector->decide(call, memory, names);
  thread.was_injected = thread.intervention.has_value();
  if (!options_.filter.calls.contains(event.number) || !options_.filter.may_pass(call, names)) {
    thread.pending.reset();
    return Interest::kNone;
  }
  if (code_ && registers != nullptr) thread.registers = *registers;
  // Later only when it may be in vain; an exec leaves nothing to look at.
  if (!options_.filter.awaits_result() || is_exec(call.call)) look_at_site(event.host_tid, thread);
  if (never_returns(call.call)) {
    end_call(event.host_tid, thread, CallEnd::kNoReturn);
    return Interest::kNone;
  }
  thread.begin_ns = clock_ns(CLOCK_MONOTONIC);
  return interest_in(thread);
}

// kResult when nothing but the result, and bytes that are known by now, is to be learnt at the end of the
// pending call. An exec's end is its event.
Interest Recorder::interest_in(const Thread& thread) const {
  const DecodedCall& call = thread.pending->call;
  const bool looks_at_thread = thread.names != nullptr || thread.was_injected || thread.registers ||
                               is_exec(call) || !decoder_.outputs(call);
  return looks_at_thread ? Interest::kReturn : Interest::kResult;
}

void Recorder::on_return(pid_t tid, int64_t result, GuestMemory& memory) {
  take_result(tid, result, memory, clock_ns(CLOCK_MONOTONIC));
}

platform::OutputRanges Recorder::outputs_of(pid_t tid) {
  std::lock_guard lock(mutex_);
  auto found = threads_.find(tid);
  if (found == threads_.end() || !found->second.pending) return {};
  return decoder_.outputs(found->second.pending->call).value_or(platform::OutputRanges{});
}

void Recorder::on_result(pid_t tid, int64_t result, uint64_t time_ns,
                         const platform::CopiedOutputs& outputs) {
  platform::CopiedMemory memory(tid, outputs);
  take_result(tid, result, memory, time_ns);
}

void Recorder::take_result(pid_t tid, int64_t result, GuestMemory& memory, uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  auto found = threads_.find(tid);
  if (found == threads_.end() || !found->second.pending) return;
  Thread& thread = found->second;
  CallEvent& call = *thread.pending;
  call.duration_ns = now_ns - thread.begin_ns;
  decoder_.exit(call.call, result, {memory, options_.describes_descriptors ? thread.names.get() : nullptr});
  if (thread.was_injected) {
    Value& remarks = call.call.result->remarks;
    remarks.kind = Value::Kind::kRemarks;
    remarks.add({}, Value::word("INJECTED"));
  }
  if (code_) code_->note_return(thread.identity.pid, call.call);
  end_call(tid, thread, CallEnd::kReturned);
}

// Nobody has changed the stack since the call began: the kernel keeps the registers that matter.
void Recorder::look_at_site(pid_t tid, Thread& thread) {
  if (!thread.registers) return;
  thread.pending->site = code_->site_of_call(thread.identity.pid, tid, *thread.registers);
  thread.registers.reset();
}

void Recorder::end_call(pid_t tid, Thread& thread, CallEnd end) {
  if (!thread.pending) return;
  thread.pending->end = end;
  if (options_.filter.passes(*thread.pending)) {
    if (end != CallEnd::kKilled) look_at_site(tid, thread);
    ++calls_;
    writer_.on_call(*thread.pending);
    note_record();
  }
  thread.pending.reset();
}

std::optional<platform::Intervention> Recorder::take_intervention(pid_t tid) {
  std::lock_guard lock(mutex_);
  auto found = threads_.find(tid);
  return found != threads_.end() ? std::exchange(found->second.intervention, std::nullopt) : std::nullopt;
}

void Recorder::on_lost(pid_t tid) {
  std::lock_guard lock(mutex_);
  if (auto found = threads_.find(tid); found != threads_.end())
    end_call(tid, found->second, CallEnd::kUnknown);
}

void Recorder::on_birth(pid_t parent, pid_t child) {
  std::lock_guard lock(mutex_);
  BirthEvent event;
  static_cast<Event&>(event) = event_of(thread_of(parent));
  event.child = thread_of(child).identity;
  if (code_ && event.child.pid != event.thread.pid) code_->note_birth(event.thread.pid, event.child.pid);
  writer_.on_birth(event);
}

void Recorder::on_exec(pid_t maker, pid_t group) {
  std::lock_guard lock(mutex_);
  Thread& survivor = thread_of(maker);
  std::optional<CallEvent> exec = std::move(survivor.pending);
  const uint64_t begin_ns = survivor.begin_ns;
  survivor.pending.reset();
  const pid_t pid = thread_of(group).identity.pid;
  for (auto entry = threads_.begin(); entry != threads_.end();) {
    const bool is_of_group = entry->second.identity.pid == pid;
    if (is_of_group) end_call(entry->first, entry->second, CallEnd::kKilled);
    entry = is_of_group && entry->first != group ? threads_.erase(entry) : std::next(entry);
  }
  Thread& thread = thread_of(group);
  thread.is_renamed = true;
  if (code_) code_->forget(pid);
  if (!exec) return;
  thread.pending = std::move(exec);
  thread.pending->thread = thread.identity;
  thread.pending->duration_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
  platform::ProcessMemory memory(group);
  decoder_.exit(thread.pending->call, 0, {memory, nullptr});
  end_call(group, thread, CallEnd::kReturned);
}

void Recorder::on_signal(pid_t tid, const siginfo_t& info, const user_regs_struct& registers) {
  std::lock_guard lock(mutex_);
  Thread& thread = thread_of(tid);
  if (!thread.is_admitted) return;
  SignalEvent event;
  static_cast<Event&>(event) = event_of(thread);
  event.info = info;
  if (code_ && is_fatal(info.si_signo, subject_->handled_signals_of(tid)))
    event.fatal = code_->fatal_signal(thread.identity.pid, tid, info, registers);
  writer_.on_signal(event);
  note_record();
}

void Recorder::on_group_stop(pid_t tid, int signal) {
  std::lock_guard lock(mutex_);
  Thread& thread = thread_of(tid);
  if (!thread.is_admitted) return;
  StopEvent event;
  static_cast<Event&>(event) = event_of(thread);
  event.signal = signal;
  writer_.on_stop(event);
  note_record();
}

void Recorder::on_death(pid_t tid, int wait_status) {
  std::lock_guard lock(mutex_);
  auto found = threads_.find(tid);
  if (found == threads_.end()) return;
  Thread& thread = found->second;
  end_call(tid, thread, CallEnd::kKilled);
  if (thread.is_admitted) {
    DeathEvent event;
    static_cast<Event&>(event) = event_of(thread);
    event.wait_status = wait_status;
    writer_.on_death(event);
    note_record();
  }
  if (thread.identity.tid == thread.identity.pid) {
    outputs_.close(thread.identity.pid);
    if (code_) code_->forget(thread.identity.pid);
  }
  threads_.erase(found);
}

void Recorder::finish() {
  if (flusher_.joinable()) {
    flusher_.request_stop();
    flusher_.join();
  }
  std::lock_guard lock(mutex_);
  if (has_ended_) return;
  has_ended_ = true;
  for (auto& [tid, thread] : threads_) end_call(tid, thread, CallEnd::kDetached);
  if (has_begun_) writer_.end({calls_, outputs_.lost_records()});
  outputs_.flush();
}

}  // namespace sandbox::trace
