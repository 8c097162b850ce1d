// TraceOptions: the options of `sandbox trace`, as typed and as the tracer wants them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sentry/trace/jsonl_writer.h"
#include "sentry/trace/output.h"
#include "sentry/trace/recorder.h"
#include "sentry/trace/summary_writer.h"
#include "sentry/trace/text_writer.h"
#include "sentry/trace/top_table.h"
#include "tools/command_line.h"
#include "tools/run_options.h"

namespace sandbox::tools {

class TraceOptions {
 public:
  // Binds them to `app`.
  explicit TraceOptions(CLI::App& app);

  // Once the command line is parsed. Errors: options that contradict each other or say nothing.
  Parsed<trace::RecorderOptions> recorder_options() const;
  Parsed<std::unique_ptr<trace::Outputs>> open_outputs() const;
  Parsed<std::unique_ptr<trace::Writer>> make_writer(trace::Outputs& outputs) const;
  // Where --top shows its tables. `outputs` outlives it. Errors: no such order.
  Parsed<std::function<void(trace::TopTable)>> top_view(trace::Outputs& outputs) const;
  // The trace goes to another command, which was given these options and shows --top by itself.
  void write_for_other_command() { writes_for_other_command_ = true; }
  bool is_top() const { return is_top_; }

  bool is_on_host() const { return is_on_host_ || !pids().empty(); }
  // What -p names: processes by number, or a sandbox.
  bool is_attaching() const { return !targets_.empty(); }
  std::vector<pid_t> pids() const;
  // Nothing: processes. Errors: a sandbox and something besides it.
  Parsed<std::optional<std::string>> named_sandbox() const;
  // What the sentry of a sandbox is to be told to make the same trace as here. Errors: options that it cannot
  // follow.
  Parsed<std::vector<std::string>> words_for_sentry(const trace::Outputs& outputs) const;
  const std::string& output() const { return output_; }
  bool injects() const { return !injections_.empty(); }
  // Whether calls are left out.
  bool has_filters() const;
  // Whether the trace is to be shown also where it is a means to something else.
  bool shows_anyway() const { return !output_.empty() || is_summary_; }

 private:
  static bool is_number(const std::string& target);
  void add_output_options(CLI::App& app);
  void add_filter_options(CLI::App& app);
  Parsed<trace::TraceFilter> filter() const;
  Parsed<trace::CodeOptions> code_options() const;
  Parsed<trace::TextOptions> text_options(const trace::Outputs& outputs) const;

  CLI::App& app_;
  std::string output_, format_ = "text", sort_, colour_ = "auto", min_duration_, where_, instructions_;
  std::vector<std::string> calls_, paths_, errors_, processes_;
  std::vector<std::string> targets_;
  std::vector<int> descriptors_;
  std::vector<int64_t> results_;
  std::vector<std::string> injections_;
  uint64_t seed_ = 0;
  int clock_ = 0, column_ = 40;
  size_t string_bytes_ = 32;
  bool is_on_host_ = false, is_per_process_ = false, is_summary_ = false, is_top_ = false,
       is_verbose_ = false;
  bool names_arguments_ = false, describes_descriptors_ = false, shows_duration_ = false,
       is_relative_ = false;
  bool writes_for_other_command_ = false;
  bool shows_stacks_ = false, wants_failures_ = false, wants_successes_ = false;
};

}  // namespace sandbox::tools
