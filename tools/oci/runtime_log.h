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

 private:
  std::string path_;
  Format format_;
};

}  // namespace sandbox::tools::oci
