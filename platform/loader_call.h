// Answers the loader's magic call with the plan of the program it is to become.
#pragma once

#include "platform/intercepted_call.h"
#include "platform/platform.h"

namespace sandbox::platform {

// Whether this is the loader's call, or somebody's who pretends.
bool is_loader_call(const SyscallEvent& event);
// `call` is the loader's, in a process that has just executed the loader. When the program cannot be handed
// over, the process is killed: its old image is gone, as past execve's point of no return.
// Whether install may be tried again after EMFILE is the engine's to say.
enum class InstallRetry { kPossible, kImpossible };
void answer_loader_call(InterceptedCall& call, Supervisor& supervisor, InstallRetry retry);

}  // namespace sandbox::platform
