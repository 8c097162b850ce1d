// Merging what a run used into files that earlier runs may have begun.
#include "tools/trace_findings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sandbox/write_all.h"
#include "tools/json_text.h"
#include "tools/messages.h"
#include "tools/seccomp_profile.h"

namespace sandbox::tools {

namespace {

using nlohmann::ordered_json;

// What every program may come to call without a trace having to see it: the kernel makes restart_syscall, a
// signal handler ends in rt_sigreturn.
constexpr const char* kAlwaysUsed[] = {"execve", "exit", "exit_group", "restart_syscall", "rt_sigreturn"};

std::unexpected<RunFailure> fail(const std::string& doing, std::string reason, std::string advice) {
  return std::unexpected(
      RunFailure{.doing = doing, .reason = std::move(reason), .advice = std::move(advice)});
}

Parsed<UniqueFd> open_to_merge(const std::string& path, const std::string& doing) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file) return file;
  return fail(doing, reason_of(Errno::last()), "a file in a directory that exists and is yours");
}

Result<std::string> read_all(int file) {
  std::string text;
  char chunk[4096];
  while (true) {
    ssize_t count = ::pread(file, chunk, sizeof chunk, static_cast<off_t>(text.size()));
    if (count < 0) return last_error();
    if (count == 0) return text;
    text.append(chunk, static_cast<size_t>(count));
  }
}

Result<void> replace_all(int file, std::string_view text) {
  TRY(write_all_at(file, text, 0));
  return host_status(::ftruncate(file, static_cast<off_t>(text.size())));
}

// Reads, changes and writes it while no other run does.
template <typename Change>
Parsed<void> update(int file, const std::string& doing, Change change) {
  const auto failed = [&](Errno error) {
    return fail(doing, reason_of(error), "look at the file and the disk");
  };
  if (::flock(file, LOCK_EX) != 0) return failed(Errno::last());
  auto text = read_all(file);
  if (!text) return failed(text.error());
  const std::string changed = TRY(change(*text));
  auto replaced = replace_all(file, changed);
  (void)::flock(file, LOCK_UN);
  if (!replaced) return failed(replaced.error());
  return {};
}

Parsed<ordered_json> profile_in(std::string_view text, const std::string& doing) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return ordered_json::object();
  ordered_json document = ordered_json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object())
    return fail(doing, "there is a file that is no JSON object", "another file, or remove this one");
  return document;
}

std::string octal_decoded(std::string_view text) {
  std::string bytes;
  const auto is_digit = [](char digit) { return digit >= '0' && digit <= '7'; };
  while (!text.empty()) {
    if (text.size() >= 4 && text[0] == '\\' && std::ranges::all_of(text.substr(1, 3), is_digit)) {
      bytes += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text.remove_prefix(4);
    } else {
      bytes += text.front();
      text.remove_prefix(1);
    }
  }
  return bytes;
}

}  // namespace

Parsed<ordered_json> merged_profile(ordered_json document, const std::set<std::string>& calls,
                                    const std::string& doing) {
  if (document.empty())
    document = {{"defaultAction", "SCMP_ACT_ERRNO"},
                {"defaultErrnoRet", EPERM},
                {"architectures", {"SCMP_ARCH_X86_64"}},
                {"syscalls", ordered_json::array()}};
  const platform::SeccompProfile known = TRY(parse_seccomp_profile(document, doing));
  using Kind = platform::ProfileAction::Kind;
  if (known.default_action.kind == Kind::kAllow || known.default_action.kind == Kind::kLog)
    return fail(doing, "the profile in it allows what it does not name", "another file, or remove this one");
  std::set<std::string> allowed = calls;
  for (const platform::ProfileRule& rule : known.rules)
    for (const std::string& name : rule.names) allowed.erase(name);
  if (allowed.empty()) return document;
  ordered_json& rules = document["syscalls"];
  auto into = std::ranges::find_if(rules, [](const ordered_json& rule) {
    return rule.value("action", "") == "SCMP_ACT_ALLOW" && (!rule.contains("args") || rule["args"].empty());
  });
  if (into != rules.end())
    for (const ordered_json& name : (*into)["names"]) allowed.insert(name.get<std::string>());
  if (into == rules.end()) {
    rules.push_back({{"names", allowed}, {"action", "SCMP_ACT_ALLOW"}});
  } else {
    (*into)["names"] = allowed;
  }
  return document;
}

std::string file_list_text(const std::map<std::string, trace::FileAccess>& files) {
  std::string text;
  for (const auto& [path, access] : files)
    text += fmt::format("{}{}{} {}\n", access.is_read ? 'r' : '-', access.is_written ? 'w' : '-',
                        access.is_executed ? 'x' : '-', printable(path));
  return text;
}

void merge_file_list(std::string_view text, std::map<std::string, trace::FileAccess>& files) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() < 5 || line[3] != ' ') continue;
    trace::FileAccess& access = files[octal_decoded(line.substr(4))];
    access.is_read |= line[0] == 'r';
    access.is_written |= line[1] == 'w';
    access.is_executed |= line[2] == 'x';
  }
}

// Three texts with NUL behind each; none has one inside.
std::string Findings::to_message() const {
  std::string message = fmt::format("{}", fmt::join(calls, "\n"));
  (message += '\0') += file_list_text(files);
  (message += '\0') += explanation;
  return message += '\0';
}

Findings Findings::from_message(std::string_view message) {
  const auto take = [&] {
    const std::string_view text = message.substr(0, message.find('\0'));
    message.remove_prefix(std::min(message.size(), text.size() + 1));
    return text;
  };
  Findings findings;
  for (std::string_view calls = take(); !calls.empty();) {
    const std::string_view name = calls.substr(0, calls.find('\n'));
    calls.remove_prefix(std::min(calls.size(), name.size() + 1));
    findings.calls.emplace(name);
  }
  merge_file_list(take(), findings.files);
  findings.explanation = take();
  return findings;
}

TraceFindings::TraceFindings(CLI::App& app) {
  app.add_option("--profile", profile_path_,
                 "write an OCI seccomp profile of the calls that were used; runs add to it")
      ->type_name("FILE");
  app.add_flag("--explain", explains_, "when the program fails, say in words which calls led there");
  app.add_option("--files", files_path_, "list the files that were read, written, executed; runs add to it")
      ->type_name("FILE");
}

Parsed<void> TraceFindings::open() {
  if (!profile_path_.empty()) {
    const std::string doing = fmt::format("write the seccomp profile {}", printable(profile_path_));
    profile_file_ = TRY(open_to_merge(profile_path_, doing));
    auto text = read_all(profile_file_.get());
    if (!text) return fail(doing, reason_of(text.error()), "a regular file");
    ordered_json document = TRY(profile_in(*text, doing));
    TRY(merged_profile(std::move(document), {}, doing));
  }
  if (!files_path_.empty())
    files_file_ =
        TRY(open_to_merge(files_path_, fmt::format("write the list of files {}", printable(files_path_))));
  return {};
}

void TraceFindings::prepare(trace::RecorderOptions& options) const {
  // Of what a program says before it ends, the names of files should not be cut.
  constexpr size_t kWords = 1024;
  if (explains_) options.decoder.string_bytes = std::max(options.decoder.string_bytes, kWords);
  if (files_path_.empty() && !explains_) return;
  options.resolves_paths = true;
  options.describes_descriptors = true;
}

void TraceFindings::narrow(trace::RecorderOptions& options) const {
  if (!files_path_.empty() && profile_path_.empty() && !explains_)
    options.filter.calls = trace::FileAccessWriter::calls();
}

void TraceFindings::add_writers(trace::WriterGroup& writers) {
  if (!profile_path_.empty()) writers.add(used_calls_);
  if (!files_path_.empty()) writers.add(files_);
  if (explains_) writers.add(history_);
}

Findings TraceFindings::found() const {
  return {used_calls_.names(), files_.files(), history_.explanation()};
}

Parsed<void> TraceFindings::write(const Findings& findings) {
  if (explains_ && !findings.explanation.empty()) fmt::print(stderr, "explanation: {}", findings.explanation);
  if (!profile_path_.empty()) {
    const std::string doing = fmt::format("write the seccomp profile {}", printable(profile_path_));
    std::set<std::string> calls = findings.calls;
    calls.insert(std::begin(kAlwaysUsed), std::end(kAlwaysUsed));
    TRY(update(profile_file_.get(), doing, [&](const std::string& text) -> Parsed<std::string> {
      ordered_json document = TRY(profile_in(text, doing));
      return json_document(TRY(merged_profile(std::move(document), calls, doing))) + "\n";
    }));
  }
  if (!files_path_.empty()) {
    const std::string doing = fmt::format("write the list of files {}", printable(files_path_));
    TRY(update(files_file_.get(), doing, [&](const std::string& text) -> Parsed<std::string> {
      std::map<std::string, trace::FileAccess> files = findings.files;
      merge_file_list(text, files);
      return file_list_text(files);
    }));
  }
  return {};
}

}  // namespace sandbox::tools
