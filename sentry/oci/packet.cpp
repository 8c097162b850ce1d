// Fields ended by zeros, descriptors beside them.
#include "sentry/oci/packet.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sandbox/numbers.h"

namespace sandbox::oci {

namespace {

constexpr std::string_view kFailed = "failed";
constexpr size_t kLargestPacket = 32768;
constexpr off_t kLargestMemory = 16 << 20;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(word.c_str(), word.size() + 1);
  return text;
}

std::vector<std::string> parted(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    words.emplace_back(word);
  }
  return words;
}

}  // namespace

Result<void> send_packet(const UniqueFd& socket, const Packet& packet) {
  std::string text = joined(packet.fields);
  if (text.size() > kLargestPacket) text.resize(kLargestPacket);
  iovec data{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  const size_t count = std::min(packet.descriptors.size(), kMostDescriptors);
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::vector<int> numbers;
    for (size_t i = 0; i < count; ++i) numbers.push_back(packet.descriptors[i].get());
    std::memcpy(CMSG_DATA(header), numbers.data(), count * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return host_status(sent);
}

Result<Packet> receive_packet(const UniqueFd& socket) {
  std::string text(kLargestPacket, '\0');
  iovec data{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return last_error();
  Packet packet;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int numbers[kMostDescriptors];
    const size_t bytes = std::min<size_t>(header->cmsg_len - CMSG_LEN(0), sizeof numbers);
    std::memcpy(numbers, CMSG_DATA(header), bytes);
    for (size_t i = 0; i < bytes / sizeof(int); ++i) packet.descriptors.emplace_back(numbers[i]);
  }
  packet.fields = parted(std::string_view(text.data(), static_cast<size_t>(size)));
  if (packet.fields.empty()) return err(EPIPE);
  return packet;
}

Packet packet_of(const RunFailure& failure) {
  return {.fields = {std::string(kFailed), failure.doing, failure.reason, failure.advice,
                     std::to_string(failure.exit_code)},
          .descriptors = {}};
}

RunFailure failure_in(const Packet& packet) {
  std::vector<std::string> fields = packet.fields;
  fields.resize(5);
  return {.doing = fields[1],
          .reason = fields[2],
          .advice = fields[3],
          .exit_code = parse_number<int>(fields[4]).value_or(125)};
}

Result<UniqueFd> words_in_memory(const std::vector<std::string>& words) {
  UniqueFd memory(TRY(host_result(::memfd_create("request", MFD_CLOEXEC))));
  const std::string text = joined(words);
  for (size_t done = 0; done < text.size();) {
    done += static_cast<size_t>(
        TRY(host_result(::pwrite(memory.get(), text.data() + done, text.size() - done, done))));
  }
  return memory;
}

Result<std::vector<std::string>> words_of_memory(const UniqueFd& memory) {
  const off_t size = TRY(host_result(::lseek(memory.get(), 0, SEEK_END)));
  if (size > kLargestMemory) return err(E2BIG);
  std::string text(static_cast<size_t>(size), '\0');
  for (size_t done = 0; done < text.size();) {
    ssize_t count = TRY(host_result(::pread(memory.get(), text.data() + done, text.size() - done, done)));
    if (count == 0) return err(EPIPE);
    done += static_cast<size_t>(count);
  }
  return parted(text);
}

}  // namespace sandbox::oci
