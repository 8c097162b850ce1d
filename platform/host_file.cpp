// Small host files read and written whole.
#include "platform/host_file.h"

#include <fcntl.h>

#include <array>

#include "sandbox/unique_fd.h"

namespace sandbox::platform {

Result<std::string> read_host_file(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return last_error();
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    ssize_t count = read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    if (count == 0) return text;
    text.append(chunk.data(), count);
  }
}

Result<void> write_host_file(const std::string& path, std::string_view text) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return last_error();
  return host_status(write(file.get(), text.data(), text.size()));
}

}  // namespace sandbox::platform
