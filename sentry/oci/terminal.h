// ContainerTerminal: the pseudoterminal of a container whose process has one, in a devpts of its own.
#pragma once

#include "sandbox/host_mounter.h"
#include "sentry/failure.h"

namespace sandbox::oci {

struct TerminalSize {
  unsigned short height = 0, width = 0;  // 0: unknown
};

struct ContainerTerminal {
  UniqueFd devpts;         // the root of the instance that shows it
  UniqueFd master, slave;  // the slave is the process's standard input, output and error

  // In the sentry's namespaces. The slave belongs to `owner`, as the sentry numbers it.
  static Configured<ContainerTerminal> create(HostMounter& mounter, uid_t owner, TerminalSize size);
  // One more of the instance `devpts`.
  static Configured<ContainerTerminal> create_in(UniqueFd devpts, uid_t owner, TerminalSize size);
};

// Sends `master` to who listens on the console socket, as runtimes do: the descriptor and a name.
Result<void> send_console(int socket, const UniqueFd& master);
// Errors: ENAMETOOLONG, those of connect.
Result<UniqueFd> connect_to_console_socket(const std::string& path);

}  // namespace sandbox::oci
