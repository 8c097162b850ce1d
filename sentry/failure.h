// Building a RunFailure from what was being done and the errno it ended with.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <utility>

#include "sandbox/errno.h"
#include "sentry/sandbox_config.h"

namespace sandbox {

template <typename T>
using Configured = std::expected<T, RunFailure>;

inline std::string reason_in_words(Errno error) { return fmt::format("{} ({})", error.text(), error.name()); }

inline std::unexpected<RunFailure> failure(std::string doing, std::string reason, std::string advice,
                                           int exit_code = 125) {
  return std::unexpected(RunFailure{.doing = std::move(doing),
                                    .reason = std::move(reason),
                                    .advice = std::move(advice),
                                    .exit_code = exit_code});
}
inline std::unexpected<RunFailure> failure(std::string doing, Errno error, std::string advice) {
  if (error == Errno(EMFILE)) advice = "raise the limit of open files: ulimit -n 1024";
  return failure(std::move(doing), reason_in_words(error), std::move(advice));
}

}  // namespace sandbox
