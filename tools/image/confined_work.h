// confined_work: runs work on hostile input in a process that can do little else.
#pragma once

#include <functional>
#include <string>

#include "sentry/failure.h"

namespace sandbox::tools::image {

// The work's result as text, or what went wrong in words (never empty).
using WorkResult = std::expected<std::string, std::string>;

// In a child process, which can open nothing on the host but what lies below `directory` (where the kernel
// has Landlock 2 or later), start no program and no connection, and gain no privilege; it ends with its
// parent. `directory` -1: nothing at all. Failures: the words; a child that died. The text is limited to
// 64 MiB.
WorkResult confined_work(int directory, const std::function<WorkResult()>& work);

}  // namespace sandbox::tools::image
