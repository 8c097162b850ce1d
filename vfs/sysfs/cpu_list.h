// Sets of CPUs in the two notations of /sys (lib/bitmap.c).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sandbox::vfs {

// "0-3,8" for ascending numbers; "" for none.
std::string format_cpu_list(const std::vector<int>& cpus);
// Groups of 32 bits in hexadecimal, the highest first: "1,00000003"; "0" for none.
std::string format_cpu_mask(const std::vector<int>& cpus);
// Ascending; what is not a list gives the part before the mistake.
std::vector<int> parse_cpu_list(std::string_view text);

}  // namespace sandbox::vfs
