// SandboxSubject: the traced threads of a sandbox, by the ids and paths that they see.
#pragma once

#include "sentry/kernel_view.h"
#include "sentry/sandbox_surroundings.h"
#include "sentry/trace/recorder.h"

namespace sandbox {

class SandboxSubject final : public trace::Subject {
 public:
  // All outlive it. `registration`: null where there is none.
  SandboxSubject(SentryKernelView& view, const SandboxConfig& config, Sentry& sentry,
                 const lifecycle::Registration* registration)
      : view_(view), surroundings_(config, sentry, registration) {}

  trace::ThreadIdentity identify(pid_t host_tid) override;
  std::unique_ptr<trace::DescriptorNames> names_of(pid_t host_tid) override;
  uint64_t handled_signals_of(pid_t host_tid) override;
  platform::MemoryMap memory_map_of(pid_t host_tid) override;
  // By its path inside.
  UniqueFd open_mapped(pid_t host_tid, const platform::Mapping& mapping) override;
  trace::Surroundings& surroundings() override { return surroundings_; }

 private:
  SentryKernelView& view_;
  SandboxSurroundings surroundings_;
};

}  // namespace sandbox
