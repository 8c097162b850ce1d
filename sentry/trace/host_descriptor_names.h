// HostDescriptorNames: descriptors of a thread of this machine, from /proc and from the sockets themselves.
#pragma once

#include <sys/types.h>

#include "sentry/trace/descriptor_names.h"

namespace sandbox::trace {

class HostDescriptorNames final : public DescriptorNames {
 public:
  // `tid` as our PID namespace numbers it.
  explicit HostDescriptorNames(pid_t tid) : tid_(tid) {}

  // A file's path, a pipe, a memfd as /proc shows them; a socket by its protocol and addresses
  // ("TCP:[127.0.0.1:4000->127.0.0.1:80]", "UNIX-STREAM:[17,\"/run/x\"]"), a device with its number.
  std::string describe(int descriptor) override;
  std::string working_directory() override;

 private:
  pid_t tid_;
};

}  // namespace sandbox::trace
