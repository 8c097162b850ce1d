// Answers by registers, and descriptors that a stopped thread is made to receive.
#include "platform/ptrace_engine.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <cstring>

#include "platform/descriptor_message.h"
#include "platform/filter.h"
#include "platform/loader_call.h"
#include "sandbox/check.h"
#include "sandbox/syscall_table.h"

namespace sandbox::platform {

namespace {

constexpr int64_t kRestartSys = -512;  // ERESTARTSYS

bool is_closing_reserved(const SyscallEvent& event) {
  return static_cast<uint32_t>(event.args[0]) <= kReservedFd &&
         static_cast<uint32_t>(event.args[1]) >= kReservedFd;
}

// Whether the thread has a descriptor of that number or above, up to `last`.
bool has_descriptor_between(pid_t tid, uint32_t first, uint32_t last) {
  DIR* directory = opendir(fmt::format("/proc/{}/fd", tid).c_str());
  if (directory == nullptr) return true;
  bool is_found = false;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    uint32_t number = std::strtoul(entry->d_name, nullptr, 10);
    is_found |= number >= first && number <= last;
  }
  closedir(directory);
  return is_found;
}

}  // namespace

// ---- the engine's side of the tracer ----

void PtraceEngine::on_seccomp_stop(pid_t tid, const Registers& registers) {
  uint64_t id;
  {
    std::lock_guard lock(mutex_);
    id = next_call_id_++;
    waiting_.insert_or_assign(tid, id);
  }
  to_restart_.erase(tid);
  PtraceCall call(*this, id, event_of(tid, registers), registers);
  const SyscallEvent& event = call.event();
  if (is_loader_call(event)) {
    // Anybody may make this call; only after an exec is there a program to hand over.
    if (!tracer_.take_completed_exec(tid)) return call.reply(-ENOSYS);
    answer_loader_call(call, supervisor_, InstallRetry::kImpossible);
  } else if (event.number == SYS_recvmsg && static_cast<int>(event.args[0]) == kReservedFd) {
    // The filter lets this through to the tracer only so that the tracer may order it.
    call.reply(-EBADF);
  } else if (event.number == SYS_close_range && is_closing_reserved(event)) {
    call.settle();
    close_range_around(tid, registers);
  } else if (decide_syscall(event.number, event.args).reaches_handler()) {
    supervisor_.on_syscall(call);
  } else {
    // A filter of the workload's own said RET_TRACE: without a tracer that is ENOSYS.
    call.reply(-ENOSYS);
  }
  SANDBOX_CHECK(call.is_settled(), "a system call was left without an answer");
}

// orig_rax is -1 since the call was skipped, and Linux restarts only what it takes for a system call.
TracerEngine::Change PtraceEngine::on_signal_stop(pid_t tid, Registers& registers) {
  auto found = to_restart_.find(tid);
  if (found == to_restart_.end()) return Change::kNone;
  registers.orig_rax = found->second;
  registers.rax = static_cast<uint64_t>(kRestartSys);
  to_restart_.erase(found);
  return Change::kRegisters;
}

void PtraceEngine::on_thread_gone(pid_t tid) {
  to_restart_.erase(tid);
  std::lock_guard lock(mutex_);
  waiting_.erase(tid);
}

bool PtraceEngine::is_waiting(pid_t tid, uint64_t call_id) {
  std::lock_guard lock(mutex_);
  auto found = waiting_.find(tid);
  return found != waiting_.end() && found->second == call_id;
}

// ---- answers ----

void PtraceEngine::finish(pid_t tid, Registers registers, int64_t value) {
  {
    std::lock_guard lock(mutex_);
    waiting_.erase(tid);
  }
  const uint64_t number = registers.orig_rax;
  registers.orig_rax = static_cast<uint64_t>(-1);
  if (value == kRestartSys) {
    // EINTR should the signal be gone by now.
    to_restart_.insert_or_assign(tid, number);
    value = -EINTR;
  }
  registers.rax = static_cast<uint64_t>(value);
  if (!set_registers(tid, registers)) return;
  tracer_.note_answer(tid, value);
  tracer_.let_run(tid);
}

void PtraceEngine::finish_natively(pid_t tid, uint64_t number) {
  {
    std::lock_guard lock(mutex_);
    waiting_.erase(tid);
  }
  tracer_.let_call_run(tid, static_cast<uint32_t>(number));
}

void PtraceEngine::finish_altered(pid_t tid, const Registers& registers, const Intervention& wanted) {
  {
    std::lock_guard lock(mutex_);
    waiting_.erase(tid);
  }
  tracer_.let_altered_call_run(tid, registers, wanted);
}

// Takes back what a thread that was killed did not receive, so that the next one does not get it.
void PtraceEngine::drain() {
  char byte;
  while (recv(process_.descriptor_receiver.get(), &byte, 1, MSG_DONTWAIT) > 0) {
  }
}

Result<std::vector<int>> PtraceEngine::receive(pid_t tid, const Registers& registers,
                                               std::span<const int> fds, CloseOnExec close_on_exec) {
  ProcessMemory memory(tid);
  ReceiveArea area(tid, memory, registers);
  TRY(area.write());
  TRY(send_descriptors(process_.descriptor_sender.get(), fds));
  Registers changed = registers;
  changed.orig_rax = SYS_recvmsg;
  changed.rdi = kReservedFd;
  changed.rsi = area.address();
  changed.rdx = MSG_DONTWAIT | (close_on_exec == CloseOnExec::kYes ? MSG_CMSG_CLOEXEC : 0);
  auto received = [&]() -> Result<Registers> {
    TRY(set_registers(tid, changed));
    return tracer_.finish_syscall(tid, SYS_recvmsg);
  }();
  // The filter and the sentry keep the socket from everybody: who got it all the same could get the files of
  // processes with other rights.
  bool was_stolen = received && static_cast<int64_t>(received->rax) == -EAGAIN;
  SANDBOX_CHECK(!was_stolen, "a descriptor was taken on its way to the thread it was for");
  if (!received || static_cast<int64_t>(received->rax) < 0) {
    drain();
    if (received) return err(EMFILE);
    // Not this call's thread any more: nothing may be written to its registers.
    std::lock_guard lock(mutex_);
    waiting_.erase(tid);
    return err(ESRCH);
  }
  return area.read_numbers(fds.size());
}

// close_range over the reserved number: one call for the part below it, or for the part above when that is
// all. What is above is empty for nearly every program; when it is not, the thread executes its instruction
// again.
void PtraceEngine::close_range_around(pid_t tid, const Registers& registers) {
  const uint32_t first = registers.rdi, last = registers.rsi;
  tracer_.tell_call(tid, registers);
  auto finish_told = [&](int64_t result) {
    tracer_.tell_return(tid, SYS_close_range, result);
    finish(tid, registers, result);
  };
  if (first == kReservedFd && last == kReservedFd) return finish_told(0);
  Registers part = registers;
  if (first < kReservedFd) {
    part.rsi = kReservedFd - 1;
  } else {
    part.rdi = kReservedFd + 1;
  }
  if (!set_registers(tid, part)) return;
  auto finished = tracer_.finish_syscall(tid, SYS_close_range);
  if (!finished) return;
  int64_t result = static_cast<int64_t>(finished->rax);
  if (result == 0 && first < kReservedFd && last > kReservedFd &&
      has_descriptor_between(tid, kReservedFd + 1, last)) {
    Registers above = registers;
    above.rdi = kReservedFd + 1;
    auto repeated = tracer_.repeat_syscall(tid, registers, above);
    if (!repeated) return;
    result = *repeated;
  }
  finish_told(result);
}

// ---- PtraceCall ----

PtraceCall::~PtraceCall() {
  // A parked call whose owner gave it up; were nothing sent, its thread would wait for ever.
  if (!is_settled_) reply(-EINTR);
}

// By value: it may outlive the call.
struct PtraceCall::Target {
  PtraceEngine& engine;
  pid_t tid;
  uint64_t id;
  Registers registers;
  bool is_waiting() const { return engine.is_waiting(tid, id); }
};

void PtraceCall::reply(int64_t value) {
  is_settled_ = true;
  engine_.tracer_.post([target = target(), value] {
    if (target.is_waiting()) target.engine.finish(target.tid, target.registers, value);
  });
}

void PtraceCall::run_natively() {
  SANDBOX_CHECK(!has_installed_, "a call that installed a descriptor cannot run natively any more");
  is_settled_ = true;
  engine_.tracer_.post([target = target()] {
    if (target.is_waiting()) target.engine.finish_natively(target.tid, target.registers.orig_rax);
  });
}

void PtraceCall::run_altered(const Intervention& wanted) {
  SANDBOX_CHECK(!has_installed_, "a call that installed a descriptor cannot run natively any more");
  is_settled_ = true;
  engine_.tracer_.post([target = target(), wanted] {
    if (target.is_waiting()) target.engine.finish_altered(target.tid, target.registers, wanted);
  });
}

Result<int> PtraceCall::install(int fd, CloseOnExec close_on_exec) {
  auto numbers = TRY(install_all(std::span(&fd, 1), close_on_exec));
  return numbers.front();
}

Result<std::vector<int>> PtraceCall::install_all(std::span<const int> fds, CloseOnExec close_on_exec) {
  SANDBOX_CHECK(!has_installed_, "on the ptrace engine a call can install descriptors only once");
  has_installed_ = true;
  Result<std::vector<int>> numbers = err(ESRCH);
  engine_.tracer_.run_on_tracer([&] {
    if (is_waiting()) numbers = engine_.receive(event_.host_tid, registers_, fds, close_on_exec);
  });
  return numbers;
}

void PtraceCall::reply_with_fd(UniqueFd fd, CloseOnExec close_on_exec) {
  SANDBOX_CHECK(!has_installed_, "on the ptrace engine a call can install descriptors only once");
  is_settled_ = true;
  // Shared only because a std::function can be copied.
  auto shared = std::make_shared<UniqueFd>(std::move(fd));
  engine_.tracer_.post([target = target(), shared, close_on_exec] {
    if (!target.is_waiting()) return;
    const int sent = shared->get();
    auto numbers = target.engine.receive(target.tid, target.registers, std::span(&sent, 1), close_on_exec);
    if (!target.is_waiting()) return;
    target.engine.finish(target.tid, target.registers,
                         numbers ? numbers->front() : numbers.error().as_return());
  });
}

PtraceCall::Target PtraceCall::target() const { return {engine_, event_.host_tid, id_, registers_}; }

std::unique_ptr<InterceptedCall> PtraceCall::park() {
  is_settled_ = true;
  auto parked = std::make_unique<PtraceCall>(engine_, id_, event_, registers_);
  parked->has_installed_ = has_installed_;
  return parked;
}

}  // namespace sandbox::platform
