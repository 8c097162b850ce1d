// `kill`: a signal to a container's first process, or to all of them.
#include <csignal>
#include <cstring>

#include "platform/pidfd.h"
#include "sandbox/signals.h"
#include "sentry/lifecycle/sandbox_record.h"
#include "tools/messages.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

// The number may be another process's by now: what the descriptor names is looked at once more.
Result<void> signal_process(pid_t pid, uint64_t start_time, int signal) {
  UniqueFd process = TRY(platform::open_pidfd(pid));
  if (!lifecycle::is_alive(pid, start_time)) return err(ESRCH);
  return platform::send_signal(process, signal);
}

}  // namespace

Configured<int> command_kill(const Runtime& runtime, const Arguments& arguments) {
  const auto& words = arguments.words();
  if (words.empty() || words.size() > 2)
    return failure("send a signal", "a container and a signal are needed", "sandbox kill ID [SIGNAL]");
  const std::string word = words.size() == 2 ? words[1] : "TERM";
  auto signal = signal_number(word);
  if (!signal)
    return failure(fmt::format("send the signal {}", printable(word)), "there is no such signal (EINVAL)",
                   "a name such as TERM, or a number");
  ContainerDirectory directory = TRY(runtime.store.find(words[0], ContainerStore::Lock::kNone));
  ContainerRecord record = TRY(directory.record());
  if (arguments.has("all")) {
    for (pid_t pid : ContainerGroups::at(record.group_path).processes()) ::kill(pid, *signal);
    (void)signal_process(record.pid, record.pid_start, *signal);
    return 0;
  }
  auto sent = signal_process(record.pid, record.pid_start, *signal);
  if (!sent)
    // Engines look for these very words.
    return failure(
        fmt::format("send signal {} to the container {}", *signal, words[0]),
        sent.error() == Errno(ESRCH) ? "container not running (ESRCH)" : reason_in_words(sent.error()),
        "sandbox state, or sandbox delete");
  return 0;
}

}  // namespace sandbox::tools::oci
