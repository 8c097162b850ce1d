// Composing records.
#include "sentry/trace/jsonl_writer.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <iterator>

#include "sentry/trace/code_text.h"
#include "sentry/trace/foreign_names.h"
#include "sentry/trace/json.h"
#include "sentry/trace/signal_values.h"

namespace sandbox::trace {

namespace {

void append_seconds(std::string& text, const char* name, uint64_t time_ns) {
  fmt::format_to(std::back_inserter(text), ",\"{}\":{}.{:09}", name, time_ns / 1'000'000'000,
                 time_ns % 1'000'000'000);
}

void append_result(std::string& text, const DecodedResult& result) {
  if (result.error) {
    fmt::format_to(std::back_inserter(text), ",\"result\":-1,\"error\":\"{}\",\"errno\":{}",
                   result.error->name(), result.error->value());
  } else {
    text += ",\"result\":";
    append_json(text, result.value);
  }
  if (result.remarks.kind != Value::Kind::kAbsent) {
    text += ",\"remarks\":";
    append_json(text, result.remarks);
  }
}

}  // namespace

void append_json_arguments(std::string& text, const DecodedCall& call) {
  text += '{';
  bool is_first = true;
  for (const Value& argument : call.arguments) {
    if (argument.kind == Value::Kind::kAbsent) continue;
    if (!is_first) text += ',';
    is_first = false;
    append_json_string(text, argument.name);
    text += ':';
    append_json(text, argument);
  }
  text += '}';
}

std::string_view name_of(CallEnd end) {
  switch (end) {
    case CallEnd::kReturned:
      return "returned";
    case CallEnd::kNoReturn:
      return "no_return";
    case CallEnd::kKilled:
      return "killed";
    case CallEnd::kDetached:
      return "detached";
    case CallEnd::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string name_of_call(const DecodedCall& call) {
  if (call.row != nullptr) return std::string(call.row->name);
  return call.is_foreign() ? foreign_name(call.plain_number()) : fmt::format("syscall_{}", call.number);
}

std::string& JsonlWriter::begin_record(const char* type, const Event& event) {
  std::string& text = outputs_.of(event.thread.pid).text();
  fmt::format_to(std::back_inserter(text), "{{\"v\":{},\"type\":\"{}\",\"pid\":{},\"tid\":{}", kSchemaVersion,
                 type, event.thread.pid, event.thread.tid);
  append_seconds(text, "time", event.time_ns);
  return text;
}

void JsonlWriter::end_record(pid_t pid) {
  Output& output = outputs_.of(pid);
  output.text() += "}\n";
  output.end_record();
}

void JsonlWriter::begin(uint64_t time_ns) {
  if (outputs_.is_per_process()) return;
  std::string& text = outputs_.first().text();
  fmt::format_to(std::back_inserter(text), "{{\"v\":{},\"type\":\"begin\"", kSchemaVersion);
  append_seconds(text, "time", time_ns);
  end_record(0);
}

void JsonlWriter::on_call(const CallEvent& event) {
  std::string& text = begin_record("call", event);
  fmt::format_to(std::back_inserter(text), ",\"call\":\"{}\",\"nr\":{},\"args\":", name_of_call(event.call),
                 event.call.plain_number());
  append_json_arguments(text, event.call);
  fmt::format_to(std::back_inserter(text), ",\"end\":\"{}\"", name_of(event.end));
  if (event.call.result) append_result(text, *event.call.result);
  if (event.end == CallEnd::kReturned) append_seconds(text, "duration", event.duration_ns);
  append_json_site(text, event.site);
  end_record(event.thread.pid);
}

void JsonlWriter::on_signal(const SignalEvent& event) {
  std::string& text = begin_record("signal", event);
  fmt::format_to(std::back_inserter(text), ",\"signal\":\"{}\",\"info\":", signal_name(event.info.si_signo));
  append_json(text, siginfo_value(event.info));
  if (event.fatal) append_json_fatal_signal(text += ",\"fatal\":", *event.fatal);
  end_record(event.thread.pid);
}

void JsonlWriter::on_stop(const StopEvent& event) {
  fmt::format_to(std::back_inserter(begin_record("stop", event)), ",\"signal\":\"{}\"",
                 signal_name(event.signal));
  end_record(event.thread.pid);
}

void JsonlWriter::on_birth(const BirthEvent& event) {
  fmt::format_to(std::back_inserter(begin_record("birth", event)), ",\"child_pid\":{},\"child_tid\":{}",
                 event.child.pid, event.child.tid);
  end_record(event.thread.pid);
}

void JsonlWriter::on_death(const DeathEvent& event) {
  std::string& text = begin_record("exit", event);
  auto to = std::back_inserter(text);
  if (WIFSIGNALED(event.wait_status)) {
    fmt::format_to(to, ",\"signal\":\"{}\",\"core\":{}", signal_name(WTERMSIG(event.wait_status)),
                   WCOREDUMP(event.wait_status) != 0);
  } else {
    fmt::format_to(to, ",\"code\":{}", WEXITSTATUS(event.wait_status));
  }
  end_record(event.thread.pid);
}

void JsonlWriter::end(const TraceTotals& totals) {
  if (outputs_.is_per_process()) return;
  std::string& text = outputs_.first().text();
  fmt::format_to(std::back_inserter(text), "{{\"v\":{},\"type\":\"end\",\"calls\":{},\"lost\":{}",
                 kSchemaVersion, totals.calls, totals.lost);
  end_record(0);
}

}  // namespace sandbox::trace
