// Values of run's options, from the words users type to the fields of SandboxConfig.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/sandbox_config.h"

namespace sandbox::tools {

// A value, or what to tell the person who typed the option.
template <typename T>
using Parsed = std::expected<T, RunFailure>;

// SRC[:DST]. SRC is a host path that must exist, relative to the working directory if need be; the
// source of the result has no symbolic link in it. DST is an absolute path inside; left out, it is SRC.
// A colon separates only where a slash follows it, so `a:b` is a source, and in `a:/b:/c` it is the last.
Parsed<BindMount> parse_bind(std::string_view text, BindMount::Access access);

// DST[:size=SIZE,mode=OCTAL].
Parsed<TmpfsMount> parse_tmpfs(std::string_view text);

// A number of bytes, with k, m, g or t for powers of 1024 ("64m", "64MiB", "4096").
Parsed<uint64_t> parse_size(std::string_view text);

// As timeout(1): a number with a fraction if need be, then ms, s, m, h or d; seconds without. Zero: no limit.
Parsed<std::chrono::milliseconds> parse_duration(std::string_view text);

// The file of --env-file: NAME=VALUE or NAME (the caller's value) a line; empty lines and lines that
// start with # are skipped; quotes mean nothing, as with docker.
Parsed<std::vector<std::string>> read_environment_file(const std::string& path);

// The environment under construction: a later value of a name replaces the earlier one.
class Environment {
 public:
  // NAME=VALUE sets; NAME takes the caller's value, or nothing when the caller has none.
  // Fails when the name is empty.
  Parsed<void> set(std::string_view assignment);
  // NAME=VALUE, unless the name has a value already.
  void set_default(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  bool contains(std::string_view name) const;
  std::vector<std::string> take() { return std::move(variables_); }

 private:
  std::vector<std::string> variables_;
};

// `path` without `.`, `..`, doubled and trailing slashes, taken from the working directory if relative.
// Symbolic links are not looked at: for paths inside, which the sandbox walks itself.
std::string absolute_path(std::string_view path);

// The host path without symbolic links, as realpath(3).
std::expected<std::string, Errno> real_path(const std::string& path);

// Whether `path` is `ancestor` or lies below it; both absolute and clean.
bool is_within(std::string_view path, std::string_view ancestor);

}  // namespace sandbox::tools
