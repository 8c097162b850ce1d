// What `sandbox trace -p NAME` and the sentry say to each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/result.h"
#include "sentry/failure.h"

namespace sandbox {

// The command sends its options and then nothing more; when it closes its side, the trace ends. The sentry
// answers whether there will be a trace; what follows is the trace. Errors: those of write; EPIPE.
Result<void> send_trace_request(int socket, const std::vector<std::string>& options);
Result<void> send_trace_answer(int socket, const std::optional<RunFailure>& failure);
// Errors: EPROTO: something else came, or the end; those of read.
Result<std::vector<std::string>> receive_trace_request(int socket);
Result<std::optional<RunFailure>> receive_trace_answer(int socket);

}  // namespace sandbox
