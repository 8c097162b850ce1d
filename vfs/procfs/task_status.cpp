// What a task is: stat, status, cmdline and their neighbours (fs/proc/array.c, fs/proc/base.c).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "vfs/procfs/context.h"
#include "vfs/procfs/task_auxv.h"
#include "vfs/procfs/task_ids.h"
#include "vfs/synthetic/text.h"
#include "vfs/sysfs/cpu_list.h"

namespace sandbox::vfs {
namespace {

// ---- state ----

// A ptrace stop is our own doing. Of the two kinds the workload may not see, the lasting one is job
// control's.
char shown_state(const TaskContext& context, char state) {
  bool is_reader = context.caller && context.kernel.pid_inside(context.caller->host_tid) == context.task.tid;
  if (is_reader) return 'R';  // it waits for this very answer
  return state == 't' ? 'T' : state;
}

std::string_view state_words(char state, std::string_view host_words) {
  if (state == 'R') return "R (running)";
  if (state == 'T') return "T (stopped)";
  return host_words;
}

// ---- stat ----

// Fields of stat by their number in proc_pid_stat(5), from 3 on; 1 and 2 are cut off before.
constexpr size_t kFirstField = 3;
constexpr size_t kStartTime = 22;
constexpr size_t kLastField = 52;
constexpr int64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100

class StatFields {
 public:
  explicit StatFields(std::string_view rest) {
    for (;;) {
      std::string_view word = take_word(&rest);
      if (word.empty()) break;
      words_.emplace_back(word);
    }
  }
  std::string& at(size_t field) { return words_[field - kFirstField]; }
  bool has(size_t field) const { return field - kFirstField < words_.size(); }
  void set(size_t field, std::string value) {
    if (has(field)) at(field) = std::move(value);
  }
  std::string joined() const { return fmt::format("{}", fmt::join(words_, " ")); }

 private:
  std::vector<std::string> words_;
};

Result<std::string> generate_stat(const TaskContext& context) {
  std::string text = TRY(context.read_host("stat"));
  // A command name may hold anything, parentheses and newlines too; nothing after it holds a parenthesis.
  size_t open = text.find('(');
  size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return err(EIO);
  std::string_view rest = std::string_view(text).substr(close + 1);
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  StatFields fields(rest);
  if (!fields.has(8)) return err(EIO);

  TaskIds ids = TRY(read_task_ids(context));
  fields.set(3, std::string(1, shown_state(context, fields.at(3).empty() ? 'S' : fields.at(3).front())));
  fields.set(4, std::to_string(ids.parent));
  // The foreground group is most often the reader's own, whose leader may be gone.
  pid_t foreground = parse_number<pid_t>(fields.at(8)).value_or(-1);
  if (foreground > 0) {
    bool is_own_group = fields.at(8) == fields.at(5);
    foreground = is_own_group ? ids.group : context.kernel.pid_inside(foreground);
  }
  fields.set(8, std::to_string(foreground));
  fields.set(5, std::to_string(ids.group));
  fields.set(6, std::to_string(ids.session));
  // Ticks since boot: the sandbox's, as /proc/uptime tells it.
  if (fields.has(kStartTime)) {
    const int64_t start = context.kernel.start_time_ns() / kNanosecondsPerTick;
    const int64_t host_start = parse_number<int64_t>(fields.at(kStartTime)).value_or(0);
    fields.set(kStartTime, std::to_string(std::max<int64_t>(host_start - start, 0)));
  }
  if (!check_access(context, Access::kPtrace)) {
    // As the kernel hides addresses from those who may not ptrace the task.
    constexpr std::array<size_t, 11> kAddresses = {28, 29, 30, 35, 45, 46, 47, 48, 49, 50, 51};
    fields.set(26, "1");
    fields.set(27, "1");
    for (size_t field : kAddresses) fields.set(field, "0");
    fields.set(kLastField, "0");
  }
  return fmt::format("{} {} {}\n", context.task.tid, std::string_view(text).substr(open, close - open + 1),
                     fields.joined());
}

// ---- status ----

// "1000\t1000\t1000\t1000" in the workload's numbers, the separators as they were.
std::string translate_ids(std::string_view words, const IdMap& map) {
  std::string shown;
  size_t at = 0;
  while (at < words.size()) {
    size_t digits = words.find_first_not_of("0123456789", at);
    if (digits == std::string_view::npos) digits = words.size();
    if (digits > at) {
      auto id = parse_number<uint32_t>(words.substr(at, digits - at));
      shown += std::to_string(map.to_inside(id.value_or(IdMap::kOverflowId)));
      at = digits;
    } else {
      shown += words[at++];
    }
  }
  return shown;
}

// What the line of this key says where the sentry keeps it; none: the kernel's is right.
std::optional<std::string> kept_line(const TaskView::Kept* kept, std::string_view key) {
  if (kept == nullptr) return std::nullopt;
  const auto& [ids, sets] = *kept;
  if (key == "Uid") return fmt::format("{}\t{}\t{}\t{}", ids.uid, ids.euid, ids.suid, ids.fsuid);
  if (key == "Gid") return fmt::format("{}\t{}\t{}\t{}", ids.gid, ids.egid, ids.sgid, ids.fsgid);
  if (key == "Groups") return fmt::format("{} ", fmt::join(ids.groups, " "));
  constexpr std::pair<std::string_view, uint64_t CapabilitySets::*> kSets[] = {
      {"CapInh", &CapabilitySets::inheritable},
      {"CapPrm", &CapabilitySets::permitted},
      {"CapEff", &CapabilitySets::effective},
      {"CapBnd", &CapabilitySets::bounding},
      {"CapAmb", &CapabilitySets::ambient}};
  for (const auto& [name, set] : kSets)
    if (key == name) return fmt::format("{:016x}", sets.*set);
  return std::nullopt;
}

Result<std::string> generate_status(const TaskContext& context) {
  std::string text = TRY(context.read_host("status"));
  TaskIds ids = find_task_ids(context, text);
  std::string shown;
  shown.reserve(text.size());
  auto cpus_allowed = [&]() -> std::vector<int> {
    constexpr std::string_view kKey = "\nCpus_allowed_list:\t";
    size_t at = text.find(kKey);
    if (at == std::string::npos) return {};
    std::string_view list = std::string_view(text).substr(at + kKey.size());
    return affinity_inside(parse_cpu_list(list.substr(0, list.find('\n'))),
                           context.procfs.resources().cpus());
  };
  for_each_line(text, [&](std::string_view line) {
    // The kernel escapes newlines in Name, so that every line starts with its own key.
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view key = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    std::string_view trimmed = value.substr(std::min(value.find_first_not_of('\t'), value.size()));
    auto number = [&](auto replacement) {
      fmt::format_to(std::back_inserter(shown), "{}:\t{}\n", key, replacement);
    };
    if (key == "Umask") {
      fmt::format_to(std::back_inserter(shown), "Umask:\t{:04o}\n", context.task.umask);
    } else if (key == "State") {
      number(state_words(shown_state(context, trimmed.empty() ? 'S' : trimmed.front()), trimmed));
    } else if (key == "Tgid" || key == "NStgid") {
      number(context.task.tgid);
    } else if (key == "Pid" || key == "NSpid") {
      number(context.task.tid);
    } else if (key == "Ngid" || key == "TracerPid") {
      number(0);
    } else if (key == "NoNewPrivs") {
      number(context.task.has_no_new_privs ? 1 : 0);
    } else if (key == "PPid") {
      number(ids.parent);
    } else if (key == "Cpus_allowed") {
      number(format_cpu_mask(cpus_allowed()));
    } else if (key == "Cpus_allowed_list") {
      number(format_cpu_list(cpus_allowed()));
    } else if (key == "NSpgid") {
      number(ids.group);
    } else if (key == "NSsid") {
      number(ids.session);
    } else if (auto shown_instead = kept_line(context.task.kept.get(), key)) {
      number(*shown_instead);
    } else if (key == "Uid") {
      fmt::format_to(std::back_inserter(shown), "Uid:{}\n", translate_ids(value, context.kernel.uid_map()));
    } else if (key == "Gid" || key == "Groups") {
      fmt::format_to(std::back_inserter(shown), "{}:{}\n", key,
                     translate_ids(value, context.kernel.gid_map()));
    } else {
      shown.append(line).append("\n");
    }
  });
  return shown;
}

// ---- command line, environment, auxiliary vector ----

Result<std::string> generate_cmdline(const TaskContext& context) {
  std::string host = TRY(context.read_host("cmdline"));
  const std::vector<std::string>& prefix = context.task.argv_prefix;
  if (prefix.empty()) return host;
  // A script: what `#!` put in stands where argv[0] was.
  std::string shown;
  for (const std::string& word : prefix) shown.append(word).push_back('\0');
  size_t first_end = host.find('\0');
  if (first_end != std::string::npos) shown.append(host, first_end + 1);
  return shown;
}

Result<std::string> generate_auxv(const TaskContext& context) {
  if (!context.task.auxv.empty()) return context.task.auxv;
  return read_program_auxv(context);
}

Result<std::string> generate_children(const TaskContext& context) {
  std::string host = TRY(context.read_host("children"));
  std::string_view rest = host;
  std::string shown;
  for (std::string_view word = take_word(&rest); !word.empty(); word = take_word(&rest)) {
    auto host_pid = parse_number<pid_t>(word);
    pid_t pid = host_pid ? context.kernel.pid_inside(*host_pid) : 0;
    if (pid > 0) fmt::format_to(std::back_inserter(shown), "{} ", pid);
  }
  return shown;
}

constexpr TaskRow kRows[] = {
    task_file("stat", 0444, Access::kAnyone, generate_stat),
    task_file("status", 0444, Access::kAnyone, generate_status),
    task_file("statm", 0444, Access::kAnyone, task_verbatim),
    task_native("comm", 0644, Native::kOwnReadWrite),
    task_file("cmdline", 0444, Access::kAnyone, generate_cmdline),
    task_file("environ", 0400, Access::kPtrace, task_verbatim),
    task_file("auxv", 0400, Access::kPtrace, generate_auxv),
    if_on_host(
        where(TaskRow::Where::kThread, task_file("children", 0444, Access::kAnyone, generate_children))),
};

}  // namespace

std::span<const TaskRow> task_status_rows() { return kRows; }

// ---- ids ----

namespace {

// The last number of an NS line is the one of the task's own namespace.
std::optional<pid_t> own_namespace_number(std::string_view numbers, int* count) {
  std::optional<pid_t> last;
  *count = 0;
  for (std::string_view word = take_word(&numbers); !word.empty(); word = take_word(&numbers)) {
    last = parse_number<pid_t>(word);
    ++*count;
  }
  return last;
}

}  // namespace

TaskIds find_task_ids(const TaskContext& context, std::string_view host_status) {
  TaskIds ids;
  for_each_line(host_status, [&](std::string_view line) {
    std::string_view key = take_word(&line);
    // One number: the task lives in the sentry's own PID namespace.
    auto inside = [&] {
      int count = 0;
      pid_t number = own_namespace_number(line, &count).value_or(0);
      return count > 1 ? number : context.kernel.pid_inside(number);
    };
    if (key == "PPid:") {
      pid_t host_parent = parse_number<pid_t>(take_word(&line)).value_or(0);
      ids.parent = host_parent > 0 ? context.kernel.pid_inside(host_parent) : 0;
    } else if (key == "NSpgid:") {
      ids.group = inside();
    } else if (key == "NSsid:") {
      ids.session = inside();
    }
  });
  return ids;
}

Result<TaskIds> read_task_ids(const TaskContext& context) {
  return find_task_ids(context, TRY(context.read_host("status")));
}

}  // namespace sandbox::vfs
