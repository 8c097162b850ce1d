// TraceFindings: what `sandbox trace` makes of a run besides showing its calls: a seccomp profile
// (--profile), a list of files (--files), and why the program failed (--explain).
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "sentry/trace/failure_history.h"
#include "sentry/trace/file_access.h"
#include "sentry/trace/recorder.h"
#include "sentry/trace/writer_group.h"
#include "tools/command_line.h"
#include "tools/run_options.h"

namespace sandbox::tools {

struct Findings {
  std::set<std::string> calls;
  std::map<std::string, trace::FileAccess> files;
  std::string explanation;

  // For another process. What is no such message says less.
  std::string to_message() const;
  static Findings from_message(std::string_view message);
};

class TraceFindings {
 public:
  // Binds the options to `app`.
  explicit TraceFindings(CLI::App& app);

  bool is_wanted() const { return !profile_path_.empty() || !files_path_.empty() || explains_; }
  // Opens the files, before the sandbox takes the rights away. Errors: a file cannot be written, or holds
  // something that cannot be merged with.
  Parsed<void> open();
  // What the trace must tell for it.
  void prepare(trace::RecorderOptions& options) const;
  // Leaves other calls at full speed, as nobody is shown them.
  void narrow(trace::RecorderOptions& options) const;
  void add_writers(trace::WriterGroup& writers);
  // The program runs already: whichever of its processes fails last is explained, not the first one alone.
  void begin_within_program() { history_.begin_within_program(); }
  // After the run.
  Findings found() const;
  // Writes the files, and the explanation to standard error.
  Parsed<void> write(const Findings& findings);

 private:
  class UsedCallsWriter final : public trace::Writer {
   public:
    void on_call(const trace::CallEvent& event) override {
      if (event.call.row != nullptr) names_.insert(std::string(event.call.row->name));
    }
    const std::set<std::string>& names() const { return names_; }

   private:
    std::set<std::string> names_;
  };

  std::string profile_path_, files_path_;
  bool explains_ = false;
  UniqueFd profile_file_, files_file_;
  UsedCallsWriter used_calls_;
  trace::FileAccessWriter files_;
  trace::FailureHistory history_;
};

// `document`, a profile that lists what is allowed (an empty object: none yet), with these calls allowed as
// well. Calls that it has a rule for are left as they are. Errors: it is no such profile.
Parsed<nlohmann::ordered_json> merged_profile(nlohmann::ordered_json document,
                                              const std::set<std::string>& calls, const std::string& doing);

// The lines "r-x /path" of a list of files, and back.
std::string file_list_text(const std::map<std::string, trace::FileAccess>& files);
void merge_file_list(std::string_view text, std::map<std::string, trace::FileAccess>& files);

}  // namespace sandbox::tools
