// Choosing the calls that led to a failure, and words for what is not about paths.
#include "sentry/trace/explanation.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "sandbox/syscall_table.h"
#include "sentry/trace/json.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {

namespace {

// How likely such an error is what ended a program, and not one of the questions that programs ask.
int weight_of(Errno error) {
  switch (error.value()) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
    case ENOMEM:
    case EROFS:
    case EAGAIN:
    case EIO:
    case EPIPE:
      return 30;
    case EACCES:
    case EPERM:
      return 25;
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG:
      return 20;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ETXTBSY:
      return 10;
    default:
      return 0;
  }
}

constexpr int kLikely = 40, kMentioned = 50;

bool contains(std::string_view text, std::string_view part) { return !part.empty() && text.contains(part); }

// Whether the text has it as a whole: the directory of a longer path is not meant.
bool names(std::string_view text, std::string_view name) {
  constexpr std::string_view kGoesOn = "/_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (size_t place = text.find(name); place != text.npos; place = text.find(name, place + 1)) {
    const size_t end = place + name.size();
    if (end == text.size() || kGoesOn.find(text[end]) == kGoesOn.npos) return true;
  }
  return false;
}

// Whether the program's own words are about this call.
int mention_of(const FailedCall& call, const std::string& words) {
  int score = 0;
  constexpr size_t kShortestName = 2;
  for (const std::string& path : call.paths)
    if (path.size() > 1 && names(words, path)) score = 100;
  if (score == 0 && call.name().size() >= kShortestName && names(words, call.name())) score = 70;
  if (contains(words, call.error.text()) || contains(words, call.error.name())) score += kMentioned;
  return score;
}

int score_of(const FailedCall& call, const ProcessHistory& process) {
  int score = weight_of(call.error) + mention_of(call, process.words);
  if (call.is_made_good) score -= 80;
  if (call.event.number == SYS_execve || call.event.number == SYS_execveat) score += 15;
  // What failed shortly before the program spoke or ended.
  const uint64_t end = process.words.empty() ? process.calls : process.words_place;
  constexpr uint64_t kShortly = 60;
  if (call.place <= end && end - call.place <= kShortly) score += 20;
  if (call.place > end) score -= 10;
  return score;
}

struct Choice {
  const ProcessHistory* process = nullptr;
  const FailedCall* call = nullptr;  // null: none explains it
  bool is_certain = false;           // the program's own words are about it
};

Choice best_call_of(const ProcessHistory& process) {
  Choice choice{&process};
  int best = kLikely;
  for (const FailedCall& call : process.failures) {
    const int score = score_of(call, process);
    if (score < best) continue;  // of equals, the last
    best = score;
    choice.call = &call;
  }
  choice.is_certain = choice.call != nullptr && mention_of(*choice.call, process.words) >= kMentioned;
  return choice;
}

bool has_failed(const ProcessHistory& process) {
  return process.wait_status && !(WIFEXITED(*process.wait_status) && WEXITSTATUS(*process.wait_status) == 0);
}

// The process itself, or the child whose failure it passed on.
Choice choose(const FailureHistory& history, const ProcessHistory& process, int depth) {
  constexpr int kDeepest = 16;
  Choice own = best_call_of(process);
  if (own.is_certain || depth >= kDeepest) return own;
  for (auto child = process.children.rbegin(); child != process.children.rend(); ++child) {
    const ProcessHistory* found = history.find(*child);
    if (found == nullptr || !has_failed(*found)) continue;
    Choice theirs = choose(history, *found, depth + 1);
    if (theirs.call != nullptr || !theirs.process->words.empty() || WIFSIGNALED(*theirs.process->wait_status))
      return theirs;
  }
  return own;
}

std::string end_in_words(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with code {}", WEXITSTATUS(wait_status));
  const int signal = WTERMSIG(wait_status);
  return fmt::format("was killed by SIG{} ({})", sigabbrev_np(signal) ? sigabbrev_np(signal) : "?",
                     strsignal(signal));
}

std::string program_in_words(const ProcessHistory& process) {
  if (process.program.empty()) return fmt::format("process {}", process.pid);
  return fmt::format("{} (process {})", in_message(process.program), process.pid);
}

// The last lines that say something.
std::vector<std::string> last_lines(const std::string& words) {
  constexpr size_t kLines = 3;
  std::vector<std::string> lines;
  std::string_view rest = words;
  while (!rest.empty() && lines.size() < kLines) {
    while (rest.ends_with('\n')) rest.remove_suffix(1);
    const size_t begin = rest.rfind('\n') + 1;
    // Not what only underlines the line above.
    const std::string_view line = rest.substr(begin);
    if (line.find_first_not_of(" \t^~-") != line.npos) lines.insert(lines.begin(), std::string(line));
    rest = rest.substr(0, begin);
  }
  return lines;
}

// What the last line quotes, as 'name', "name" or `name'.
std::vector<std::string> quoted_names(const std::string& words) {
  std::vector<std::string> names;
  const std::vector<std::string> lines = last_lines(words);
  if (lines.empty()) return names;
  const std::string& line = lines.back();
  constexpr std::string_view kQuotes = "'\"`";
  for (size_t begin = line.find_first_of(kQuotes); begin != line.npos;) {
    const size_t end = line.find_first_of(kQuotes, begin + 1);
    if (end == line.npos) break;
    std::string name = line.substr(begin + 1, end - begin - 1);
    if (!name.empty() && name.find_first_of(" /") == name.npos) names.push_back(std::move(name));
    begin = line.find_first_of(kQuotes, end + 1);
  }
  return names;
}

// A program that knows its directories' contents asks for nothing that is not there: what it names in its
// words is then missing in the directories that it looked at.
bool explain_unasked_name(const ProcessHistory& process, Explanation& out) {
  if (process.directories.empty()) return false;
  for (const std::string& name : quoted_names(process.words)) {
    const bool was_asked_for = std::ranges::any_of(process.failures, [&](const FailedCall& call) {
      return std::ranges::any_of(call.paths, [&](const std::string& path) { return contains(path, name); });
    });
    if (was_asked_for) continue;
    out.add("why",
            fmt::format("it says that `{}` is missing, and no call asks for it: none of the directories that "
                        "it looked at before has it",
                        in_message(name)));
    for (const std::string& directory : process.directories) out.add("looked at", in_message(directory));
    out.advise("the directory that has it among those the program searches, or install it");
    return true;
  }
  return false;
}

const char* resource_name(int resource) {
  switch (resource) {
    case RLIMIT_NOFILE:
      return "RLIMIT_NOFILE (ulimit -n)";
    case RLIMIT_FSIZE:
      return "RLIMIT_FSIZE (ulimit -f)";
    case RLIMIT_NPROC:
      return "RLIMIT_NPROC (ulimit -u)";
    case RLIMIT_DATA:
      return "RLIMIT_DATA (ulimit -d)";
    default:
      return "RLIMIT_AS (ulimit -v)";
  }
}

void explain_limit(const FailedCall& call, Explanation& out) {
  const bool is_limited = call.limit && call.limit->rlim_cur != RLIM_INFINITY;
  switch (call.error.value()) {
    case EMFILE:
      out.add("why", is_limited ? fmt::format(
                                      "the process has all the {} descriptors open that its limit allows, {}",
                                      call.limit->rlim_cur, resource_name(call.resource))
                                : "the process has as many descriptors open as it may");
      return out.advise("ulimit -n with a larger number, or look with -y which descriptors are never closed");
    case ENFILE:
      return out.add("why", "the whole machine has as many files open as fs.file-max allows");
    case EFBIG:
      out.add("why", is_limited ? fmt::format("the file would grow beyond {} bytes, {}", call.limit->rlim_cur,
                                              resource_name(call.resource))
                                : "the file would grow beyond what its file system can hold");
      return out.advise(is_limited ? "ulimit -f with a larger number" : "");
    case EAGAIN:
      out.add("why",
              is_limited
                  ? fmt::format("no further process or thread: {} allows {}, or a control group's limit "
                                "(--pids-limit) is reached",
                                resource_name(call.resource), call.limit->rlim_cur)
                  : "no further process or thread: a control group's limit (--pids-limit) is reached");
      return out.advise("a larger --pids-limit or ulimit -u");
    default:
      out.add("why", is_limited
                         ? fmt::format("memory: {} allows {} bytes", resource_name(call.resource),
                                       call.limit->rlim_cur)
                         : "memory: the kernel has none for this, or the call asks for more than there is");
      return out.advise(is_limited ? "a larger limit" : "a larger --memory, when there is one");
  }
}

void explain_network(const FailedCall& call, const FailureHistory& history, Surroundings& surroundings,
                     Explanation& out) {
  switch (call.error.value()) {
    case EADDRINUSE: {
      const pid_t binder = history.binder_of(call.object);
      const ProcessHistory* other = binder != 0 ? history.find(binder) : nullptr;
      out.add("why", fmt::format("{} is in use{}", in_message(call.object),
                                 binder == call.thread.pid ? ": this process has bound it before"
                                 : other != nullptr ? fmt::format(": {} bound it", program_in_words(*other))
                                                    : ": a program that is not traced has it"));
      return out.advise("another port, or end the program that has it");
    }
    case EADDRNOTAVAIL:
      out.add("why", fmt::format("no interface here has the address {}", in_message(call.object)));
      return out.advise(
          surroundings.has_private_network() ? "--net host: the sandbox has only a loopback interface" : "");
    case ECONNREFUSED:
      out.add("why", fmt::format("nobody listens on {}", in_message(call.object)));
      return out.advise(surroundings.has_private_network()
                            ? "start its server inside too, or --net host to reach those outside"
                            : "look whether the server runs, and where it listens");
    default:
      out.add("why", fmt::format("there is no way to {}", in_message(call.object)));
      return out.advise(
          surroundings.has_private_network() ? "--net host: the sandbox has only a loopback interface" : "");
  }
}

void explain_end_by_signal(const ProcessHistory& process, Surroundings& surroundings, Explanation& out) {
  const int signal = WTERMSIG(*process.wait_status);
  const bool is_known = process.signal && process.signal->si_signo == signal;
  const auto address = [&] {
    return fmt::format("{:#x}", reinterpret_cast<uintptr_t>(process.signal->si_addr));
  };
  if (!process.sender.empty()) return out.add("why", process.sender);
  if (std::string kill = surroundings.own_kill(); signal == SIGKILL && !kill.empty())
    return out.add("why", kill);
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
      if (is_known && process.signal->si_code > 0)
        out.add("why", fmt::format("it used the address {}, {}", address(),
                                   signal == SIGBUS ? "behind which there is no memory"
                                   : process.signal->si_code == SEGV_ACCERR ? "which does not allow that"
                                                                            : "where nothing is mapped"));
      return;
    case SIGPIPE:
      return out.add("why", "it wrote to a pipe or socket that nobody reads any more");
    case SIGXFSZ:
      return out.add("why", "a file would have grown beyond RLIMIT_FSIZE (ulimit -f)");
    case SIGXCPU:
      return out.add("why", "it used more CPU time than RLIMIT_CPU allows (ulimit -t)");
    case SIGSYS:
      return out.add("why", "a seccomp filter forbids a call that it made");
    case SIGKILL:
      return out.add("why",
                     "nobody in the trace sent it: a limit of memory, a time limit, or somebody outside");
    default:
      return;
  }
}

}  // namespace

void Explanation::add(std::string_view aspect, std::string_view words) {
  text_ += fmt::format("  {:<11} {}\n", fmt::format("{}:", aspect), words);
}

std::string in_message(std::string_view text) {
  const auto steers_terminal = [](std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
    if (sequence.size() == 2) return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
    return sequence >= "\xe2\x80\xa8" && sequence <= "\xe2\x80\xae";  // line ends and directions
  };
  std::string shown;
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    const std::string_view sequence = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0 || steers_terminal(sequence)) {
      for (char byte : sequence) shown += fmt::format("\\{:03o}", static_cast<unsigned char>(byte));
    } else {
      shown += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return shown;
}

void explain_call(const FailedCall& call, const std::deque<FailedCall>& others, const FailureHistory& history,
                  Surroundings& surroundings, Explanation& out) {
  const std::string refusal = surroundings.own_refusal(call.event, call.error);
  if (!refusal.empty()) return out.add("why", refusal);
  switch (call.error.value()) {
    case ENOENT:
    case ENOTDIR:
      return explain_missing(call, others, surroundings, out);
    case EACCES:
    case EPERM:
    case EROFS:
      return explain_permission(call, surroundings, out);
    case ENOSPC:
    case EDQUOT:
      return explain_space(call, surroundings, out);
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case ENOMEM:
    case EAGAIN:
      return explain_limit(call, out);
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return explain_network(call, history, surroundings, out);
    case ENOEXEC:
      out.add("why", fmt::format("{} is neither a program for this machine nor a script with a `#!` line",
                                 in_message(call.paths.empty() ? "" : call.paths.back())));
      return out.advise("name its interpreter before it");
    case EPIPE:
      return out.add("why", "nobody reads any more from what it writes to");
    default:
      out.add("why", fmt::format("{} failed: {} ({})", call.row->name, call.error.text(), call.error.name()));
      if (!call.paths.empty()) tell_mount(call.paths.back(), surroundings, out);
  }
}

std::string explain(const FailureHistory& history, const ProcessHistory& process,
                    Surroundings& surroundings) {
  Explanation out;
  if (!has_failed(process))
    return fmt::format("{} ended well: there is nothing to explain\n", program_in_words(process));
  std::string head = fmt::format("{} {}\n", program_in_words(process), end_in_words(*process.wait_status));
  const Choice choice = choose(history, process, 0);
  const ProcessHistory& culprit = *choice.process;
  if (&culprit != &process)
    out.add("passed on", fmt::format("the failure of {}, which {}", program_in_words(culprit),
                                     end_in_words(*culprit.wait_status)));
  for (const std::string& line : last_lines(culprit.words)) out.add("it said", in_message(line));
  if (WIFSIGNALED(*culprit.wait_status)) {
    explain_end_by_signal(culprit, surroundings, out);
    if (!choice.is_certain) return head + out.text();
  }
  if (!choice.is_certain && explain_unasked_name(culprit, out)) return head + out.text();
  if (choice.call == nullptr) {
    out.add("why", "no call that failed explains it: it decided so by itself");
    return head + out.text();
  }
  // Words that no call fits make every guess a weak one.
  if (!choice.is_certain && !culprit.words.empty())
    out.add("perhaps", "its words fit no call; this one is the likeliest");
  explain_call(*choice.call, culprit.failures, history, surroundings, out);
  out.add("call", choice.call->text);
  return head + out.text();
}

}  // namespace sandbox::trace
