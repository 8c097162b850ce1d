// Lists and masks of CPUs.
#include "vfs/sysfs/cpu_list.h"

#include <fmt/format.h>

#include "vfs/synthetic/text.h"

namespace sandbox::vfs {

std::string format_cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (size_t first = 0; first < cpus.size();) {
    size_t last = first;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[first]);
    if (last > first) text += fmt::format("-{}", cpus[last]);
    first = last + 1;
  }
  return text;
}

std::string format_cpu_mask(const std::vector<int>& cpus) {
  constexpr int kBits = 32;
  std::vector<uint32_t> groups(cpus.empty() ? 1 : static_cast<size_t>(cpus.back() / kBits + 1));
  for (int cpu : cpus) groups[static_cast<size_t>(cpu / kBits)] |= 1u << cpu % kBits;
  std::string text = fmt::format("{:x}", groups.back());
  for (size_t i = groups.size() - 1; i-- > 0;) text += fmt::format(",{:08x}", groups[i]);
  return text;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  constexpr int kMaximumCpus = 65536;
  std::vector<int> cpus;
  if (text.ends_with('\n')) text.remove_suffix(1);
  while (!text.empty()) {
    std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), range.size() + 1));
    size_t dash = range.find('-');
    auto first = parse_number<int>(range.substr(0, dash));
    auto last = dash == std::string_view::npos ? first : parse_number<int>(range.substr(dash + 1));
    if (!first || !last || *first < 0 || *last >= kMaximumCpus) return cpus;
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace sandbox::vfs
