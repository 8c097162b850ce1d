// waitpid that a signal of another thread ends without fail, also when it comes just before the call blocks.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace sandbox::platform {

// Call once in the thread that waits: `signal` gets a handler and is unblocked there.
void prepare_interruptible_wait(int signal);

// waitpid(-1, &status, __WALL), but -1 with errno EINTR at once when `*is_interrupted` is set already or
// becomes so and is followed by the signal. Other errors: ECHILD.
pid_t wait_for_any(int* status, const std::atomic<int>& is_interrupted);

}  // namespace sandbox::platform
