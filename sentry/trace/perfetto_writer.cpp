// Composing trace events.
#include "sentry/trace/perfetto_writer.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <iterator>

#include "sentry/trace/call_classes.h"
#include "sentry/trace/code_text.h"
#include "sentry/trace/json.h"
#include "sentry/trace/jsonl_writer.h"
#include "sentry/trace/signal_values.h"

namespace sandbox::trace {

namespace {

void append_microseconds(std::string& text, const char* key, uint64_t duration_ns) {
  fmt::format_to(std::back_inserter(text), ",\"{}\":{}.{:03}", key, duration_ns / 1000, duration_ns % 1000);
}

void append_strings(std::string& text, const char* key, const std::vector<std::string>& strings) {
  if (strings.empty()) return;
  ((text += ",\"") += key) += "\":[";
  for (const std::string& one : strings) {
    append_json_string(text, one);
    text += ',';
  }
  text.back() = ']';
}

// The viewer shows arguments as they are: frames and instructions are lines of text.
void append_site_lines(std::string& text, const CodeSite& site) {
  std::vector<std::string> frames, instructions;
  for (const platform::FramePtr& frame : site.stack) append_frame(frames.emplace_back(), *frame);
  for (const platform::Instruction& instruction : site.instructions) {
    const bool is_site = instruction.address == site.address;
    instructions.push_back(
        fmt::format("{}{:#x}: {}", is_site ? "=> " : "", instruction.address, instruction.text));
  }
  append_strings(text, "stack", frames);
  append_strings(text, "disassembly", instructions);
}

}  // namespace

void PerfettoWriter::begin(uint64_t time_ns) {
  start_ns_ = time_ns;
  output_.text() += "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
}

std::string& PerfettoWriter::begin_record(char phase, const Event& event) {
  std::string& text = output_.text();
  text += is_first_ ? "\n" : ",\n";
  is_first_ = false;
  fmt::format_to(std::back_inserter(text), "{{\"ph\":\"{}\",\"pid\":{},\"tid\":{}", phase, event.thread.pid,
                 event.thread.tid);
  append_microseconds(text, "ts", event.time_ns < start_ns_ ? 0 : event.time_ns - start_ns_);
  return text;
}

void PerfettoWriter::end_record() {
  output_.text() += '}';
  output_.end_record();
}

void PerfettoWriter::append_name(const char* key, std::string_view name) {
  fmt::format_to(std::back_inserter(output_.text()), ",\"{}\":", key);
  append_json_string(output_.text(), name);
}

void PerfettoWriter::name_process(pid_t pid, std::string_view name) {
  begin_record('M', {{pid, pid}, start_ns_});
  append_name("name", "process_name");
  output_.text() += ",\"args\":{\"name\":";
  append_json_string(output_.text(), name);
  output_.text() += '}';
  end_record();
}

void PerfettoWriter::on_call(const CallEvent& event) {
  std::string& text = begin_record('X', event);
  append_microseconds(text, "dur", event.duration_ns);
  append_name("name", name_of_call(event.call));
  append_name("cat", event.call.row != nullptr ? class_of(*event.call.row) : "other");
  text += ",\"args\":";
  append_json_arguments(text, event.call);
  text.pop_back();
  if (!text.ends_with('{')) text += ',';
  if (event.call.result && event.call.result->error) {
    append_json_string(text, "=");
    fmt::format_to(std::back_inserter(text), ":\"{}\"", event.call.result->error->name());
  } else if (event.call.result) {
    append_json_string(text, "=");
    fmt::format_to(std::back_inserter(text), ":{}", event.call.result->number);
  } else {
    fmt::format_to(std::back_inserter(text), "\"=\":\"{}\"", name_of(event.end));
  }
  append_site_lines(text, event.site);
  text += '}';
  end_record();
  const bool is_exec = event.call.row != nullptr && event.call.row->name.starts_with("execve");
  if (!is_exec || !event.call.result || event.call.result->error) return;
  for (const Value& argument : event.call.arguments) {
    auto path = argument.as_string();
    if (!path || argument.name != "pathname") continue;
    name_process(event.thread.pid, path->substr(path->rfind('/') + 1));
  }
}

void PerfettoWriter::instant(const Event& event, const std::string& name, const FatalSignal* fatal) {
  begin_record('i', event);
  append_name("name", name);
  std::string& text = output_.text();
  text += ",\"s\":\"t\"";
  if (fatal != nullptr) {
    append_json_string(text += ",\"args\":{\"hit\":", fatal->hit);
    append_site_lines(text, fatal->site);
    text += '}';
  }
  end_record();
}

void PerfettoWriter::on_signal(const SignalEvent& event) {
  instant(event, signal_name(event.info.si_signo), event.fatal ? &*event.fatal : nullptr);
}

void PerfettoWriter::on_stop(const StopEvent& event) {
  instant(event, fmt::format("stopped by {}", signal_name(event.signal)));
}

void PerfettoWriter::on_birth(const BirthEvent& event) {
  ++births_;
  begin_record('s', event);
  append_name("name", "birth");
  fmt::format_to(std::back_inserter(output_.text()), ",\"cat\":\"birth\",\"id\":{}", births_);
  end_record();
  begin_record('f', {event.child, event.time_ns});
  append_name("name", "birth");
  fmt::format_to(std::back_inserter(output_.text()), ",\"cat\":\"birth\",\"bp\":\"e\",\"id\":{}", births_);
  end_record();
}

void PerfettoWriter::on_death(const DeathEvent& event) {
  instant(event, WIFSIGNALED(event.wait_status)
                     ? fmt::format("killed by {}", signal_name(WTERMSIG(event.wait_status)))
                     : fmt::format("exited with {}", WEXITSTATUS(event.wait_status)));
}

void PerfettoWriter::end(const TraceTotals&) {
  output_.text() += "\n]}\n";
  output_.end_record();
}

}  // namespace sandbox::trace
