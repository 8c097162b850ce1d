// ExecServer: the part of a container's sentry that `exec` comes to.
#pragma once

#include <thread>

#include "sentry/oci/exec_request.h"
#include "sentry/oci/packet.h"
#include "sentry/sentry.h"

namespace sandbox::oci {

// A thread of its own that answers one command after the other, from its construction to its destruction.
class ExecServer {
 public:
  // `devpts`: the container's terminals. All of it outlives the server.
  ExecServer(UniqueFd listener, UniqueFd devpts, Sentry& sentry, platform::Platform& platform);
  ~ExecServer();
  ExecServer(const ExecServer&) = delete;
  ExecServer& operator=(const ExecServer&) = delete;

 private:
  void serve();
  void answer(const UniqueFd& caller);
  Packet terms() const;
  Configured<void> adopt(pid_t process, const UniqueFd& channel, const ExecRequest& request);

  UniqueFd listener_, devpts_, wake_;
  Sentry& sentry_;
  platform::Platform& platform_;
  std::thread thread_;
};

}  // namespace sandbox::oci
