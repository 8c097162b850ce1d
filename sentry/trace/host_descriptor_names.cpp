// What /proc/TID/fd says, and for sockets what a duplicate of the socket says about itself.
#include "sentry/trace/host_descriptor_names.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <unistd.h>

#include <cstdlib>

#include "platform/pidfd.h"
#include "sandbox/unique_fd.h"
#include "sentry/trace/digits.h"
#include "sentry/trace/socket_endpoints.h"

namespace sandbox::trace {
namespace {

std::string link_target(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<size_t>(length));
}

pid_t leader_of(pid_t tid) {
  constexpr std::string_view kField = "\nTgid:\t";
  char status[1024];
  const UniqueFd file(open(("/proc/" + decimal(tid) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t length = file.get() < 0 ? -1 : read(file.get(), status, sizeof status);
  if (length < 0) return tid;
  const std::string_view text(status, static_cast<size_t>(length));
  const size_t at = text.find(kField);
  return at == std::string_view::npos ? tid
                                      : std::atoi(std::string(text.substr(at + kField.size(), 12)).c_str());
}

}  // namespace

std::string HostDescriptorNames::describe(int descriptor) {
  const std::string link = "/proc/" + decimal(tid_) + "/fd/" + decimal(descriptor);
  std::string target = link_target(link);
  if (!target.starts_with("socket:[")) return target;
  auto process = platform::open_pidfd(tid_);
  // A thread that leads no process shares its leader's descriptors, nearly always.
  if (!process) process = platform::open_pidfd(leader_of(tid_));
  if (!process) return target;
  const auto socket = platform::copy_descriptor(*process, descriptor);
  return socket ? describe_socket(socket->get(), target) : target;
}

std::string HostDescriptorNames::working_directory() {
  return link_target("/proc/" + decimal(tid_) + "/cwd");
}

}  // namespace sandbox::trace
