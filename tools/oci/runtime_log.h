// RuntimeLog: the file of --log, whose last line engines show to their users.
#pragma once

#include <string>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

class RuntimeLog {
 public:
  // As --log and --log-format have it; an empty path: nothing is written. Failures: the format is neither
  // text nor json, the file cannot be written.
  static Configured<RuntimeLog> open(std::string path, const std::string& format);
  void write_error(const RunFailure& failure) const;
  void write_warning(const std::string& message) const { write("warning", message); }

 private:
  enum class Format { kText, kJson };
  RuntimeLog(std::string path, Format format) : path_(std::move(path)), format_(format) {}
  UniqueFd file() const;
  void write(const char* level, const std::string& message) const;

  std::string path_;
  Format format_;
};

}  // namespace sandbox::tools::oci
