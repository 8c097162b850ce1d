// Lists of strings with their size in front.
#include "sentry/trace_messages.h"

#include <sys/socket.h>

#include <cstdint>

namespace sandbox {

namespace {

constexpr uint32_t kMaxBytes = 1 << 20;

Result<void> send_all(int socket, const void* bytes, size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t count = ::send(socket, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    at += count;
    size -= static_cast<size_t>(count);
  }
  return {};
}

Result<void> receive_all(int socket, void* bytes, size_t size) {
  char* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t count = ::recv(socket, at, size, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    if (count == 0) return err(EPROTO);
    at += count;
    size -= static_cast<size_t>(count);
  }
  return {};
}

Result<void> send_strings(int socket, const std::vector<std::string>& strings) {
  std::string text;
  for (const std::string& one : strings) text.append(one.c_str(), one.size() + 1);
  const auto size = static_cast<uint32_t>(text.size());
  if (size > kMaxBytes) return err(E2BIG);
  TRY(send_all(socket, &size, sizeof size));
  return send_all(socket, text.data(), text.size());
}

Result<std::vector<std::string>> receive_strings(int socket) {
  uint32_t size = 0;
  TRY(receive_all(socket, &size, sizeof size));
  if (size > kMaxBytes) return err(EPROTO);
  std::string text(size, '\0');
  TRY(receive_all(socket, text.data(), text.size()));
  std::vector<std::string> strings;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\0', at);
    if (end == text.npos) return err(EPROTO);
    strings.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return strings;
}

}  // namespace

Result<void> send_trace_request(int socket, const std::vector<std::string>& options) {
  return send_strings(socket, options);
}

Result<void> send_trace_answer(int socket, const std::optional<RunFailure>& failure) {
  if (!failure) return send_strings(socket, {});
  return send_strings(socket, {failure->doing, failure->reason, failure->advice});
}

Result<std::vector<std::string>> receive_trace_request(int socket) { return receive_strings(socket); }

Result<std::optional<RunFailure>> receive_trace_answer(int socket) {
  auto words = TRY(receive_strings(socket));
  if (words.empty()) return std::nullopt;
  if (words.size() != 3) return err(EPROTO);
  return RunFailure{.doing = words[0], .reason = words[1], .advice = words[2]};
}

}  // namespace sandbox
