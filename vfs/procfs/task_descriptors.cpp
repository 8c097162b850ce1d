// A task's descriptors: fd/ and fdinfo/ (fs/proc/fd.c).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// Which numbers are open. fdinfo asks whether the reader might ptrace the task; fd, of a task that is not
// dumpable, belongs to the first user namespace's root, whom an unprivileged sentry is not.
constexpr const char* kListings[] = {"fdinfo", "fd"};

bool is_open(const TaskContext& task, int descriptor) {
  for (const char* listing : kListings) {
    struct stat status;
    std::string path = fmt::format("{}/{}", listing, descriptor);
    if (::fstatat(task.host_directory.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  }
  return false;
}

Result<std::vector<std::string>> list_open(const TaskContext& task) {
  auto names = list_host_directory(task.host_directory.get(), kListings[0]);
  if (names) return names;
  return list_host_directory(task.host_directory.get(), kListings[1]);
}

// The bits of a link in fd: r-x when it was opened for reading, -wx for writing. Errors: ENOENT (closed).
Result<mode_t> access_bits(const TaskContext& task, int descriptor) {
  struct stat status;
  std::string path = fmt::format("fd/{}", descriptor);
  if (::fstatat(task.host_directory.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return status.st_mode & 0777;
  auto text = task.read_host(fmt::format("fdinfo/{}", descriptor));
  if (!text) return err(ENOENT);
  mode_t bits = 0100;
  for_each_line(*text, [&](std::string_view line) {
    if (take_word(&line) != "flags:") return;
    int flags = parse_number<int>(take_word(&line), 8).value_or(0);
    if ((flags & O_ACCMODE) != O_WRONLY) bits |= 0400;
    if ((flags & O_ACCMODE) != O_RDONLY) bits |= 0200;
  });
  return bits;
}

class DescriptorLink : public TaskNode {
 public:
  DescriptorLink(Procfs& procfs, const TaskReference& reference, uint64_t inode, int descriptor)
      : TaskNode(procfs, reference, inode, S_IFLNK | 0700), descriptor_(descriptor) {}

  Result<std::string> readlink(const Caller& caller) override {
    UniqueFd object = TRY(duplicate(caller));
    return procfs().kernel().describe_descriptor(object.get());
  }
  Result<std::optional<Location>> follow_magic(const Caller& caller) override {
    UniqueFd object = TRY(duplicate(caller));
    return TRY(procfs().options_of_mount().locate(caller, std::move(object)));
  }

 protected:
  // The permission bits tell how it was opened, as the kernel shows it.
  Result<Owner> owner() override {
    auto task = context(nullptr);
    if (!task) return err(ENOENT);
    mode_t bits = TRY(access_bits(*task, descriptor_));
    Owner owner = TRY(TaskNode::owner());
    owner.permissions = bits;
    return owner;
  }
  uint64_t size() override { return 64; }  // as the kernel's

 private:
  Result<UniqueFd> duplicate(const Caller& caller) const {
    auto task = context(&caller);
    if (!task) return err(task.error() == Errno(ESRCH) ? ENOENT : task.error().value());
    TRY(check_access(*task, Access::kPtrace));
    auto object = task->kernel.descriptor_of(task->task, descriptor_);
    if (!object) return err(object.error() == Errno(EMFILE) ? EMFILE : ENOENT);
    return object;
  }

  const int descriptor_;
};

// ---- fdinfo ----

// "Pid:\t1234" of a pidfd, and the owner in "lock:\t1: POSIX  ADVISORY  WRITE 1234 00:2d:12 0 EOF".
std::string translate_pid(const TaskContext& context, std::string_view word) {
  auto host_pid = parse_number<pid_t>(word);
  // -1: the process is gone.
  if (!host_pid || *host_pid <= 0) return std::string(word);
  return std::to_string(context.kernel.pid_inside(*host_pid));
}

void append_lock_line(const TaskContext& context, std::string_view line, std::string* shown) {
  std::string_view rest = line;
  constexpr int kWordsBeforePid = 5;  // lock: N: KIND MODE TYPE
  for (int i = 0; i < kWordsBeforePid; ++i) take_word(&rest);
  size_t pid_at = rest.find_first_not_of(' ');
  if (pid_at == std::string_view::npos) return;
  shown->append(line.substr(0, line.size() - rest.size() + pid_at));
  rest.remove_prefix(pid_at);
  shown->append(translate_pid(context, take_word(&rest))).append(rest).append("\n");
}

Result<std::string> generate_fdinfo(const TaskContext& context, int descriptor) {
  auto host = context.read_host(fmt::format("fdinfo/{}", descriptor));
  if (!host) return std::unexpected(host.error());
  // The mount is the one it was opened on here; the host's numbers mean nothing inside.
  int mount_id = 0;
  if (context.caller) {
    if (auto object = context.kernel.descriptor_of(context.task, descriptor)) {
      auto place = context.procfs.options_of_mount().locate(*context.caller, std::move(*object));
      if (place && place->mount) mount_id = place->mount->id;
    }
  }
  std::string shown;
  for_each_line(*host, [&](std::string_view line) {
    std::string_view rest = line;
    std::string_view key = take_word(&rest);
    if (key == "mnt_id:") {
      fmt::format_to(std::back_inserter(shown), "mnt_id:\t{}\n", mount_id);
    } else if (key == "Pid:") {
      fmt::format_to(std::back_inserter(shown), "Pid:\t{}\n", translate_pid(context, take_word(&rest)));
    } else if (key == "NSpid:") {
      // From the sentry's namespace down to the process's own; the workload knows the last.
      std::string_view last = "0";
      for (std::string_view word = take_word(&rest); !word.empty(); word = take_word(&rest)) last = word;
      fmt::format_to(std::back_inserter(shown), "NSpid:\t{}\n", last);
    } else if (key == "lock:") {
      append_lock_line(context, line, &shown);
    } else {
      shown.append(line).append("\n");
    }
  });
  return shown;
}

// ---- the two directories ----

enum class Kind { kLinks, kInfo };

class DescriptorDirectory : public TaskNode {
 public:
  DescriptorDirectory(Procfs& procfs, const TaskReference& reference, uint64_t inode, Kind kind)
      : TaskNode(procfs, reference, inode, S_IFDIR | (kind == Kind::kLinks ? 0500 : 0555)), kind_(kind) {}

  Result<InodePtr> lookup(std::string_view name) override {
    auto descriptor = parse_decimal_name(name);
    if (!descriptor || *descriptor == procfs().kernel().reserved_descriptor()) return err(ENOENT);
    auto task = context(nullptr);
    if (!task) return err(ENOENT);
    if (!is_open(*task, *descriptor)) return err(ENOENT);
    uint64_t inode = SyntheticFilesystem::inode_of(inode_number(), name);
    if (kind_ == Kind::kLinks)
      return std::make_shared<DescriptorLink>(procfs(), reference(), inode, *descriptor);
    return std::make_shared<TaskGeneratedFile>(
        procfs(), reference(), inode, 0444, Access::kPtrace, std::string(name),
        [number = *descriptor](const TaskContext& context) { return generate_fdinfo(context, number); });
  }

  bool is_current(std::string_view, const InodePtr&) override { return is_alive(); }

  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override {
    TaskContext task = TRY(context(&caller));
    TRY(check_access(task, Access::kPtrace));
    std::vector<DirectoryEntry> entries;
    for (const std::string& name : TRY(list_open(task))) {
      auto descriptor = parse_decimal_name(name);
      if (!descriptor || *descriptor == task.kernel.reserved_descriptor()) continue;
      mode_t type = kind_ == Kind::kLinks ? S_IFLNK : S_IFREG;
      entries.push_back(
          {name, SyntheticFilesystem::inode_of(inode_number(), name), directory_entry_type(type)});
    }
    return entries;
  }

 private:
  const Kind kind_;
};

template <Kind kind>
InodePtr make_descriptor_directory(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<DescriptorDirectory>(procfs, reference, inode, kind);
}

constexpr TaskRow kRows[] = {
    task_directory("fd", 0500, make_descriptor_directory<Kind::kLinks>),
    task_directory("fdinfo", 0555, make_descriptor_directory<Kind::kInfo>),
};

}  // namespace

std::span<const TaskRow> task_descriptor_rows() { return kRows; }

}  // namespace sandbox::vfs
