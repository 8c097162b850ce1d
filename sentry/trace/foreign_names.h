// Names of calls that are made as 32-bit programs make them.
#pragma once

#include <cstdint>
#include <string>

namespace sandbox::trace {

// "i386_open"; "i386_9999" for a number that has no name.
std::string foreign_name(uint32_t number);

}  // namespace sandbox::trace
