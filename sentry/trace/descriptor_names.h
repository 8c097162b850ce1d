// DescriptorNames: what a traced thread's descriptors refer to.
#pragma once

#include <string>

namespace sandbox::trace {

// Implemented by whoever knows the thread: /proc on the host, the sentry inside a sandbox.
class DescriptorNames {
 public:
  virtual ~DescriptorNames() = default;

  // "/etc/passwd" (as the traced program would write it), "pipe:[17]", "/memfd:x (deleted)",
  // "TCP:[127.0.0.1:4000->127.0.0.1:80]", "anon_inode:[eventfd]"; "" when it is not open or not known.
  virtual std::string describe(int descriptor) = 0;
  // What AT_FDCWD refers to; "" when not known.
  virtual std::string working_directory() = 0;
};

}  // namespace sandbox::trace
