// Packet: what a container's sentry and its runtime's commands say to each other over a socket.
#pragma once

#include <string>
#include <vector>

#include "sentry/failure.h"

namespace sandbox::oci {

// One packet of a SOCK_SEQPACKET socket: words, of which there is at least one, and descriptors, of which
// there are at most platform::kMaxPassedDescriptors.
struct Packet {
  std::vector<std::string> fields;
  std::vector<UniqueFd> descriptors;
};

// Words beyond 32 KiB in all are cut. Errors: those of sendmsg.
Result<void> send_packet(const UniqueFd& socket, const Packet& packet);
// Errors: EPIPE: the other end is closed, or sent nothing that is a packet.
Result<Packet> receive_packet(const UniqueFd& socket);

// A failure as a packet, and back.
Packet packet_of(const RunFailure& failure);
RunFailure failure_in(const Packet& packet);

// Strings that may be longer than a packet travel in memory of their own.
Result<UniqueFd> words_in_memory(const std::vector<std::string>& words);
// Errors: E2BIG (more than 16 MiB), those of read.
Result<std::vector<std::string>> words_of_memory(const UniqueFd& memory);

}  // namespace sandbox::oci
