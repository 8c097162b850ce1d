// Looks whether somebody traces this process.
#include "sentry/tracing_failure.h"

#include "platform/host_file.h"

namespace sandbox {

namespace {

bool has_tracer() {
  auto status = platform::read_host_file("/proc/self/status");
  return status && status->find("\nTracerPid:\t0\n") == status->npos;
}

}  // namespace

std::unexpected<RunFailure> tracing_failure(std::string doing, Errno error, std::string advice) {
  if (error == Errno(EPERM) && has_tracer())
    return failure(std::move(doing),
                   "a debugger or tracer of this command has its new processes already (EPERM)",
                   "leave its new processes alone (strace without -f), or use sandbox trace instead");
  return failure(std::move(doing), error, std::move(advice));
}

}  // namespace sandbox
