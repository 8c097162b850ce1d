// Asking the host's /proc for ids and the kernel view for paths.
#include "sentry/sandbox_subject.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sentry/task_status.h"

namespace sandbox {

namespace {

class SandboxDescriptorNames final : public trace::DescriptorNames {
 public:
  SandboxDescriptorNames(SentryKernelView& view, trace::ThreadIdentity thread)
      : view_(view), thread_(thread) {}

  std::string describe(int descriptor) override {
    auto task = view_.task(thread_.pid, thread_.tid);
    if (!task || descriptor < 0) return "";
    auto copy = view_.descriptor_of(*task, descriptor);
    return copy ? view_.describe_descriptor(copy->get()) : "";
  }
  std::string working_directory() override {
    auto task = view_.task(thread_.pid, thread_.tid);
    return task ? task->cwd : "";
  }

 private:
  SentryKernelView& view_;
  const trace::ThreadIdentity thread_;
};

}  // namespace

trace::ThreadIdentity SandboxSubject::identify(pid_t host_tid) {
  auto status = read_task_status(view_.host_proc(), host_tid);
  if (!status) return {};
  return {status->inside_tid, status->inside_tgid};
}

std::string SandboxSubject::command_of(pid_t host_tid) {
  std::string path = fmt::format("{}/comm", host_tid);
  UniqueFd file(::openat(view_.host_proc(), path.c_str(), O_RDONLY | O_CLOEXEC));
  char name[32];
  ssize_t length = file ? ::read(file.get(), name, sizeof name) : 0;
  if (length > 0 && name[length - 1] == '\n') --length;
  return length > 0 ? std::string(name, static_cast<size_t>(length)) : "";
}

std::unique_ptr<trace::DescriptorNames> SandboxSubject::names_of(pid_t host_tid) {
  return std::make_unique<SandboxDescriptorNames>(view_, identify(host_tid));
}

}  // namespace sandbox
