// RuntimeLog: the file of --log, whose last line engines show to their users.
#pragma once

#include <string>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

class RuntimeLog {
 public:
  enum class Format { kText, kJson };
  // An empty path: nothing is written.
  RuntimeLog(std::string path, Format format) : path_(std::move(path)), format_(format) {}
  void write_error(const RunFailure& failure) const;
  void write_warning(const std::string& message) const { write("warning", message); }

 private:
  void write(const char* level, const std::string& message) const;

  std::string path_;
  Format format_;
};

}  // namespace sandbox::tools::oci
