// SandboxConfig: one run, as the command line or an OCI bundle describes it; run_sandbox carries it out.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/platform.h"
#include "sandbox/unique_fd.h"
#include "sentry/cgroup/limits.h"
#include "sentry/cgroup/memory_kill.h"
#include "sentry/oci/container_config.h"

namespace sandbox {

namespace trace {
class Recorder;
}
struct RunFailure;

// One trace of a sandbox that runs already.
class LiveTrace {
 public:
  virtual ~LiveTrace() = default;
  virtual trace::Recorder& recorder() = 0;
  // After the last event: what is left goes out.
  virtual void finish() = 0;
};
// `options` as they were typed; the trace goes to `output`. From any thread.
using BeginTrace = std::function<std::expected<std::unique_ptr<LiveTrace>, RunFailure>(
    std::vector<std::string> options, UniqueFd output)>;

struct BindMount {
  std::string source;       // host path
  std::string destination;  // absolute path inside
  enum class Access { kReadWrite, kReadOnly } access = Access::kReadWrite;
};

struct TmpfsMount {
  std::string destination;
  uint64_t size_bytes = 0;  // 0: half of memory
  uint32_t mode = 01777;
};

struct SandboxConfig {
  std::vector<std::string> argv;         // argv[0] is looked up in PATH inside, as execvp does
  std::vector<std::string> environment;  // complete; "NAME=value"
  std::string working_directory;  // inside; empty: the caller's, or "/" when that does not exist inside

  std::string rootfs = "/";  // host directory that becomes "/"
  // Host directories that become "/" together, the topmost first, as layers of an OCI image: `rootfs` is then
  // only what the image is called.
  std::vector<std::string> layers;
  std::shared_ptr<const void> held_layers;  // while it lives nobody removes them
  // Where writes below "/" go.
  enum class Overlay { kMemory, kDirectory, kNone } overlay = Overlay::kMemory;
  std::string overlay_directory;  // for kDirectory: kept after the run; `sandbox diff` reads it
  bool is_root_read_only = false;
  std::vector<BindMount> binds;
  std::vector<TmpfsMount> tmpfs;
  std::vector<std::string> masked_paths;  // shown empty: a file as empty, a directory as an empty directory

  struct User {
    uid_t uid;
    gid_t gid;
    std::vector<gid_t> groups;
  };
  std::optional<User> user;  // nothing: the caller's ids
  std::string hostname;      // empty: the host's
  enum class Network { kLoopback, kHost } network = Network::kLoopback;
  platform::LaunchOptions::Init init = platform::LaunchOptions::Init::kBuiltIn;
  std::optional<platform::EngineKind> engine;  // nothing: notify where it works
  std::optional<std::chrono::milliseconds> timeout;
  std::vector<int> passed_descriptors;  // besides 0, 1, 2; same numbers inside

  std::string name;  // for other commands; empty: none
  cgroup::Limits limits;
  // What becomes of a limit that cannot be enforced: no run, or a run that is only shown it.
  enum class UnenforcedLimits { kRefuse, kWarn } unenforced_limits = UnenforcedLimits::kRefuse;
  // Restricts the program further than the sandbox's own filter does; null: nothing.
  std::shared_ptr<const platform::SeccompFilter> seccomp;
  // Is told in words of calls against it, as they happen, from any thread. Empty: the kernel enforces the
  // profile without a word.
  std::function<void(const std::string&)> tell_violation;
  trace::Recorder* recorder = nullptr;  // is told of the run's calls; outlives it. Null: nobody watches
  // A container: nothing is mounted but its mounts, nothing is shared but what it says.
  std::optional<oci::ContainerConfig> container;
  // Makes the trace that another command asks for while the program runs. Empty: none can.
  BeginTrace begin_trace;
};

// What set-up or run could not do, in words for the person who typed the command.
struct RunFailure {
  std::string doing;    // "bind /data to /srv"
  std::string reason;   // "No such file or directory (ENOENT)"
  std::string advice;   // "create it first, or leave the option out"
  int exit_code = 125;  // 126 not executable, 127 not found
};

struct RunOutcome {
  int exit_code = 0;                              // the program's, or 128+N for signal N
  bool has_timed_out = false;                     // exit_code is then 124, as timeout(1)
  std::optional<cgroup::MemoryKill> memory_kill;  // processes ended for lack of memory
  std::vector<std::string> warnings;              // degraded features, in words
};

// Runs one sandbox to its end in this process. Call it once, with one thread.
std::expected<RunOutcome, RunFailure> run_sandbox(const SandboxConfig& config);

// One line of `sandbox info`.
struct HostFeature {
  std::string name;  // "notify engine"
  enum class State { kWorks, kDegraded, kMissing } state;
  std::string detail;       // what was found
  std::string consequence;  // what the sandbox does without it, and the remedy; empty when it works
};
std::vector<HostFeature> probe_host();

}  // namespace sandbox
