// Reading keys on a thread of its own.
#include "tools/top_keys.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

namespace sandbox::tools {

namespace {

// Of the terminal, as it is to be when a signal ends us.
termios terminal_before;

void restore_and_end(int signal) {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  ::raise(signal);  // by SA_RESETHAND it ends us as soon as this returns
}

// Until somebody else sees to these signals; whoever does ends us in order.
void restore_on_signals(const termios& former) {
  terminal_before = former;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = restore_and_end;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

std::unique_ptr<TopKeys> TopKeys::listen(std::function<void(char)> on_key) {
  termios former;
  if (::tcgetattr(STDIN_FILENO, &former) != 0 || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return nullptr;
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return nullptr;
  termios each_key = former;
  restore_on_signals(former);
  each_key.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &each_key) != 0) return nullptr;
  std::unique_ptr<TopKeys> keys(new TopKeys(former, std::move(wake)));
  keys->on_key_ = std::move(on_key);
  keys->thread_ = std::thread([raw = keys.get()] { raw->serve(); });
  return keys;
}

TopKeys::~TopKeys() {
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
  ::tcsetattr(STDIN_FILENO, TCSANOW, &former_);
}

void TopKeys::serve() {
  // Signals are for the thread that traces.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  for (;;) {
    std::array<pollfd, 2> waits{{{wake_.get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;  // EINTR
    if (waits[0].revents != 0) return;
    char key;
    if (::read(STDIN_FILENO, &key, 1) != 1) return;
    if (key == 'q') {
      ::kill(::getpid(), SIGINT);
    } else {
      on_key_(key);
    }
  }
}

}  // namespace sandbox::tools
