// The second half of an execve: the fresh address space asks for its program.
#include "platform/loader_call.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "platform/exec_plan.h"
#include "platform/loader/loader_abi.h"

namespace sandbox::platform {

namespace {

// A process may run with so low a limit that the loader's two descriptors do not fit (execve itself needs
// none). The soft limit is raised as far as it goes and the loader puts it back.
std::optional<rlimit> raise_descriptor_limit(pid_t pid) {
  rlimit old;
  if (prlimit(pid, RLIMIT_NOFILE, nullptr, &old) < 0 || old.rlim_cur >= old.rlim_max) return std::nullopt;
  rlimit raised{old.rlim_max, old.rlim_max};
  if (prlimit(pid, RLIMIT_NOFILE, &raised, nullptr) < 0) return std::nullopt;
  return old;
}

Result<std::vector<int>> install_files(InterceptedCall& call, const ExecImage& image) {
  const std::array files{image.program.file.get(), image.interpreter ? image.interpreter->file.get() : -1};
  return call.install_all(std::span(files).first(image.interpreter ? 2 : 1), CloseOnExec::kYes);
}

Result<void> hand_over(InterceptedCall& call, ExecImage& image, InstallRetry retry) {
  std::optional<rlimit> nofile_to_restore;
  const pid_t pid = call.event().host_tid;
  if (retry == InstallRetry::kImpossible) nofile_to_restore = raise_descriptor_limit(pid);
  auto numbers = install_files(call, image);
  if (!numbers && numbers.error() == Errno(EMFILE) && retry == InstallRetry::kPossible) {
    nofile_to_restore = raise_descriptor_limit(pid);
    numbers = install_files(call, image);
  }
  if (!numbers) return std::unexpected(numbers.error());
  InstalledObjects installed{numbers->front(), numbers->back()};
  auto plan = TRY(build_exec_plan(image, installed, nofile_to_restore));
  const auto& args = call.event().args;
  if (plan.size() > args[3]) return err(E2BIG);
  return call.memory().write_bytes(args[2], plan);
}

}  // namespace

bool is_loader_call(const SyscallEvent& event) {
  return (event.number == SYS_execve || event.number == SYS_execveat) && event.args[5] == kLoaderMagic;
}

void answer_loader_call(InterceptedCall& call, Supervisor& supervisor, InstallRetry retry) {
  const pid_t tid = call.event().host_tid;
  std::optional<ExecImage> image = supervisor.take_exec_image(tid);
  if (image && hand_over(call, *image, retry)) {
    call.reply(0);
    return;
  }
  if (call.is_waiting()) syscall(SYS_tgkill, tid, tid, SIGKILL);
  call.reply(-ENOSYS);
}

}  // namespace sandbox::platform
