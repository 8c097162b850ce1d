// Composing lines.
#include "sentry/trace/text_writer.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <time.h>

#include <iterator>

#include "sentry/trace/code_text.h"
#include "sentry/trace/signal_values.h"

namespace sandbox::trace {

namespace {

// What a terminal shows of it.
size_t visible_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else {
      ++width;
    }
  }
  return width;
}

}  // namespace

void TextWriter::append_time(std::string& text, uint64_t time_ns) {
  using Time = TextOptions::Time;
  const uint64_t seconds = time_ns / 1'000'000'000, micros = time_ns / 1000 % 1'000'000;
  auto to = std::back_inserter(text);
  switch (options_.time) {
    case Time::kNone:
      return;
    case Time::kEpoch:
      fmt::format_to(to, "{}.{:06} ", seconds, micros);
      return;
    case Time::kRelative: {
      // In the order of the lines: a call that took long begins before the one above it.
      const uint64_t since = last_time_ns_ == 0 || time_ns < last_time_ns_ ? 0 : time_ns - last_time_ns_;
      last_time_ns_ = time_ns;
      fmt::format_to(to, "{:>6}.{:06} ", since / 1'000'000'000, since / 1000 % 1'000'000);
      return;
    }
    default:
      break;
  }
  const auto whole = static_cast<time_t>(seconds);
  tm local;
  ::localtime_r(&whole, &local);
  fmt::format_to(to, "{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  if (options_.time == Time::kPrecise) fmt::format_to(to, ".{:06}", micros);
  text += ' ';
}

std::string& TextWriter::begin_line(const Event& event) {
  std::string& text = outputs_.of(event.thread.pid).text();
  line_start_ = text.size();
  using Ids = TextOptions::Ids;
  if (options_.ids == Ids::kAlways) {
    fmt::format_to(std::back_inserter(text), "{:<5} ", event.thread.tid);
  } else if (options_.ids == Ids::kWhenSeveral && alive_ > 1) {
    fmt::format_to(std::back_inserter(text), "[pid {:>5}] ", event.thread.tid);
  }
  append_time(text, event.time_ns);
  return text;
}

void TextWriter::end_line(const Event& event) {
  Output& output = outputs_.of(event.thread.pid);
  output.text() += '\n';
  output.end_record();
}

void TextWriter::pad(std::string& text) const {
  const size_t width = visible_width(std::string_view(text).substr(line_start_)) + 1;
  const auto column = static_cast<size_t>(options_.result_column);
  if (width < column) text.append(column - width, ' ');
}

void TextWriter::on_call(const CallEvent& event) {
  std::string& text = begin_line(event);
  append_entry(text, event.call, options_.style);
  switch (event.end) {
    case CallEnd::kReturned:
    case CallEnd::kNoReturn:
      pad(text);
      append_result(text, event.call, options_.style);
      break;
    case CallEnd::kUnknown:
    case CallEnd::kKilled:
      if (text.back() != ')') text += " <unfinished ...>)";
      pad(text);
      text += " = ?";
      break;
    case CallEnd::kDetached:
      text += " <detached ...>";
      break;
  }
  if (options_.shows_duration && event.end == CallEnd::kReturned) {
    fmt::format_to(std::back_inserter(text), " <{}.{:06}>", event.duration_ns / 1'000'000'000,
                   event.duration_ns / 1000 % 1'000'000);
  }
  append_site(text, event.site);
  end_line(event);
}

void TextWriter::on_signal(const SignalEvent& event) {
  std::string& text = begin_line(event);
  fmt::format_to(std::back_inserter(text), "--- {} ", signal_name(event.info.si_signo));
  append_text(text, siginfo_value(event.info), options_.style);
  text += " ---";
  if (event.fatal) append_fatal_signal(text, *event.fatal);
  end_line(event);
}

void TextWriter::on_stop(const StopEvent& event) {
  fmt::format_to(std::back_inserter(begin_line(event)), "--- stopped by {} ---", signal_name(event.signal));
  end_line(event);
}

void TextWriter::on_birth(const BirthEvent&) { ++alive_; }

void TextWriter::on_death(const DeathEvent& event) {
  std::string& text = begin_line(event);
  auto to = std::back_inserter(text);
  if (WIFSIGNALED(event.wait_status)) {
    fmt::format_to(to, "+++ killed by {}{} +++", signal_name(WTERMSIG(event.wait_status)),
                   WCOREDUMP(event.wait_status) ? " (core dumped)" : "");
  } else {
    fmt::format_to(to, "+++ exited with {} +++", WEXITSTATUS(event.wait_status));
  }
  end_line(event);
  if (alive_ > 0) --alive_;
}

}  // namespace sandbox::trace
