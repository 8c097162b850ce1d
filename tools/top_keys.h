// TopKeys: lets keys typed at the terminal order the view of `sandbox trace --top`, and end it.
#pragma once

#include <termios.h>

#include <functional>
#include <memory>
#include <thread>

#include "sandbox/unique_fd.h"

namespace sandbox::tools {

// While it lives, standard input gives each key at once and does not show it. `q` does what Ctrl-C does.
class TopKeys {
 public:
  // Null where standard input is no terminal, or another job has it.
  static std::unique_ptr<TopKeys> listen(std::function<void(char)> on_key);
  ~TopKeys();
  TopKeys(const TopKeys&) = delete;
  TopKeys& operator=(const TopKeys&) = delete;

 private:
  TopKeys(const termios& former, UniqueFd wake) : former_(former), wake_(std::move(wake)) {}
  void serve();

  const termios former_;
  UniqueFd wake_;
  std::function<void(char)> on_key_;
  std::thread thread_;
};

}  // namespace sandbox::tools
