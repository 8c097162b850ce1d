// SandboxSurroundings: a sandbox's own tree, tasks and decisions, for explaining why a call failed.
#pragma once

#include "sentry/lifecycle/registration.h"
#include "sentry/sandbox_config.h"
#include "sentry/sentry.h"
#include "sentry/trace/surroundings.h"

namespace sandbox {

class SandboxSurroundings final : public trace::Surroundings {
 public:
  // All outlive it. `registration` is null where the sandbox has no limits.
  SandboxSurroundings(const SandboxConfig& config, Sentry& sentry,
                      const lifecycle::Registration* registration)
      : config_(config), sentry_(sentry), registration_(registration) {}

  Result<struct stat> status_of(const std::string& path, LastLink last_link) override;
  Result<std::string> link_target(const std::string& path) override;
  Result<std::string> head_of(const std::string& path, size_t bytes) override;
  Result<struct statfs> space_at(const std::string& path) override;
  trace::MountFacts mount_at(const std::string& path) override;
  std::string command_of(pid_t host_tid) override;
  std::optional<Credentials> credentials_of(pid_t host_tid) override;
  std::string own_refusal(const platform::SyscallEvent& event, Errno error) override;
  std::string own_kill() override;
  std::string advice_for_missing(const std::string& path) override;
  bool has_private_network() override { return config_.network == SandboxConfig::Network::kLoopback; }

 private:
  vfs::Caller everybody() const;

  const SandboxConfig& config_;
  Sentry& sentry_;
  const lifecycle::Registration* registration_;
};

}  // namespace sandbox
