// TraceRecording: the recorder of a trace and what it writes to, as the options of `sandbox trace` ask for.
#pragma once

#include <memory>

#include "sentry/trace/recorder.h"
#include "sentry/trace/writer_group.h"
#include "tools/trace_findings.h"
#include "tools/trace_options.h"

namespace sandbox::tools {

class TraceRecording {
 public:
  // `recorder_options` are those of `options`; `findings` outlives it. Errors: options that contradict each
  // other.
  static Parsed<std::unique_ptr<TraceRecording>> create(const TraceOptions& options, TraceFindings& findings,
                                                        trace::RecorderOptions recorder_options,
                                                        std::unique_ptr<trace::Outputs> outputs);

  trace::Recorder& recorder() { return *recorder_; }
  trace::Outputs& outputs() { return *outputs_; }

 private:
  TraceRecording() = default;
  std::unique_ptr<trace::Outputs> outputs_;
  std::unique_ptr<trace::Writer> writer_;
  trace::WriterGroup writers_;
  std::optional<trace::Recorder> recorder_;
};

}  // namespace sandbox::tools
