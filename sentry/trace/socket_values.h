// Socket addresses and control messages as values.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "sentry/trace/scope.h"

namespace sandbox::trace {

// The address in `bytes`, as long as the program says; the family decides.
Value socket_address_value(std::span<const std::byte> bytes);
// The same, read from the program.
Value socket_address_at(Scope& scope, uint64_t address, uint64_t length);
// [{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[3]}]
Value control_messages_at(Scope& scope, uint64_t address, uint64_t length);

// {pid=1, uid=0, gid=0}: a struct ucred, which `bytes` must hold.
Value credentials_value(std::span<const std::byte> bytes);
// inet_addr("127.0.0.1")
Value ipv4_value(const in_addr& address);

// Levels and options, for what names one.
Value socket_level_value(int level);
Value socket_option_value(int level, int option);

}  // namespace sandbox::trace
