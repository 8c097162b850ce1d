// Joining the writers of a trace.
#include "tools/trace_recording.h"

namespace sandbox::tools {

Parsed<std::unique_ptr<TraceRecording>> TraceRecording::create(const TraceOptions& options,
                                                               TraceFindings& findings,
                                                               trace::RecorderOptions recorder_options,
                                                               std::unique_ptr<trace::Outputs> outputs) {
  std::unique_ptr<TraceRecording> recording(new TraceRecording);
  findings.prepare(recorder_options);
  if (!options.shows_anyway()) findings.narrow(recorder_options);
  recording->outputs_ = std::move(outputs);
  recording->writer_ = TRY(options.make_writer(*recording->outputs_));
  if (!findings.is_wanted() || options.shows_anyway()) recording->writers_.add(*recording->writer_);
  findings.add_writers(recording->writers_);
  recording->recorder_.emplace(std::move(recorder_options), *recording->outputs_, recording->writers_);
  return recording;
}

}  // namespace sandbox::tools
