// Making a pseudoterminal and handing its master over.
#include "sentry/oci/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "platform/passed_descriptors.h"

namespace sandbox::oci {

namespace {

Result<ContainerTerminal> open_pair(UniqueFd devpts, uid_t owner, TerminalSize size) {
  ContainerTerminal terminal;
  terminal.master = UniqueFd(TRY(host_result(::openat(devpts.get(), "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC))));
  unsigned index = 0;
  TRY(host_status(::ioctl(terminal.master.get(), TIOCGPTN, &index)));
  const int unlocked = 0;
  TRY(host_status(::ioctl(terminal.master.get(), TIOCSPTLCK, &unlocked)));
  terminal.slave = UniqueFd(
      TRY(host_result(::openat(devpts.get(), std::to_string(index).c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC))));
  TRY(host_status(::fchown(terminal.slave.get(), owner, -1)));
  if (size.height != 0 || size.width != 0) {
    const winsize window{.ws_row = size.height, .ws_col = size.width};
    TRY(host_status(::ioctl(terminal.master.get(), TIOCSWINSZ, &window)));
  }
  terminal.devpts = std::move(devpts);
  return terminal;
}

}  // namespace

Configured<ContainerTerminal> ContainerTerminal::create(HostMounter& mounter, uid_t owner,
                                                        TerminalSize size) {
  auto devpts = mounter.new_devpts();
  if (!devpts)
    return failure("make the container's terminals", devpts.error(), "`sandbox info` tells what is missing");
  return create_in(*std::move(devpts), owner, size);
}

Configured<ContainerTerminal> ContainerTerminal::create_in(UniqueFd devpts, uid_t owner, TerminalSize size) {
  auto terminal = open_pair(std::move(devpts), owner, size);
  if (!terminal)
    return failure("make the container's terminal", terminal.error(),
                   "close some terminals (kernel.pty.max)");
  return *std::move(terminal);
}

Result<void> send_console(int socket, const UniqueFd& master) {
  constexpr std::string_view kName = "/dev/ptmx";
  const int number = master.get();
  return platform::send_message(socket, std::as_bytes(std::span(kName)), std::span(&number, 1));
}

Result<UniqueFd> connect_to_console_socket(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  if (path.size() >= sizeof address.sun_path) return err(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(TRY(host_result(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))));
  TRY(host_status(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)));
  return socket;
}

}  // namespace sandbox::oci
