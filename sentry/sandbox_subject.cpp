// Asking the host's /proc for ids and the kernel view for paths.
#include "sentry/sandbox_subject.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sentry/task_status.h"
#include "sentry/trace/socket_endpoints.h"
#include "vfs/synthetic/host_file.h"

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
    if (!copy) return "";
    std::string name = view_.describe_descriptor(copy->get());
    return name.starts_with("socket:[") ? trace::describe_socket(copy->get(), name) : name;
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

std::unique_ptr<trace::DescriptorNames> SandboxSubject::names_of(pid_t host_tid) {
  return std::make_unique<SandboxDescriptorNames>(view_, identify(host_tid));
}

uint64_t SandboxSubject::handled_signals_of(pid_t host_tid) {
  auto status = read_task_status(view_.host_proc(), host_tid);
  return status ? status->caught_signals | status->ignored_signals : 0;
}

platform::MemoryMap SandboxSubject::memory_map_of(pid_t host_tid) {
  const trace::ThreadIdentity thread = identify(host_tid);
  auto task = view_.task(thread.pid, thread.tid);
  auto text = vfs::read_host_file(view_.host_proc(), fmt::format("{}/maps", host_tid));
  if (!task || !text) return {};
  auto map = platform::MemoryMap::parse(*text);
  map.rename_files([&](const platform::Mapping& mapping) {
    return view_.describe_mapping(*task, mapping.device, mapping.inode, mapping.name);
  });
  return map;
}

UniqueFd SandboxSubject::open_mapped(pid_t, const platform::Mapping& mapping) {
  return view_.open_regular(mapping.name);
}

}  // namespace sandbox
