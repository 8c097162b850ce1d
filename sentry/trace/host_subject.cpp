// Traced threads of the host, as its /proc shows them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "platform/host_file.h"
#include "sentry/task_status.h"
#include "sentry/trace/host_descriptor_names.h"
#include "sentry/trace/recorder.h"

namespace sandbox::trace {

namespace {

// Looked at before it is opened: opening a device or a FIFO may wait, or do something.
UniqueFd open_regular(const std::string& path) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat attributes;
  if (!place || ::fstat(place.get(), &attributes) != 0 || !S_ISREG(attributes.st_mode)) return {};
  return UniqueFd(::open(fmt::format("/proc/self/fd/{}", place.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

class HostSubject final : public Subject {
 public:
  ThreadIdentity identify(pid_t host_tid) override {
    // Of a thread that leads its process, which most of the new ones do, this tells; /proc costs 30 times
    // that.
    if (::syscall(SYS_tgkill, host_tid, host_tid, 0) == 0) return {host_tid, host_tid};
    auto status = platform::read_host_file(fmt::format("/proc/{}/status", host_tid));
    const size_t place = status ? status->find("\nTgid:") : std::string::npos;
    if (place == std::string::npos) return {host_tid, host_tid};
    return {host_tid, std::atoi(status->c_str() + place + std::strlen("\nTgid:"))};
  }
  std::unique_ptr<DescriptorNames> names_of(pid_t host_tid) override {
    return std::make_unique<HostDescriptorNames>(host_tid);
  }
  uint64_t handled_signals_of(pid_t host_tid) override {
    auto text = platform::read_host_file(fmt::format("/proc/{}/status", host_tid));
    if (!text) return 0;
    const TaskStatus status = parse_task_status(*text);
    return status.caught_signals | status.ignored_signals;
  }
  platform::MemoryMap memory_map_of(pid_t host_tid) override {
    return platform::MemoryMap::parse(
        platform::read_host_file(fmt::format("/proc/{}/maps", host_tid)).value_or(""));
  }
  // The very file where we may ask for it, else what has its name in the program's own tree.
  UniqueFd open_mapped(pid_t host_tid, const platform::Mapping& mapping) override {
    UniqueFd file =
        open_regular(fmt::format("/proc/{}/map_files/{:x}-{:x}", host_tid, mapping.begin, mapping.end));
    return file ? std::move(file) : open_regular(fmt::format("/proc/{}/root{}", host_tid, mapping.name));
  }
  Surroundings& surroundings() override { return surroundings_; }

 private:
  HostSurroundings surroundings_;
};

}  // namespace

std::unique_ptr<Subject> make_host_subject() { return std::make_unique<HostSubject>(); }

}  // namespace sandbox::trace
