// The calls that a stopped thread makes to receive an O_PATH descriptor.
#include "platform/path_descriptors.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "platform/descriptor_message.h"
#include "platform/process_memory.h"

namespace sandbox::platform {

void PathDescriptors::deliver(pid_t tid, int number, CloseOnExec close_on_exec,
                              std::function<void()> answer) {
  tracer_.post([this, tid, number, close_on_exec, answer = std::move(answer)] {
    // Where the kernel lets the interruption end the call's wait (before WAIT_KILLABLE_RECV, Linux 5.19),
    // nobody waits for the answer any more; the thread stops all the same, and its registers are set there.
    if (ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) == 0)
      pending_.insert_or_assign(tid, Delivery{number, close_on_exec});
    answer();
  });
}

Result<int64_t> PathDescriptors::call(pid_t tid, const Registers& registers, uint64_t number, uint64_t first,
                                      uint64_t second, uint64_t third) {
  Registers original = registers;
  original.orig_rax = number;
  Registers again = original;
  again.rdi = first;
  again.rsi = second;
  again.rdx = third;
  return tracer_.repeat_syscall(tid, original, again);
}

Result<int> PathDescriptors::receive(pid_t tid, const Registers& registers, const Delivery& delivery) {
  const auto socket = static_cast<uint64_t>(delivery.number);
  ProcessMemory memory(tid);
  ReceiveArea area(tid, memory, registers);
  Result<std::vector<int>> received = err(EMFILE);
  if (area.write() && TRY(call(tid, registers, SYS_recvmsg, socket, area.address(), MSG_DONTWAIT)) >= 0)
    received = area.read_numbers(1);
  if (!received) {
    TRY(call(tid, registers, SYS_close, socket, 0, 0));
    return err(EMFILE);
  }
  const auto path = static_cast<uint64_t>(received->front());
  const uint64_t flags = delivery.close_on_exec == CloseOnExec::kYes ? O_CLOEXEC : 0;
  TRY(call(tid, registers, SYS_dup3, path, socket, flags));
  TRY(call(tid, registers, SYS_close, path, 0, 0));
  return delivery.number;
}

void PathDescriptors::on_trap_stop(pid_t tid) {
  auto found = pending_.find(tid);
  if (found == pending_.end()) return tracer_.let_run(tid);
  Delivery delivery = found->second;
  pending_.erase(found);
  auto registers = get_registers(tid);
  if (!registers) return;
  // A signal would be delivered between the calls: its handler's frame would be built on half of them.
  uint64_t mask = 0, all = ~uint64_t{0};
  if (ptrace(PTRACE_GETSIGMASK, tid, sizeof mask, &mask) < 0) return;
  (void)ptrace(PTRACE_SETSIGMASK, tid, sizeof all, &all);
  Result<int> number = receive(tid, *registers, delivery);
  (void)ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask);
  if (!number && number.error() == Errno(ESRCH)) return;
  Registers result = *registers;
  result.orig_rax = static_cast<uint64_t>(-1);
  result.rax = static_cast<uint64_t>(number ? *number : number.error().as_return());
  if (set_registers(tid, result)) tracer_.let_run(tid);
}

}  // namespace sandbox::platform
