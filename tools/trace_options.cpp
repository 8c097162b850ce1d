// Binding and understanding the options of `sandbox trace`.
#include "tools/trace_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "sandbox/numbers.h"
#include "sentry/trace/call_classes.h"
#include "sentry/trace/perfetto_writer.h"
#include "sentry/trace/top_writer.h"
#include "tools/messages.h"
#include "tools/top_keys.h"

namespace sandbox::tools {

namespace {

std::unexpected<RunFailure> refuse(std::string reason, std::string advice) {
  return std::unexpected(RunFailure{
      .doing = "understand the command line", .reason = std::move(reason), .advice = std::move(advice)});
}

constexpr trace::TextStyle::Colours kColours{.call = "\033[1m",
                                             .string = "\033[32m",
                                             .number = "\033[36m",
                                             .constant = "\033[33m",
                                             .descriptor = "\033[34m",
                                             .error = "\033[31m",
                                             .reset = "\033[0m"};

}  // namespace

TraceOptions::TraceOptions(CLI::App& app) : app_(app) {
  app.add_flag("--host", is_on_host_, "watch the program on the host itself, without a sandbox");
  app.add_option("-p,--pid", targets_, "attach to a running process or sandbox; Ctrl-C lets it go")
      ->type_name("PID|NAME")
      ->allow_extra_args(false);
  add_output_options(app);
  add_filter_options(app);
}

bool TraceOptions::is_number(const std::string& target) {
  return !target.empty() && target.find_first_not_of("0123456789") == target.npos && target.size() < 10;
}

std::vector<pid_t> TraceOptions::pids() const {
  std::vector<pid_t> pids;
  for (const std::string& target : targets_)
    if (is_number(target)) pids.push_back(std::atoi(target.c_str()));
  return pids;
}

Parsed<std::optional<std::string>> TraceOptions::named_sandbox() const {
  const auto named = std::ranges::find_if_not(targets_, is_number);
  if (named == targets_.end()) return std::nullopt;
  if (targets_.size() > 1 || is_on_host_)
    return refuse(fmt::format("{} is a sandbox, and there is something besides it", printable(*named)),
                  "-p NAME alone, or -p PID as often as you like");
  return *named;
}

// All but which. --output goes along for the form that lines have in a file; the command itself writes them
// there.
Parsed<std::vector<std::string>> TraceOptions::words_for_sentry(const trace::Outputs& outputs) const {
  if (is_per_process_)
    return refuse("--output-per-process does not go with a running sandbox", "-o FILE, or --process PID");
  constexpr std::string_view kOwn[] = {"pid", "color"};
  std::vector<std::string> words;
  for (const CLI::Option* option : app_.get_options()) {
    const bool has_long = !option->get_lnames().empty();
    const std::string& name = has_long ? option->get_lnames().front() : option->get_snames().front();
    if (std::ranges::find(kOwn, name) != std::end(kOwn)) continue;
    const bool is_flag = option->get_items_expected_max() == 0;
    for (const std::string& value : option->results()) {
      std::string word = (has_long ? "--" : "-") + name;
      if (!is_flag || value != "true") word += "=" + value;
      words.push_back(std::move(word));
    }
  }
  const bool is_coloured = !TRY(text_options(outputs)).style.colours.reset.empty();
  words.push_back(is_coloured ? "--color=always" : "--color=never");
  return words;
}

void TraceOptions::add_output_options(CLI::App& app) {
  app.add_option("-o,--output", output_, "write to a file; - is standard output (default: standard error)")
      ->type_name("FILE");
  app.add_flag("--output-per-process", is_per_process_, "write to FILE.PID");
  app.add_option("--format", format_, "form of the trace")
      ->type_name("text|jsonl|perfetto")
      ->capture_default_str();
  app.add_flag("-c,--summary", is_summary_, "count calls and their times instead of showing them");
  app.add_flag("--top", is_top_, "show each second how busy each process is instead of its calls");
  app.add_option("--sort", sort_, "order of the summary (default: time), or of --top (default: calls)")
      ->type_name("time|calls|errors|latency|name");
  app.add_option("--color", colour_, "colours of text")
      ->type_name("auto|always|never")
      ->capture_default_str();
  app.add_flag("-t", clock_, "show when: -t the second, -tt the microsecond, -ttt since the epoch");
  app.add_flag("-r", is_relative_, "show the time since the line before");
  app.add_flag("-T", shows_duration_, "show how long each call took");
  app.add_option("-s,--string-limit", string_bytes_, "show so many bytes of strings and buffers")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("-a,--column", column_, "column of the results")->type_name("N")->capture_default_str();
  app.add_flag("-v,--verbose", is_verbose_, "show every field of structures");
  app.add_flag("--arg-names", names_arguments_, "show the names of arguments");
  app.add_flag("-y,--fd-paths", describes_descriptors_, "show what descriptors refer to");
  app.add_flag("-k,--stack", shows_stacks_, "show the call chain of each call that is shown");
  app.add_flag("--disasm{8}", instructions_, "show instructions around each call; --disasm=N so many");
}

void TraceOptions::add_filter_options(CLI::App& app) {
  app.add_option("-e,--trace", calls_,
                 "only these calls: names, globs, %file %desc %net %process ..., ! for all but")
      ->type_name("CALLS")
      ->allow_extra_args(false);
  app.add_option("-P,--path", paths_, "only calls on this path, below it, or on a glob")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--fd", descriptors_, "only calls on this descriptor")
      ->type_name("N")
      ->allow_extra_args(false);
  app.add_option("--ret", results_, "only calls that return this")->type_name("N")->allow_extra_args(false);
  app.add_option("--errno", errors_, "only calls that fail like this")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_flag("-Z,--failed", wants_failures_, "only calls that fail");
  app.add_flag("-z,--successful", wants_successes_, "only calls that succeed");
  app.add_option("--min-duration", min_duration_, "only calls that take as long")->type_name("DURATION");
  app.add_option("--process", processes_, "only of this process, by number or by a glob of its name")
      ->type_name("PID|NAME")
      ->allow_extra_args(false);
  app.add_option("--inject", injections_,
                 "let calls fail or differ: 'openat:path=/data/*:error=ENOSPC:when=3+2'")
      ->type_name("CALLS:...")
      ->allow_extra_args(false);
  app.add_option("--seed", seed_, "of what --inject leaves to chance")->type_name("N")->capture_default_str();
  app.add_option("--where", where_, "only calls for which this holds: 'openat.flags & O_CREAT && ret < 0'")
      ->type_name("EXPRESSION");
}

bool TraceOptions::has_filters() const {
  return !calls_.empty() || !paths_.empty() || !descriptors_.empty() || !results_.empty() ||
         !errors_.empty() || wants_failures_ || wants_successes_ || !min_duration_.empty() ||
         !processes_.empty() || !where_.empty();
}

Parsed<trace::TraceFilter> TraceOptions::filter() const {
  trace::TraceFilter filter;
  if (!calls_.empty()) filter.calls = {};
  for (std::string_view words : calls_) {
    // As strace writes it.
    for (std::string_view prefix : {"trace=", "t="})
      if (words.starts_with(prefix)) words.remove_prefix(prefix.size());
    auto set = trace::parse_call_set(words);
    if (!set) return refuse(printable(set.error()), "sandbox syscalls lists them; -e openat,%net");
    filter.calls.add(*set);
  }
  for (const std::string& path : paths_)
    filter.paths.push_back(path.starts_with('/') || path.starts_with('*') ? path : absolute_path(path));
  filter.descriptors = descriptors_;
  filter.results = results_;
  for (const std::string& name : errors_) {
    auto number = trace::find_constant(name);
    if (!number || !name.starts_with('E'))
      return refuse(fmt::format("{} is no error", printable(name)), "--errno ENOENT");
    filter.errors.push_back(static_cast<int>(*number));
  }
  if (wants_failures_ && wants_successes_)
    return refuse("--failed and --successful contradict each other", "one of the two");
  using Outcome = trace::TraceFilter::Outcome;
  if (wants_failures_) filter.outcome = Outcome::kFailure;
  if (wants_successes_) filter.outcome = Outcome::kSuccess;
  if (!min_duration_.empty()) {
    auto condition = trace::Expression::parse("duration >= " + min_duration_);
    if (!condition || min_duration_.find_first_not_of("0123456789smun") != std::string::npos)
      return refuse(fmt::format("{} is no duration", printable(min_duration_)), "--min-duration 10ms");
    uint64_t number = std::strtoull(min_duration_.c_str(), nullptr, 10);
    uint64_t unit_ns = min_duration_.ends_with("us")   ? 1000
                       : min_duration_.ends_with("ms") ? 1'000'000
                       : min_duration_.ends_with("ns") ? 1
                                                       : 1'000'000'000;
    filter.min_duration_ns = number * unit_ns;
  }
  filter.processes = processes_;
  if (!where_.empty()) {
    auto where = trace::Expression::parse(where_);
    if (!where)
      return refuse(fmt::format("--where: {}", printable(where.error())),
                    "--where 'openat.flags & O_CREAT && ret < 0'");
    filter.where = *std::move(where);
  }
  filter.narrow();
  if (filter.calls.is_empty()) return refuse("no call can pass these filters", "fewer of them");
  return filter;
}

Parsed<trace::RecorderOptions> TraceOptions::recorder_options() const {
  trace::RecorderOptions options;
  options.filter = TRY(filter());
  options.decoder.string_bytes = string_bytes_;
  options.describes_descriptors = describes_descriptors_;
  options.code = TRY(code_options());
  std::vector<trace::Injection> injections;
  for (const std::string& text : injections_) {
    auto injection = trace::Injection::parse(text);
    if (!injection)
      return refuse(fmt::format("--inject: {}", printable(injection.error())),
                    "--inject 'openat:path=/data/*:error=ENOSPC:when=3+2'");
    injections.push_back(*std::move(injection));
  }
  if (!injections.empty()) options.injector = std::make_shared<trace::Injector>(std::move(injections), seed_);
  return options;
}

Parsed<trace::CodeOptions> TraceOptions::code_options() const {
  trace::CodeOptions options{.wants_stacks = shows_stacks_};
  if (instructions_.empty()) return options;
  const auto count = parse_number<decltype(options.instructions)>(instructions_);
  constexpr size_t kMax = platform::Disassembler::kMaxInstructions;
  if (!count || *count < 1 || *count > kMax)
    return refuse(fmt::format("--disasm: {} is no number from 1 to {}", printable(instructions_), kMax),
                  "--disasm or --disasm=16");
  options.instructions = *count;
  return options;
}

Parsed<std::unique_ptr<trace::Outputs>> TraceOptions::open_outputs() const {
  using Files = trace::Outputs::Files;
  if (is_per_process_ && (output_.empty() || output_ == "-"))
    return refuse("--output-per-process needs the beginning of the files' names", "-o FILE");
  if (is_per_process_ && (is_summary_ || format_ == "perfetto"))
    return refuse("--output-per-process is for --format text and jsonl", "leave one of them out");
  auto outputs = trace::Outputs::open(output_, is_per_process_ ? Files::kOnePerProcess : Files::kOne);
  if (outputs) return *std::move(outputs);
  return std::unexpected(RunFailure{.doing = fmt::format("write the trace to {}", printable(output_)),
                                    .reason = reason_of(outputs.error()),
                                    .advice = "a file in a directory that exists and is yours"});
}

Parsed<trace::TextOptions> TraceOptions::text_options(const trace::Outputs& outputs) const {
  trace::TextOptions options;
  using Style = trace::TextStyle;
  options.style.fields = is_verbose_ ? Style::Fields::kAll : Style::Fields::kBrief;
  options.style.argument_names = names_arguments_ ? Style::ArgumentNames::kShow : Style::ArgumentNames::kHide;
  if (colour_ != "auto" && colour_ != "always" && colour_ != "never")
    return refuse(fmt::format("{} is none of the values of --color", printable(colour_)),
                  "--color auto|always|never");
  const bool may_colour = outputs.is_terminal() && std::getenv("NO_COLOR") == nullptr;
  if (colour_ == "always" || (colour_ == "auto" && may_colour)) options.style.colours = kColours;
  using Time = trace::TextOptions::Time;
  constexpr Time kTimes[] = {Time::kNone, Time::kClock, Time::kPrecise, Time::kEpoch};
  options.time = is_relative_ ? Time::kRelative : kTimes[std::min(clock_, 3)];
  options.shows_duration = shows_duration_;
  options.result_column = column_;
  using Ids = trace::TextOptions::Ids;
  const bool is_to_file = !output_.empty() && output_ != "-";
  options.ids = outputs.is_per_process() ? Ids::kNever : is_to_file ? Ids::kAlways : Ids::kWhenSeveral;
  return options;
}

Parsed<std::function<void(trace::TopTable)>> TraceOptions::top_view(trace::Outputs& outputs) const {
  const auto order = sort_.empty() ? trace::TopOrder::kCalls : trace::find_top_order(sort_);
  if (!order)
    return refuse(fmt::format("{} is none of the values of --sort", printable(sort_)),
                  "--sort calls|errors|latency|time|name");
  auto screen = std::make_shared<trace::TopScreen>(*order, outputs.first());
  // A program that was started from here may want to read the keys itself.
  std::shared_ptr<TopKeys> keys;
  if (is_attaching() && outputs.is_terminal())
    keys = TopKeys::listen([screen](char key) {
      if (auto wanted = trace::find_top_order(key)) screen->set_order(*wanted);
    });
  return [screen, keys](trace::TopTable table) { screen->show(std::move(table)); };
}

Parsed<std::unique_ptr<trace::Writer>> TraceOptions::make_writer(trace::Outputs& outputs) const {
  if (format_ != "text" && format_ != "jsonl" && format_ != "perfetto")
    return refuse(fmt::format("{} is none of the values of --format", printable(format_)),
                  "--format text|jsonl|perfetto");
  if (is_top_) {
    if (is_summary_ || is_per_process_ || format_ != "text")
      return refuse("--top is a view of its own", "without --summary, --format and --output-per-process");
    auto show = TRY(top_view(outputs));
    if (writes_for_other_command_)
      show = [&output = outputs.first()](const trace::TopTable& table) {
        output.text() += table.to_message();
        output.end_record();
        output.flush();
      };
    return std::make_unique<trace::TopWriter>(std::move(show));
  }
  if (is_summary_) {
    if (format_ == "perfetto") return refuse("a summary has no times to draw", "--format text or jsonl");
    trace::SummaryOptions options;
    using Order = trace::SummaryOptions::Order;
    constexpr std::pair<std::string_view, Order> kOrders[] = {
        {"time", Order::kTime}, {"calls", Order::kCalls}, {"errors", Order::kErrors}, {"name", Order::kName}};
    bool is_known = sort_.empty();
    for (auto [word, order] : kOrders) {
      if (sort_ != word) continue;
      options.order = order;
      is_known = true;
    }
    if (!is_known)
      return refuse(fmt::format("{} is none of the values of --sort for a summary", printable(sort_)),
                    "--sort time|calls|errors|name");
    if (format_ == "jsonl") options.form = trace::SummaryOptions::Form::kJson;
    return std::make_unique<trace::SummaryWriter>(options, outputs);
  }
  if (format_ == "jsonl") return std::make_unique<trace::JsonlWriter>(outputs);
  if (format_ == "perfetto") return std::make_unique<trace::PerfettoWriter>(outputs);
  return std::make_unique<trace::TextWriter>(TRY(text_options(outputs)), outputs);
}

}  // namespace sandbox::tools
