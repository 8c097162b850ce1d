// The messages between a container's sentry and its runtime's commands: one packet each, fields ended by
// zeros.
#include "sentry/oci/container_control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <vector>

namespace sandbox::oci {

namespace {

constexpr std::string_view kCreated = "created", kStart = "start", kReady = "ready", kFailed = "failed";
constexpr size_t kLargestPacket = 32768;

Result<void> send_packet(int socket, const std::vector<std::string>& fields) {
  std::string packet;
  for (const std::string& field : fields) packet.append(field.c_str(), field.size() + 1);
  if (packet.size() > kLargestPacket) packet.resize(kLargestPacket);
  ssize_t sent;
  do {
    sent = ::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return host_status(sent);
}

// Errors: EPIPE: the other end is closed.
Result<std::vector<std::string>> receive_packet(int socket) {
  std::string packet(kLargestPacket, '\0');
  ssize_t size;
  do {
    size = ::recv(socket, packet.data(), packet.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return last_error();
  if (size == 0) return err(EPIPE);
  std::vector<std::string> fields;
  std::string_view rest(packet.data(), size);
  while (!rest.empty()) {
    std::string_view field = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    fields.emplace_back(field);
  }
  if (fields.empty()) return err(EPIPE);
  return fields;
}

// The directory's own descriptor is part of the name, so that a long path fits the address.
Result<sockaddr_un> address_in(int directory, const std::string& name) {
  sockaddr_un address{.sun_family = AF_UNIX};
  std::string path = fmt::format("/proc/self/fd/{}/{}", directory, name);
  if (path.size() >= sizeof address.sun_path) return err(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<UniqueFd> new_socket() {
  return UniqueFd(TRY(host_result(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))));
}

template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<void> ContainerControl::announce(pid_t first) {
  return send_packet(creator_.get(), {std::string(kReady), std::to_string(first)});
}

bool ContainerControl::announce(const RunFailure& failure) {
  return creator_ && send_packet(creator_.get(), {std::string(kFailed), failure.doing, failure.reason,
                                                  failure.advice, std::to_string(failure.exit_code)})
                         .has_value();
}

ContainerControl::Outcome ContainerControl::wait_for_start(int first_pidfd) {
  for (;;) {
    std::array<pollfd, 3> events{{{first_pidfd, POLLIN, 0},
                                  {creator_.get(), POLLIN, 0},
                                  {creator_ ? -1 : listener_.get(), POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return Outcome::kProcessGone;
    if (events[1].revents != 0) {
      auto message = receive_packet(creator_.get());
      if (!message || message->front() != kCreated) return Outcome::kCreatorGone;
      creator_.reset();
    }
    if (events[2].revents == 0) continue;
    UniqueFd caller(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!caller) continue;
    auto message = receive_packet(caller.get());
    if (!message || message->front() != kStart) continue;
    listener_.reset();
    (void)send_packet(caller.get(), {std::string(kStart)});
    return Outcome::kStart;
  }
}

Result<Announcement> receive_announcement(int socket) {
  std::vector<std::string> fields = TRY(receive_packet(socket));
  fields.resize(5);
  if (fields[0] == kReady) {
    auto pid = number_in<pid_t>(fields[1]);
    if (!pid) return err(EPIPE);
    return Announcement(*pid);
  }
  return Announcement(std::unexpected(RunFailure{.doing = fields[1],
                                                 .reason = fields[2],
                                                 .advice = fields[3],
                                                 .exit_code = number_in<int>(fields[4]).value_or(125)}));
}

Result<void> confirm_created(int socket) { return send_packet(socket, {std::string(kCreated)}); }

Result<UniqueFd> listen_in(int directory, const std::string& name) {
  sockaddr_un address = TRY(address_in(directory, name));
  UniqueFd socket = TRY(new_socket());
  TRY(host_status(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)));
  constexpr int kWaiting = 64;
  TRY(host_status(::listen(socket.get(), kWaiting)));
  return socket;
}

Result<UniqueFd> connect_in(int directory, const std::string& name) {
  sockaddr_un address = TRY(address_in(directory, name));
  UniqueFd socket = TRY(new_socket());
  TRY(host_status(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)));
  return socket;
}

Result<void> request_start(int socket) {
  TRY(send_packet(socket, {std::string(kStart)}));
  TRY(receive_packet(socket));
  return {};
}

}  // namespace sandbox::oci
