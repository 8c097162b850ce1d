// Numbers as C writes them.
#pragma once

#include <cstdint>
#include <string>

namespace sandbox::trace {

void append_decimal(std::string& out, int64_t number);
void append_natural(std::string& out, uint64_t number);
void append_hex(std::string& out, uint64_t number);          // "0", "0x1f"
void append_octal(std::string& out, uint64_t number);        // of a mode: "0644", "000"
void append_hex_byte(std::string& out, unsigned char byte);  // "0f"

std::string decimal(int64_t number);
std::string natural(uint64_t number);
std::string hex(uint64_t number);

}  // namespace sandbox::trace
