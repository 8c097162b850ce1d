// poll between standard input, standard output, a pseudoterminal and a process.
#include "tools/oci/terminal_relay.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "platform/passed_descriptors.h"
#include "sandbox/write_all.h"

namespace sandbox::tools::oci {

namespace {

// The caller's terminal without line editing, until it is destroyed.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    is_changed_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  ~RawTerminal() {
    if (is_changed_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool is_changed_ = false;
};

void copy_size(int master) {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) ::ioctl(master, TIOCSWINSZ, &size);
}

// Whether there may be more.
bool copy_some(int from, int to) {
  std::array<char, 16384> chunk;
  ssize_t count = ::read(from, chunk.data(), chunk.size());
  if (count <= 0) return count < 0 && errno == EINTR;
  // A terminal that is gone loses the rest.
  (void)write_all(to, std::string_view(chunk.data(), static_cast<size_t>(count)));
  return true;
}

UniqueFd watch_window_changes() {
  sigset_t changes;
  sigemptyset(&changes);
  sigaddset(&changes, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &changes, nullptr);
  return UniqueFd(::signalfd(-1, &changes, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

Result<UniqueFd> receive_console(int socket) {
  std::array<std::byte, 64> name;
  auto message = TRY(platform::receive_message(socket, name));
  if (message.size == 0 || message.fds.empty()) return err(EPIPE);
  return std::move(message.fds[0]);
}

void relay_terminal(UniqueFd master, int pidfd) {
  UniqueFd window_changes = watch_window_changes();
  copy_size(master.get());
  RawTerminal raw;
  bool has_input = true;
  for (;;) {
    std::array<pollfd, 4> events{{{master.get(), POLLIN, 0},
                                  {has_input ? STDIN_FILENO : -1, POLLIN, 0},
                                  {window_changes.get(), POLLIN, 0},
                                  {pidfd, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0 && !copy_some(master.get(), STDOUT_FILENO)) return;
    if (events[1].revents != 0) has_input = copy_some(STDIN_FILENO, master.get());
    if (events[2].revents != 0) {
      signalfd_siginfo info;
      while (::read(window_changes.get(), &info, sizeof info) > 0) copy_size(master.get());
    }
    // What it wrote last is still in the terminal.
    if (events[3].revents != 0 && events[0].revents == 0) return;
  }
}

}  // namespace sandbox::tools::oci
