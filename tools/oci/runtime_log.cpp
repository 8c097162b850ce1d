// Lines of the log, as logrus of the engines' other runtimes writes them.
#include "tools/oci/runtime_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <time.h>
#include <unistd.h>

#include "tools/json_text.h"
#include "tools/messages.h"

namespace sandbox::tools::oci {

Configured<RuntimeLog> RuntimeLog::open(std::string path, const std::string& format) {
  if (format != "text" && format != "json")
    return failure("write the log", fmt::format("`{}` is no format", printable(format)), "text or json");
  RuntimeLog log(std::move(path), format == "json" ? Format::kJson : Format::kText);
  if (!log.path_.empty() && !log.file())
    return failure(fmt::format("write the log {}", printable(log.path_)), Errno::last(),
                   "a place that you may write to");
  return log;
}

UniqueFd RuntimeLog::file() const {
  return UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644));
}

void RuntimeLog::write_error(const RunFailure& failure) const {
  std::string message = fmt::format("cannot {}: {}", failure.doing, failure.reason);
  // Engines make exit code 127 of these words.
  constexpr int kNotFound = 127;
  if (failure.exit_code == kNotFound) message += " (executable file not found: no such file or directory)";
  if (!failure.advice.empty()) message += fmt::format("; try: {}", failure.advice);
  write("error", message);
}

void RuntimeLog::write(const char* level, const std::string& message) const {
  if (path_.empty()) return;
  const std::string time_text = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(::time(nullptr)));
  const std::string quoted = json_string(message);
  const std::string line =
      format_ == Format::kJson
          ? fmt::format("{{\"level\":\"{}\",\"msg\":{},\"time\":\"{}\"}}\n", level, quoted, time_text)
          : fmt::format("time=\"{}\" level={} msg={}\n", time_text, level, quoted);
  if (const UniqueFd opened = file()) (void)!::write(opened.get(), line.data(), line.size());
}

}  // namespace sandbox::tools::oci
