// Limits, accounting, scheduling and id maps of a task (fs/proc/base.c, kernel/sched/debug.c).
#include <fmt/format.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// ---- where the host's text tells something of the host ----

// (uid_t)-1: nobody logged in.
Result<std::string> generate_login(const TaskContext&) { return "4294967295"; }
// Kernel stacks need CAP_SYS_ADMIN in the first user namespace.
Result<std::string> refuse_stack(const TaskContext&) { return err(EPERM); }
Result<std::string> generate_patch_state(const TaskContext&) { return "-1\n"; }

// The ids that exist inside, without telling which of the host's they are.
// Whose ids stand for themselves: where the sandbox is, nobody inside has to know.
std::string id_map_text(const IdMap& map) {
  std::string text;
  for (const IdMap::Range& range : map.ranges())
    fmt::format_to(std::back_inserter(text), "{:>10} {:>10} {:>10}\n", range.inside, range.inside,
                   range.count);
  return text;
}
std::string configured_map_text(const IdMap& map) {
  std::string text;
  for (const IdMap::Range& range : map.ranges())
    fmt::format_to(std::back_inserter(text), "{:>10} {:>10} {:>10}\n", range.inside, range.outside,
                   range.count);
  return text;
}
Result<std::string> generate_uid_map(const TaskContext& context) {
  const auto& configured = context.procfs.options_of_mount().shown_uid_map;
  return configured ? configured_map_text(*configured) : id_map_text(context.kernel.uid_map());
}
Result<std::string> generate_gid_map(const TaskContext& context) {
  const auto& configured = context.procfs.options_of_mount().shown_gid_map;
  return configured ? configured_map_text(*configured) : id_map_text(context.kernel.gid_map());
}

// The real limit of core files is another one, and the same for all.
Result<std::string> generate_limits(const TaskContext& context) {
  constexpr std::string_view kName = "Max core file size";
  auto in_words = [](rlim_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); };
  std::string text = TRY(context.read_host("limits"));
  const size_t begin = text.find(kName), end = text.find('\n', begin);
  if (end == text.npos) return text;
  const rlimit& told = context.task.core_limit;
  return text.replace(begin, end - begin,
                      fmt::format("{:<26}{:<21}{:<21}{:<10}", kName, in_words(told.rlim_cur),
                                  in_words(told.rlim_max), "bytes"));
}

// The number in the name is the host's own count of sessions; the nice value is the task's.
Result<std::string> generate_autogroup(const TaskContext& context) {
  std::string host = TRY(context.read_host("autogroup"));
  size_t nice = host.find(" nice ");
  return "/autogroup-1" + (nice == std::string::npos ? " nice 0\n" : host.substr(nice));
}

// "comm (1234, #threads: 1)\n-----\n...": the name may hold anything, so the pid is found from behind.
Result<std::string> generate_sched(const TaskContext& context) {
  std::string host = TRY(context.read_host("sched"));
  constexpr std::string_view kThreads = ", #threads: ";
  // Command names are at most 15 bytes, so the right one is the first after them.
  size_t threads = host.find(kThreads);
  for (size_t next = threads; next != std::string::npos && next < 64; next = host.find(kThreads, next + 1))
    threads = next;
  if (threads == std::string::npos) return err(EIO);
  size_t open = host.rfind('(', threads);
  if (open == std::string::npos) return err(EIO);
  return host.substr(0, open + 1) + std::to_string(context.task.tid) + host.substr(threads);
}

// "notify: signal/pid.1234"
Result<std::string> generate_timers(const TaskContext& context) {
  std::string host = TRY(context.read_host("timers"));
  std::string shown;
  for_each_line(host, [&](std::string_view line) {
    size_t dot = line.rfind('.');
    auto host_pid = dot == std::string_view::npos ? std::nullopt : parse_number<pid_t>(line.substr(dot + 1));
    if (line.starts_with("notify:") && host_pid) {
      shown.append(line.substr(0, dot + 1)).append(std::to_string(context.kernel.pid_inside(*host_pid)));
    } else {
      shown.append(line);
    }
    shown += '\n';
  });
  return shown;
}

// ---- attr/: no security module is visible inside ----

constexpr const char* kAttributes[] = {"current", "exec", "fscreate", "keycreate", "prev", "sockcreate"};

class AttributeDirectory : public TaskNode {
 public:
  using TaskNode::TaskNode;

  Result<InodePtr> lookup(std::string_view name) override {
    for (const char* known : kAttributes) {
      if (name != known) continue;
      return std::make_shared<TaskGeneratedFile>(
          procfs(), reference(), SyntheticFilesystem::inode_of(inode_number(), name), 0666, Access::kAnyone,
          known, [](const TaskContext&) -> Result<std::string> { return err(EINVAL); });
    }
    return err(ENOENT);
  }
  bool is_current(std::string_view, const InodePtr&) override { return is_alive(); }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override {
    std::vector<DirectoryEntry> entries;
    for (const char* name : kAttributes)
      entries.push_back(
          {name, SyntheticFilesystem::inode_of(inode_number(), name), directory_entry_type(S_IFREG)});
    return entries;
  }
};

InodePtr make_attributes(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<AttributeDirectory>(procfs, reference, inode, S_IFDIR | 0555);
}

constexpr TaskRow kRows[] = {
    task_file("limits", 0444, Access::kAnyone, generate_limits),
    if_on_host(task_file("io", 0400, Access::kPtrace, task_verbatim)),
    task_native("oom_adj", 0644, Native::kOwnReadWrite),
    task_file("oom_score", 0444, Access::kAnyone, task_verbatim),
    // The kernel checks at the write that only CAP_SYS_RESOURCE lowers it: nobody inside has that.
    task_native("oom_score_adj", 0644, Native::kOwnReadWrite),
    task_file("personality", 0400, Access::kPtrace, task_verbatim),
    task_file("loginuid", 0444, Access::kAnyone, generate_login),
    task_file("sessionid", 0444, Access::kAnyone, generate_login),
    if_on_host(task_file("schedstat", 0444, Access::kAnyone, task_verbatim)),
    if_on_host(task_file("sched", 0444, Access::kAnyone, generate_sched)),
    if_on_host(task_file("wchan", 0444, Access::kAnyone, task_verbatim)),
    if_on_host(task_file("syscall", 0400, Access::kPtrace, task_verbatim)),
    if_on_host(task_file("arch_status", 0444, Access::kAnyone, task_verbatim)),
    task_file("stack", 0400, Access::kPtrace, refuse_stack),
    if_on_host(task_file("patch_state", 0400, Access::kPtrace, generate_patch_state)),
    task_file("uid_map", 0444, Access::kAnyone, generate_uid_map),
    task_file("gid_map", 0444, Access::kAnyone, generate_gid_map),
    task_file("projid_map", 0444, Access::kAnyone, generate_uid_map),
    task_file("setgroups", 0444, Access::kAnyone, task_verbatim),
    task_directory("attr", 0555, make_attributes),
    where(TaskRow::Where::kProcess,
          if_on_host(task_file("autogroup", 0444, Access::kAnyone, generate_autogroup))),
    where(TaskRow::Where::kProcess, if_on_host(task_native("coredump_filter", 0644, Native::kOwnReadWrite))),
    where(TaskRow::Where::kProcess,
          if_on_host(task_file("timens_offsets", 0444, Access::kAnyone, task_verbatim))),
    where(TaskRow::Where::kProcess, if_on_host(task_file("timers", 0444, Access::kAnyone, generate_timers))),
    where(TaskRow::Where::kProcess, task_native("timerslack_ns", 0666, Native::kOwnReadWrite)),
};

}  // namespace

std::span<const TaskRow> task_settings_rows() { return kRows; }

}  // namespace sandbox::vfs
