// `sandbox trace diff`: aligns two traces in JSON lines and shows the first call where they part.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/command_line.h"
#include "tools/messages.h"
#include "tools/run_options.h"
#include "tools/trace_verbs.h"

namespace sandbox::tools {
namespace {

using nlohmann::ordered_json;

// What happened in one thread: each call as it is shown, and as it is compared.
struct Step {
  double time = 0;
  std::string shown, compared;
};
struct Thread {
  int64_t tid = 0;
  size_t births = 0;
  std::vector<Step> steps;
};

// A run's threads by their place in the tree of births: "0" is the first, "0.2" its second child.
class Run {
 public:
  static Parsed<Run> read(const std::string& path);
  const std::map<std::string, Thread>& threads() const { return threads_; }

 private:
  void take(const ordered_json& record);
  Thread& thread_of(int64_t tid);
  std::string place_of(int64_t id) const;
  ordered_json normalised(const ordered_json& value, const std::string& member) const;

  std::map<std::string, Thread> threads_;
  std::map<int64_t, std::string> places_;  // of the threads alive, by id
  size_t unknown_ = 0;
};

// Times, what counts them, and numbers of nodes that are made anew, as pipes are: they differ in any two
// runs.
bool is_incidental(const std::string& member) {
  constexpr std::string_view kParts[] = {"tv_sec", "tv_nsec", "tv_usec", "time",   "ru_",
                                         "loads",  "procs",   "st_ino",  "stx_ino"};
  return std::ranges::any_of(kParts, [&](std::string_view part) { return member.contains(part); });
}

bool is_process_id(const std::string& member) {
  return member.contains("pid") || member == "tid" || member == "tgid" || member == "pgrp";
}

bool returns_process_id(const std::string& call) {
  constexpr std::string_view kCalls[] = {"getpid",  "gettid",  "getppid", "wait4", "set_tid_address",
                                         "getpgrp", "getpgid", "getsid",  "setsid"};
  return std::ranges::find(kCalls, call) != std::end(kCalls);
}

// The child's birth may be told before its parent's call ends, or after: whose number it is may not be known.
bool returns_new_process_id(const std::string& call) {
  return call == "fork" || call == "vfork" || call == "clone" || call == "clone3";
}

bool returns_time(const std::string& call) { return call == "time" || call == "times"; }

std::string Run::place_of(int64_t id) const {
  auto found = places_.find(id);
  return found != places_.end() ? "process " + found->second : "process";
}

ordered_json Run::normalised(const ordered_json& value, const std::string& member) const {
  if (is_incidental(member)) return "incidental";
  if (value.is_number_integer())
    return is_process_id(member) ? ordered_json(place_of(value.get<int64_t>())) : value;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.starts_with("0x")) return "address";
    // /proc/1234/...: the number is a process's.
    constexpr std::string_view kProc = "/proc/";
    const size_t end = text.find_first_not_of("0123456789", kProc.size());
    if (!text.starts_with(kProc) || end == kProc.size() || text.size() == kProc.size()) return value;
    const size_t length = std::min(end, text.size()) - kProc.size();
    return "/proc/" + place_of(std::strtoll(text.substr(kProc.size(), length).c_str(), nullptr, 10)) +
           text.substr(kProc.size() + length);
  }
  if (!value.is_structured()) return value;
  ordered_json copy = value.is_array() ? ordered_json::array() : ordered_json::object();
  for (const auto& [name, inner] : value.items()) {
    if (value.is_array()) {
      copy.push_back(normalised(inner, member));
    } else {
      copy[name] = normalised(inner, name);
    }
  }
  return copy;
}

Thread& Run::thread_of(int64_t tid) {
  auto [found, is_new] = places_.try_emplace(tid);
  if (is_new) found->second = fmt::format("{}", unknown_++);
  Thread& thread = threads_[found->second];
  thread.tid = tid;
  return thread;
}

std::string text_of(const ordered_json& value) {
  return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

void Run::take(const ordered_json& record) {
  const std::string type = record.value("type", "");
  if (!record.contains("tid") || !record["tid"].is_number_integer()) return;
  Thread& thread = thread_of(record["tid"].get<int64_t>());
  // When it ended: a parent waits before its child does what it waits for.
  Step step{.time = record.value("time", 0.0) + record.value("duration", 0.0)};
  if (type == "birth") {
    const std::string place = fmt::format("{}.{}", places_[thread.tid], ++thread.births);
    places_[record.value("child_tid", int64_t{0})] = place;
    return;
  }
  if (type == "call") {
    const std::string call = record.value("call", "");
    // The end of a handler: when it comes depends on who runs first, as with SIGCHLD below.
    if (call == "rt_sigreturn") return;
    const ordered_json arguments = record.value("args", ordered_json::object());
    const ordered_json result =
        record.contains("error") ? record["error"] : record.value("result", ordered_json());
    step.shown = fmt::format("{} {} = {}", call, text_of(arguments), text_of(result));
    ordered_json compared = normalised(result, returns_process_id(call) ? "pid"
                                               : returns_time(call)     ? "time"
                                                                        : "");
    if (returns_new_process_id(call) && result.is_number_integer()) compared = "a new process";
    if (call == "getrandom" && !record.contains("error")) {
      step.compared = fmt::format("{} = {}", call, text_of(compared));
    } else {
      step.compared = fmt::format("{} {} = {}", call, text_of(normalised(arguments, "")), text_of(compared));
    }
  } else if (type == "signal" || type == "exit") {
    // When a child's end is told depends on who runs first.
    if (record.value("signal", "") == "SIGCHLD") return;
    const std::string what =
        record.contains("signal") ? text_of(record["signal"]) : text_of(record.value("code", ordered_json()));
    step.shown = step.compared = fmt::format("{} {}", type, what);
  } else {
    return;
  }
  thread.steps.push_back(std::move(step));
  if (type == "exit") places_.erase(thread.tid);  // ids come again
}

Parsed<Run> Run::read(const std::string& path) {
  const auto fail = [&](std::string reason) {
    return std::unexpected(RunFailure{.doing = fmt::format("read the trace {}", printable(path)),
                                      .reason = std::move(reason),
                                      .advice = "a file that `sandbox trace --format jsonl -o FILE` wrote"});
  };
  std::ifstream file(path);
  if (!file) return fail(reason_of(Errno::last()));
  Run run;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    const ordered_json record = ordered_json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("v") || !record.contains("type") ||
        !record["type"].is_string())
      return fail(fmt::format("line {} is no record of a trace", number));
    if (record["v"] != 1) return fail(fmt::format("line {} has another version of the form", number));
    run.take(record);
  }
  return run;
}

// Where two threads differ first: the place of the step in both.
struct Parting {
  std::string place;
  const Thread *first = nullptr, *second = nullptr;
  size_t step = 0;
  double time = 0;  // in the first run, or the second when the first has no more
};

const Step* step_at(const Thread* thread, size_t index) {
  return thread != nullptr && index < thread->steps.size() ? &thread->steps[index] : nullptr;
}

std::vector<Parting> partings_of(const Run& first, const Run& second) {
  std::vector<Parting> partings;
  std::map<std::string, std::pair<const Thread*, const Thread*>> pairs;
  for (const auto& [place, thread] : first.threads()) pairs[place].first = &thread;
  for (const auto& [place, thread] : second.threads()) pairs[place].second = &thread;
  for (const auto& [place, pair] : pairs) {
    size_t index = 0;
    const Step *left = step_at(pair.first, 0), *right = step_at(pair.second, 0);
    while (left != nullptr && right != nullptr && left->compared == right->compared) {
      ++index;
      left = step_at(pair.first, index);
      right = step_at(pair.second, index);
    }
    if (left == nullptr && right == nullptr) continue;
    partings.push_back({place, pair.first, pair.second, index, 0});
    // Times of two runs do not compare: each counts from its own thread's beginning in the first run.
    const Thread* timed = pair.first != nullptr ? pair.first : pair.second;
    partings.back().time =
        timed->steps.empty() ? 0 : timed->steps[std::min(index, timed->steps.size() - 1)].time;
  }
  // A thread that one run lacks says less than the call after which it was not made.
  std::ranges::stable_sort(partings, [](const Parting& left, const Parting& right) {
    const auto is_partial = [](const Parting& parting) {
      return parting.first == nullptr || parting.second == nullptr;
    };
    return std::pair(is_partial(left), left.time) < std::pair(is_partial(right), right.time);
  });
  return partings;
}

// Steps to leave out on each side until the two agree again for a while; nothing within sight.
std::optional<std::pair<size_t, size_t>> meeting_after(const Parting& parting) {
  constexpr size_t kSight = 200, kWhile = 3;
  for (size_t sum = 1; sum <= kSight; ++sum) {
    for (size_t left = 0; left <= sum; ++left) {
      const size_t right = sum - left;
      size_t same = 0;
      for (; same < kWhile; ++same) {
        const Step* one = step_at(parting.first, parting.step + left + same);
        const Step* other = step_at(parting.second, parting.step + right + same);
        if (one == nullptr || other == nullptr || one->compared != other->compared) break;
      }
      if (same == kWhile) return std::pair(left, right);
    }
  }
  return std::nullopt;
}

void print_step(const char* side, const Step* step) {
  fmt::print("{} {}\n", side, step != nullptr ? step->shown : "(the thread has no further call)");
}

void print_parting(const Parting& parting) {
  constexpr size_t kContext = 3, kShown = 5;
  fmt::print("the runs part at call {} of thread {}\n", parting.step + 1, parting.place);
  const Thread* known = parting.first != nullptr ? parting.first : parting.second;
  for (size_t i = parting.step - std::min(parting.step, kContext); i < parting.step; ++i)
    print_step(" ", step_at(known, i));
  const auto meeting = meeting_after(parting);
  const auto print_side = [&](const char* side, const Thread* thread, size_t left_out) {
    const size_t count = meeting ? std::min(left_out, kShown) : 1;
    for (size_t i = 0; i < count; ++i) print_step(side, step_at(thread, parting.step + i));
    if (meeting && left_out > kShown) fmt::print("{} ... {} more\n", side, left_out - kShown);
  };
  print_side("-", parting.first, meeting ? meeting->first : 1);
  print_side("+", parting.second, meeting ? meeting->second : 1);
  if (meeting) {
    fmt::print("they agree again at\n");
    print_step(" ", step_at(parting.first, parting.step + meeting->first));
  }
}

}  // namespace

int trace_diff(int argc, char** argv) {
  CLI::App app(
      "Align two traces and show the first call where they part; addresses, process ids and times do not "
      "count.\n"
      "The exit code is 1 when they part.",
      "trace diff");
  set_usage(app, "sandbox trace diff A.jsonl B.jsonl");
  std::string first_path, second_path;
  app.add_option("A", first_path, "a trace in JSON lines")->required();
  app.add_option("B", second_path, "another one")->required();
  if (auto exit_code = parse_command_line(app, std::vector<std::string>(argv + 1, argv + argc)))
    return *exit_code;
  auto first = Run::read(first_path);
  if (!first) return report(first.error());
  auto second = Run::read(second_path);
  if (!second) return report(second.error());
  const std::vector<Parting> partings = partings_of(*first, *second);
  if (partings.empty()) {
    fmt::print("the runs make the same calls\n");
    return 0;
  }
  print_parting(partings.front());
  if (partings.size() > 1) fmt::print("{} other threads differ as well\n", partings.size() - 1);
  return 1;
}

}  // namespace sandbox::tools
