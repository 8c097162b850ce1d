// Fields ended by zeros, descriptors beside them.
#include "sentry/oci/packet.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "platform/passed_descriptors.h"
#include "sandbox/numbers.h"
#include "sandbox/write_all.h"

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
  std::vector<int> numbers;
  for (const UniqueFd& fd : packet.descriptors) numbers.push_back(fd.get());
  return platform::send_message(socket.get(), std::as_bytes(std::span(text)), numbers);
}

Result<Packet> receive_packet(const UniqueFd& socket) {
  std::string text(kLargestPacket, '\0');
  auto message = TRY(platform::receive_message(socket.get(), std::as_writable_bytes(std::span(text))));
  Packet packet{.fields = parted(std::string_view(text.data(), message.size)),
                .descriptors = std::move(message.fds)};
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
  TRY(write_all_at(memory.get(), joined(words), 0));
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
