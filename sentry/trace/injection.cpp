// Reading injections, and counting calls.
#include "sentry/trace/injection.h"

#include <fmt/format.h>
#include <limits.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "sandbox/signals.h"
#include "sentry/trace/call_classes.h"

namespace sandbox::trace {

namespace {

using Failure = std::unexpected<std::string>;

Failure wrong(std::string_view what, std::string_view word) {
  return Failure(fmt::format("{}: {}", word, what));
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc{} && end == text.data() + text.size();
}

bool read_duration(std::string_view text, uint64_t& duration_ns) {
  constexpr std::pair<std::string_view, uint64_t> kUnits[] = {{"ns", 1},
                                                              {"us", 1000},
                                                              {"ms", 1'000'000},
                                                              {"s", 1'000'000'000},
                                                              {"", 1000}};  // as strace: microseconds
  for (auto [unit, factor] : kUnits) {
    if (!text.ends_with(unit)) continue;
    uint64_t number = 0;
    if (!read_number(text.substr(0, text.size() - unit.size()), number) || number > UINT64_MAX / factor)
      return false;
    duration_ns = number * factor;
    return true;
  }
  return false;
}

// FIRST[..LAST][+[STEP]]
bool read_when(std::string_view text, Injection& rule) {
  const size_t plus = text.find('+');
  std::string_view range = text.substr(0, plus);
  rule.step = 0;
  if (plus != text.npos) {
    rule.step = 1;
    const std::string_view step = text.substr(plus + 1);
    if (!step.empty() && (!read_number(step, rule.step) || rule.step == 0)) return false;
  }
  const size_t dots = range.find("..");
  if (dots != range.npos) {
    if (!read_number(range.substr(dots + 2), rule.last)) return false;
    rule.step = std::max<uint64_t>(rule.step, 1);
    range = range.substr(0, dots);
  }
  return read_number(range, rule.first) && rule.first > 0 && rule.last >= rule.first;
}

// Empty when it is understood.
std::string read_part(std::string_view key, std::string_view value, Injection& rule) {
  const auto unless = [&](bool is_understood, std::string_view what) {
    return is_understood ? std::string() : fmt::format("{}={}: {}", key, value, what);
  };
  if (key == "path") {
    rule.filter.paths.emplace_back(value);
    return {};
  }
  if (key == "fd") {
    int number = 0;
    if (read_number(value, number)) rule.filter.descriptors.push_back(number);
    return unless(!rule.filter.descriptors.empty(), "a number of a descriptor");
  }
  if (key == "error") {
    const auto number = value.starts_with('E') ? find_constant(value) : std::nullopt;
    if (number) rule.result = -*number;
    return unless(number.has_value(), "the name of an error, as ENOSPC");
  }
  if (key == "retval") {
    int64_t number = 0;
    const bool is_number = read_number(value, number);
    if (is_number) rule.result = number;
    return unless(is_number, "a number");
  }
  if (key == "signal") {
    rule.signal = signal_number(value).value_or(0);
    return unless(rule.signal != 0, "the name of a signal, as SIGUSR1");
  }
  if (key == "delay" || key == "delay_enter")
    return unless(read_duration(value, rule.delay_ns), "a duration, as 10ms");
  if (key == "short") {
    uint64_t bytes = Injection::kRandomBytes;
    const bool is_understood = value == "random" || (read_number(value, bytes) && bytes > 0);
    if (is_understood) rule.most_bytes = bytes;
    return unless(is_understood, "a number of bytes from 1 on, or random");
  }
  if (key == "when")
    return unless(read_when(value, rule), "FIRST, FIRST+STEP, FIRST..LAST or FIRST..LAST+STEP");
  if (key == "probability") {
    return unless(read_number(value, rule.probability) && rule.probability >= 0 && rule.probability <= 1,
                  "a number from 0 to 1");
  }
  return fmt::format("{}: one of path, fd, error, retval, signal, delay, short, when, probability", key);
}

// Where the next ":key=" begins; a path may have colons of its own.
size_t end_of_part(std::string_view text) {
  for (size_t colon = text.find(':'); colon != text.npos; colon = text.find(':', colon + 1)) {
    const std::string_view rest = text.substr(colon + 1);
    const size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
    if (end != 0 && end != rest.npos && rest[end] == '=') return colon;
  }
  return text.size();
}

// The argument of a call that says how many bytes it moves.
std::optional<size_t> count_argument(const SyscallRow& row) {
  constexpr std::string_view kMoving[] = {"read",   "write",     "pread64",  "pwrite64",        "recvfrom",
                                          "sendto", "getrandom", "sendfile", "copy_file_range", "splice"};
  if (std::ranges::find(kMoving, row.name) == std::end(kMoving)) return std::nullopt;
  const auto arguments = row.arguments();
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name == "count" || arguments[i].name == "len" || arguments[i].name == "size" ||
        arguments[i].name == "buflen")
      return i;
  return std::nullopt;
}

bool moves_vector(const SyscallRow& row) {
  constexpr std::string_view kMoving[] = {"readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2"};
  return std::ranges::find(kMoving, row.name) != std::end(kMoving);
}

// Cuts the array so that no more than `most` bytes are left.
void cut(std::vector<iovec>& vector, uint64_t most) {
  size_t count = 0;
  for (; count < vector.size() && most > 0; ++count) {
    vector[count].iov_len = std::min<uint64_t>(vector[count].iov_len, most);
    most -= vector[count].iov_len;
  }
  vector.resize(count);
}

// `most_of` says how many of all its bytes a call is to move, at least 1.
template <typename MostOf>
void shorten(const DecodedCall& call, GuestMemory& memory, MostOf most_of, platform::Intervention& wanted) {
  if (const auto index = count_argument(*call.row)) {
    const uint64_t all = call.registers[*index], most = most_of(all);
    if (most < all) wanted.argument = {*index, most};
    return;
  }
  constexpr size_t kArray = platform::Intervention::kVectorArgument;
  const uint64_t length = call.registers[kArray + 1];
  if (!moves_vector(*call.row) || length == 0 || length > IOV_MAX) return;
  auto vector = memory.read_array(GuestPtr<const iovec>(call.registers[kArray]), length);
  if (!vector) return;
  uint64_t all = 0;
  for (const iovec& part : *vector)
    if (__builtin_add_overflow(all, part.iov_len, &all)) return;  // the call fails
  const uint64_t most = most_of(all);
  if (most >= all) return;
  cut(*vector, most);
  wanted.vector = *std::move(vector);
}

}  // namespace

uint64_t Injection::most_of(uint64_t all, uint64_t chance) const {
  if (*most_bytes != kRandomBytes || all == 0) return *most_bytes;
  return 1 + chance % all;
}

std::expected<Injection, std::string> Injection::parse(std::string_view text) {
  Injection rule;
  const size_t calls_end = end_of_part(text);
  auto calls = parse_call_set(text.substr(0, calls_end));
  if (!calls) return Failure(calls.error());
  rule.filter.calls = *calls;
  for (std::string_view rest = text.substr(std::min(calls_end + 1, text.size())); !rest.empty();) {
    const std::string_view part = rest.substr(0, end_of_part(rest));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const size_t equals = part.find('=');
    if (equals == part.npos) return wrong("a part has the form key=value", part);
    if (std::string error = read_part(part.substr(0, equals), part.substr(equals + 1), rule); !error.empty())
      return Failure(error);
  }
  if (!rule.result && rule.signal == 0 && rule.delay_ns == 0 && !rule.most_bytes)
    return wrong("it says nothing that is to happen: error=, retval=, signal=, delay= or short=", text);
  rule.filter.narrow();
  if (rule.filter.calls.is_empty()) return wrong("no call can be meant", text);
  return rule;
}

bool Injector::needs_names() const {
  return std::ranges::any_of(rules_, [](const Injection& rule) { return !rule.filter.paths.empty(); });
}

platform::CallSet Injector::calls() const {
  platform::CallSet set;
  for (const Injection& rule : rules_) set.add(rule.filter.calls);
  return set;
}

uint64_t Injector::draw(size_t rule, pid_t pid, uint64_t count) {
  const uint64_t place = order_.try_emplace(pid, order_.size()).first->second;
  // splitmix64, from a number that no two draws share.
  uint64_t number =
      seed_ + 0x9e3779b97f4a7c15 * (count + 1) + 0xbf58476d1ce4e5b9 * (place + 1) + (rule << 56);
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

std::optional<platform::Intervention> Injector::decide(const CallEvent& event, GuestMemory& memory,
                                                       DescriptorNames* names) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Injection& rule = rules_[i];
    if (!rule.filter.calls.contains(event.call.number) || !rule.filter.may_pass(event, names)) continue;
    const uint64_t count = ++counts_[{i, event.thread.pid}];
    const bool is_chosen = count >= rule.first && count <= rule.last &&
                           (rule.step == 0 ? count == rule.first : (count - rule.first) % rule.step == 0);
    if (!is_chosen) continue;
    const uint64_t number = draw(i, event.thread.pid, count);
    if (static_cast<double>(number >> 11) >= rule.probability * 0x1p53) continue;
    platform::Intervention wanted{.result = rule.result, .signal = rule.signal, .delay_ns = rule.delay_ns};
    if (rule.most_bytes && event.call.row != nullptr)
      shorten(event.call, memory, [&](uint64_t all) { return rule.most_of(all, number); }, wanted);
    if (wanted.does_something()) return wanted;
  }
  return std::nullopt;
}

}  // namespace sandbox::trace
