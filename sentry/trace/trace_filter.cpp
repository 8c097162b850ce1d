// Looking at a call's values.
#include "sentry/trace/trace_filter.h"

#include <fnmatch.h>

#include <algorithm>

#include "sandbox/numbers.h"
#include "sentry/trace/named_paths.h"

namespace sandbox::trace {

namespace {

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

// Every path that the call names, by string or by descriptor.
template <typename Visit>
bool any_path(const CallEvent& event, DescriptorNames* names, Visit visit) {
  if (event.call.row == nullptr) return false;
  const auto arguments = event.call.row->arguments();
  std::string base;
  bool has_base = false;
  for (size_t i = 0; i < arguments.size() && i < event.call.arguments.size(); ++i) {
    const auto number = static_cast<int>(event.call.registers[i]);
    if (arguments[i].kind == ArgumentKind::kDescriptor && names != nullptr) {
      base = number == -100 /* AT_FDCWD */ ? names->working_directory() : names->describe(number);
      has_base = true;
      // A directory that only anchors a path is not what the call is about.
      const bool is_anchor = i + 1 < arguments.size() && arguments[i + 1].kind == ArgumentKind::kPath;
      if (!is_anchor && visit(std::string_view(base))) return true;
    } else if (arguments[i].kind == ArgumentKind::kPath) {
      auto text = event.call.arguments[i].as_string();
      if (!text) continue;
      if (!has_base && names != nullptr && !text->starts_with('/')) base = names->working_directory();
      std::string full = joined_path(base, *text);
      if (visit(std::string_view(full))) return true;
    }
  }
  return false;
}

bool names_descriptor(const CallEvent& event, const std::vector<int>& wanted) {
  if (event.call.row == nullptr) return false;
  const auto arguments = event.call.row->arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kind == ArgumentKind::kDescriptor &&
        std::ranges::find(wanted, static_cast<int>(event.call.registers[i])) != wanted.end()) {
      return true;
    }
  }
  return false;
}

bool returns_descriptor(const SyscallRow& row) { return row.signature.result_type == "Fd"; }

}  // namespace

bool is_path_admitted(const std::string& pattern, std::string_view path) {
  if (is_glob(pattern)) return ::fnmatch(pattern.c_str(), std::string(path).c_str(), 0) == 0;
  std::string_view folder = pattern;
  while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

void TraceFilter::narrow() {
  for (uint32_t number = 0; number <= platform::CallSet::kLimit; ++number) {
    const SyscallRow* row = find_syscall(number);
    bool has_path = false, has_descriptor = row != nullptr && returns_descriptor(*row);
    for (const SyscallArgument& argument :
         row != nullptr ? row->arguments() : std::span<const SyscallArgument>()) {
      has_path |= argument.kind == ArgumentKind::kPath;
      has_descriptor |= argument.kind == ArgumentKind::kDescriptor;
    }
    const bool can_pass = (paths.empty() || has_path || has_descriptor) &&
                          (descriptors.empty() || has_descriptor) && (!where || where->can_hold_for(row));
    if (!can_pass) calls.remove(number);
  }
}

bool TraceFilter::admits_process(ThreadIdentity thread, const std::string& command) const {
  if (processes.empty()) return true;
  return std::ranges::any_of(processes, [&](const std::string& wanted) {
    if (auto pid = parse_number<pid_t>(wanted)) return *pid == thread.pid || *pid == thread.tid;
    return ::fnmatch(wanted.c_str(), command.c_str(), 0) == 0;
  });
}

bool TraceFilter::may_pass(const CallEvent& event, DescriptorNames* names) const {
  if (!descriptors.empty() && !names_descriptor(event, descriptors) &&
      (event.call.row == nullptr || !returns_descriptor(*event.call.row))) {
    return false;
  }
  if (paths.empty()) return true;
  return any_path(event, names, [&](std::string_view path) {
    return std::ranges::any_of(paths, [&](const auto& pattern) { return is_path_admitted(pattern, path); });
  });
}

bool TraceFilter::awaits_result() const {
  return !descriptors.empty() || outcome != Outcome::kAny || !errors.empty() || !results.empty() ||
         min_duration_ns > 0 || where.has_value();
}

bool TraceFilter::passes(const CallEvent& event) const {
  const auto& result = event.call.result;
  if (!descriptors.empty() && !names_descriptor(event, descriptors)) {
    const bool is_result = result && !result->error && event.call.row != nullptr &&
                           returns_descriptor(*event.call.row) &&
                           std::ranges::find(descriptors, result->number) != descriptors.end();
    if (!is_result) return false;
  }
  if (outcome == Outcome::kSuccess && (!result || result->error)) return false;
  if (outcome == Outcome::kFailure && (!result || !result->error)) return false;
  if (!errors.empty() &&
      (!result || !result->error || std::ranges::find(errors, result->error->value()) == errors.end())) {
    return false;
  }
  if (!results.empty() && (!result || std::ranges::find(results, result->number) == results.end()))
    return false;
  if (event.duration_ns < min_duration_ns) return false;
  return !where || where->holds(event);
}

}  // namespace sandbox::trace
