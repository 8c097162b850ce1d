// Values of run's options; every failure names the option's value and says how it should look.
#include "tools/run_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>

#include "sandbox/numbers.h"
#include "sandbox/path_components.h"
#include "tools/messages.h"

namespace sandbox::tools {
namespace {

std::unexpected<RunFailure> refuse(std::string doing, std::string reason, std::string advice) {
  return std::unexpected(
      RunFailure{.doing = std::move(doing), .reason = std::move(reason), .advice = std::move(advice)});
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

std::string_view name_of(std::string_view assignment) { return assignment.substr(0, assignment.find('=')); }

// Where the last ":/" is; npos when there is none behind the first letter.
size_t separating_colon(std::string_view text) {
  size_t colon = text.rfind(":/");
  return colon == 0 ? std::string_view::npos : colon;
}

Parsed<uint32_t> parse_mode(std::string_view text) {
  auto mode = parse_number<uint32_t>(text, 8);
  if (!mode || *mode > 07777)
    return refuse("set the mode of a tmpfs", fmt::format("`{}` is no octal mode", printable(text)),
                  "mode=0755");
  return *mode;
}

}  // namespace

Parsed<BindMount> parse_bind(std::string_view text, BindMount::Access access) {
  const char* option = access == BindMount::Access::kReadOnly ? "--ro-bind" : "--bind";
  size_t colon = separating_colon(text);
  std::string source(text.substr(0, colon));
  std::string destination = colon == std::string_view::npos ? "" : std::string(text.substr(colon + 1));
  if (source.empty())
    return refuse("bind a path", "the source is empty", fmt::format("{} SRC or {} SRC:DST", option, option));
  std::string doing = destination.empty()
                          ? fmt::format("bind {}", printable(source))
                          : fmt::format("bind {} to {}", printable(source), printable(destination));
  auto real_source = real_path(source);
  if (!real_source) {
    bool may_be_relative_destination = destination.empty() && source.contains(':');
    return refuse(doing, reason_of(real_source.error()),
                  may_be_relative_destination
                      ? "an absolute destination: SRC:/DST"
                      : "create the source first, correct its name, or leave the option out");
  }
  return BindMount{.source = *real_source,
                   .destination = absolute_path(destination.empty() ? source : destination),
                   .access = access};
}

Parsed<TmpfsMount> parse_tmpfs(std::string_view text) {
  TmpfsMount mount;
  size_t colon = text.find(':');
  mount.destination = text.substr(0, colon);
  std::string doing = fmt::format("mount a tmpfs on {}", printable(mount.destination));
  if (!mount.destination.starts_with('/'))
    return refuse(doing, "the destination is not absolute", "--tmpfs /DST:size=64m,mode=0755");
  mount.destination = absolute_path(mount.destination);
  std::string_view options = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  while (!options.empty()) {
    std::string_view option = options.substr(0, options.find(','));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
    if (option.starts_with("size=")) {
      mount.size_bytes = TRY(parse_size(option.substr(5)));
    } else if (option.starts_with("mode=")) {
      mount.mode = TRY(parse_mode(option.substr(5)));
    } else if (option != "rw") {
      return refuse(doing, fmt::format("`{}` is no option of a tmpfs here", printable(option)),
                    "size=SIZE and mode=OCTAL, separated by a comma");
    }
  }
  return mount;
}

Parsed<uint64_t> parse_size(std::string_view text) {
  auto bad = [&](const char* reason) {
    return refuse(fmt::format("use the size `{}`", printable(text)), reason,
                  "a number of bytes, with k, m, g or t for powers of 1024: 64m");
  };
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return bad("it is larger than any machine");
  if (error != std::errc{}) return bad("it is no number");
  std::string unit = lower_case(std::string_view(end, text.data() + text.size()));
  for (std::string_view suffix : {"ib", "b"})
    if (unit.size() > suffix.size() && unit.ends_with(suffix)) unit.resize(unit.size() - suffix.size());
  constexpr std::string_view kUnits = "kmgt";
  unsigned shift = 0;
  if (unit.size() == 1 && kUnits.contains(unit[0]))
    shift = 10 * (kUnits.find(unit[0]) + 1);
  else if (!unit.empty() && unit != "b")
    return bad("the unit is unknown");
  if (number == 0) return bad("it is zero");
  constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max();
  if (number > (kLargest >> shift)) return bad("it is larger than any machine");
  return number << shift;
}

Parsed<std::chrono::milliseconds> parse_duration(std::string_view text) {
  auto bad = [&](const char* reason) {
    return refuse(fmt::format("use the time limit `{}`", printable(text)), reason,
                  "a number with ms, s, m, h or d behind it: 30s, 1.5h");
  };
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number)) return bad("it is no number");
  if (std::signbit(number)) return bad("it is negative");
  std::string_view unit(end, text.data() + text.size());
  double unit_ms = unit == "ms"                  ? 1
                   : unit.empty() || unit == "s" ? 1000
                   : unit == "m"                 ? 60'000
                   : unit == "h"                 ? 3'600'000
                   : unit == "d"                 ? 86'400'000
                                                 : 0;
  if (unit_ms == 0) return bad("the unit is unknown");
  constexpr double kLongestMs = 100.0 * 365 * 86'400'000;  // a century; farther times overflow timers
  double milliseconds = std::min(std::ceil(number * unit_ms), kLongestMs);
  return std::chrono::milliseconds(static_cast<int64_t>(milliseconds));
}

Parsed<std::vector<std::string>> read_environment_file(const std::string& path) {
  std::string doing = fmt::format("read the environment file {}", printable(path));
  errno = 0;
  std::ifstream file(path);
  if (!file) return refuse(doing, reason_of(Errno::last()), "correct the name behind --env-file");
  std::vector<std::string> lines;
  std::string line;
  for (unsigned number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    size_t start = line.find_first_not_of(" \t");
    if (start == std::string::npos || line[start] == '#') continue;
    line.erase(0, start);
    std::string_view name = name_of(line);
    if (name.empty() || name.find_first_of(" \t") != std::string_view::npos || line.contains('\0'))
      return refuse(doing, fmt::format("line {} is neither NAME=VALUE nor NAME", number),
                    "lines as docker's --env-file has them, without quotes and `export`");
    lines.push_back(line);
  }
  if (file.bad()) return refuse(doing, reason_of(Errno::last()), "look whether it is a regular file");
  return lines;
}

Parsed<void> Environment::set(std::string_view assignment) {
  std::string_view name = name_of(assignment);
  if (name.empty())
    return refuse(fmt::format("set the variable `{}`", printable(assignment)), "it has no name",
                  "--env NAME=VALUE, or --env NAME for the value it has here");
  std::string variable(assignment);
  if (name.size() == assignment.size()) {
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) return {};
    variable += fmt::format("={}", value);
  }
  remove(name);
  variables_.push_back(std::move(variable));
  return {};
}

void Environment::set_default(std::string_view name, std::string_view value) {
  if (!contains(name)) variables_.push_back(fmt::format("{}={}", name, value));
}

void Environment::remove(std::string_view name) {
  std::erase_if(variables_, [&](const std::string& variable) { return name_of(variable) == name; });
}

bool Environment::contains(std::string_view name) const {
  return std::ranges::any_of(variables_,
                             [&](const std::string& variable) { return name_of(variable) == name; });
}

std::string absolute_path(std::string_view path) {
  std::string full(path);
  if (!path.starts_with('/')) {
    char* working_directory = ::getcwd(nullptr, 0);
    if (working_directory != nullptr) full = fmt::format("{}/{}", working_directory, path);
    std::free(working_directory);
  }
  std::vector<std::string_view> components;
  for (std::string_view component : path_components(full)) {
    if (component != "..")
      components.push_back(component);
    else if (!components.empty())
      components.pop_back();
  }
  std::string clean;
  for (std::string_view component : components) clean += fmt::format("/{}", component);
  return clean.empty() ? "/" : clean;
}

std::expected<std::string, Errno> real_path(const std::string& path) {
  // Most paths asked for are secrets that this host does not have: one call tells.
  if (::access(path.c_str(), F_OK) != 0) return last_error();
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return last_error();
  std::string result(resolved);
  std::free(resolved);
  return result;
}

bool is_within(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return path.starts_with('/');
  return path.starts_with(ancestor) && (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

}  // namespace sandbox::tools
