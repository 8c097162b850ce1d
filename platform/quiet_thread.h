// block_all_signals: for threads beside the one that signals are meant for.
#pragma once

#include <signal.h>

namespace sandbox::platform {

// Of the calling thread.
inline void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace sandbox::platform
