// Calls write(2) again until all is taken.
#include "sandbox/write_all.h"

#include <unistd.h>

#include <cerrno>

namespace sandbox {

namespace {

template <typename Write>
Result<void> repeat(std::string_view text, Write write_some) {
  while (!text.empty()) {
    const ssize_t count = write_some(text);
    if (count == 0) return err(EIO);
    if (count < 0 && errno != EINTR) return last_error();
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

}  // namespace

Result<void> write_all(int file, std::string_view text) {
  return repeat(text, [&](std::string_view rest) { return ::write(file, rest.data(), rest.size()); });
}

Result<void> write_all_at(int file, std::string_view text, off_t offset) {
  return repeat(text, [&](std::string_view rest) {
    const off_t done = rest.data() - text.data();
    return ::pwrite(file, rest.data(), rest.size(), offset + done);
  });
}

}  // namespace sandbox
