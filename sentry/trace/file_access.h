// FileAccessWriter: instead of the calls, which files were read, written and executed.
#pragma once

#include <map>
#include <string>

#include "platform/call_observer.h"
#include "sentry/trace/event.h"

namespace sandbox::trace {

struct FileAccess {
  bool is_read = false, is_written = false, is_executed = false;
};

// Paths are as the program sees them. An open counts as what it allows; changing a name or an attribute is
// writing. What a `#!` line or a program names as its interpreter is opened by the kernel and not seen.
class FileAccessWriter final : public Writer {
 public:
  void on_call(const CallEvent& event) override;
  const std::map<std::string, FileAccess>& files() const { return files_; }

  // What must be traced for it.
  static platform::CallSet calls();

 private:
  std::map<std::string, FileAccess> files_;
};

}  // namespace sandbox::trace
