// What every engine's InterceptedCall does the same way.
#include "platform/intercepted_call.h"

namespace sandbox::platform {

Result<std::vector<int>> InterceptedCall::install_all(std::span<const int> fds, CloseOnExec close_on_exec) {
  std::vector<int> numbers;
  for (int fd : fds) numbers.push_back(TRY(install(fd, close_on_exec)));
  return numbers;
}

}  // namespace sandbox::platform
