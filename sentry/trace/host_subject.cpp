// Traced threads of the host, as its /proc shows them.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "platform/host_file.h"
#include "sentry/trace/host_descriptor_names.h"
#include "sentry/trace/recorder.h"

namespace sandbox::trace {

namespace {

class HostSubject final : public Subject {
 public:
  ThreadIdentity identify(pid_t host_tid) override {
    auto status = platform::read_host_file(fmt::format("/proc/{}/status", host_tid));
    const size_t place = status ? status->find("\nTgid:") : std::string::npos;
    if (place == std::string::npos) return {host_tid, host_tid};
    return {host_tid, std::atoi(status->c_str() + place + std::strlen("\nTgid:"))};
  }
  std::string command_of(pid_t host_tid) override {
    auto name = platform::read_host_file(fmt::format("/proc/{}/comm", host_tid));
    if (!name) return "";
    if (name->ends_with('\n')) name->pop_back();
    return *std::move(name);
  }
  std::unique_ptr<DescriptorNames> names_of(pid_t host_tid) override {
    return std::make_unique<HostDescriptorNames>(host_tid);
  }
};

}  // namespace

std::unique_ptr<Subject> make_host_subject() { return std::make_unique<HostSubject>(); }

}  // namespace sandbox::trace
