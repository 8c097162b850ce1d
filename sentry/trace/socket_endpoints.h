// What a socket is connected to, for the names of descriptors.
#pragma once

#include <string>

namespace sandbox::trace {

// "TCP:[127.0.0.1:80->127.0.0.1:40000]", "UNIX-STREAM:[17,/run/x]", as strace -yy has it; `link`, what /proc
// calls the socket ("socket:[17]"), for other families.
std::string describe_socket(int socket, const std::string& link);

}  // namespace sandbox::trace
