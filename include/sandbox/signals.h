// Signals by their names.
#pragma once

#include <optional>
#include <string_view>

namespace sandbox {

// "15", "TERM", "SIGTERM", "sigterm", "SIGRTMIN+3"; 0 only as a number. Nothing for what is no signal.
std::optional<int> signal_number(std::string_view word);

}  // namespace sandbox
