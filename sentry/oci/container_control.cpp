// The messages between a container's sentry and its runtime's commands: one packet each, fields ended by
// zeros.
#include "sentry/oci/container_control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "sandbox/numbers.h"
#include "sentry/oci/packet.h"

namespace sandbox::oci {

namespace {

constexpr std::string_view kCreated = "created", kReady = "ready", kProcess = "process", kHooksRun = "hooks";
constexpr std::string_view kStartWords[] = {"start", "start-hooks", "release"};  // by StartRequest

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

}  // namespace

Result<void> ContainerControl::announce(const Announced& announced) {
  const bool is_ready = announced.stage == Announced::Stage::kReady;
  return send_packet(
      creator_, {.fields = {std::string(is_ready ? kReady : kProcess), std::to_string(announced.first)}});
}

Result<void> ContainerControl::wait_for_hooks() {
  Packet message = TRY(receive_packet(creator_));
  if (message.fields[0] != kHooksRun) return err(EPIPE);
  return {};
}

bool ContainerControl::announce(const RunFailure& failure) {
  return creator_ && send_packet(creator_, packet_of(failure)).has_value();
}

ContainerControl::Outcome ContainerControl::wait_for_start(int first_pidfd) {
  for (;;) {
    std::array<pollfd, 3> events{{{first_pidfd, POLLIN, 0},
                                  {creator_.get(), POLLIN, 0},
                                  {creator_ ? -1 : listener_.get(), POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return Outcome::kProcessGone;
    if (events[1].revents != 0) {
      auto message = receive_packet(creator_);
      if (!message || message->fields[0] != kCreated) return Outcome::kCreatorGone;
      creator_.reset();
    }
    if (events[2].revents == 0) continue;
    UniqueFd caller(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!caller) continue;
    auto message = receive_packet(caller);
    auto request = message ? start_request_in(message->fields[0]) : std::nullopt;
    if (!request || *request == StartRequest::kRelease) continue;
    (void)send_packet(caller, {.fields = {message->fields[0]}});
    return *request == StartRequest::kStart ? Outcome::kStart : Outcome::kStartHooks;
  }
}

Result<Announcement> receive_announcement(const UniqueFd& socket) {
  Packet packet = TRY(receive_packet(socket));
  const bool is_ready = packet.fields[0] == kReady;
  if (!is_ready && packet.fields[0] != kProcess) return Announcement(std::unexpected(failure_in(packet)));
  packet.fields.resize(2);
  auto pid = parse_number<pid_t>(packet.fields[1]);
  if (!pid) return err(EPIPE);
  return Announcement({is_ready ? Announced::Stage::kReady : Announced::Stage::kProcess, *pid});
}

Result<void> confirm_hooks(const UniqueFd& socket) {
  return send_packet(socket, {.fields = {std::string(kHooksRun)}, .descriptors = {}});
}

Result<void> confirm_created(const UniqueFd& socket) {
  return send_packet(socket, {.fields = {std::string(kCreated)}});
}

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

Result<void> request_start(const UniqueFd& socket, StartRequest request) {
  const std::string word(kStartWords[static_cast<size_t>(request)]);
  TRY(send_packet(socket, {.fields = {word}, .descriptors = {}}));
  TRY(receive_packet(socket));
  return {};
}

std::optional<StartRequest> start_request_in(const std::string& word) {
  auto found = std::ranges::find(kStartWords, word);
  if (found == std::end(kStartWords)) return std::nullopt;
  return static_cast<StartRequest>(found - std::begin(kStartWords));
}

}  // namespace sandbox::oci
