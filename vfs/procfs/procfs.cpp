// The root of /proc: one directory a process beside the fixed files.
#include "vfs/procfs/procfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>

#include "sandbox/check.h"
#include "vfs/procfs/context.h"
#include "vfs/procfs/random_uuid.h"
#include "vfs/synthetic/host_file.h"

namespace sandbox::vfs {
namespace {

using Scope = TaskReference::Scope;

// The thread that asks, in the workload's numbers. Errors: ENOENT (as the kernel, from another namespace).
Result<TaskView> reader(KernelView& kernel, const Caller& caller) {
  pid_t tid = kernel.pid_inside(caller.host_tid);
  if (tid == 0) return err(ENOENT);
  auto task = kernel.task(0, tid);
  if (!task) return err(ENOENT);
  return task;
}

class ProcRoot : public FixedDirectory {
 public:
  explicit ProcRoot(Procfs& procfs)
      : FixedDirectory(procfs, SyntheticFilesystem::kRootInode), procfs_(procfs), kernel_(procfs.kernel()) {}

  Result<InodePtr> lookup(std::string_view name) override {
    auto number = parse_decimal_name(name);
    if (!number) return FixedDirectory::lookup(name);
    auto task = kernel_.task(0, *number);
    if (!task) return err(ENOENT);
    // A thread that leads no group has a directory here too, though it is not listed (proc(5)).
    return make_task_directory(procfs_, {task->tgid, *number, Scope::kProcess}, inode_for(name));
  }

  bool is_current(std::string_view name, const InodePtr& child) override {
    return !child || !parse_decimal_name(name) || static_cast<TaskNode&>(*child).is_alive();
  }

  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override {
    std::vector<DirectoryEntry> entries = TRY(FixedDirectory::list(caller));
    for (pid_t pid : kernel_.process_ids()) {
      std::string name = std::to_string(pid);
      uint64_t inode = inode_for(name);
      entries.push_back({std::move(name), inode, directory_entry_type(S_IFDIR)});
    }
    return entries;
  }

 private:
  Procfs& procfs_;
  KernelView& kernel_;
};

void add_root_file(Procfs& procfs, FixedDirectory& root, const RootFile& row) {
  std::string_view path = row.name;
  size_t slash = path.rfind('/');
  FixedDirectory& directory =
      slash == std::string_view::npos ? root : root.directory_at(path.substr(0, slash));
  std::string name(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
  auto generate = [&procfs, &row](const Caller* caller) {
    return row.generate({procfs, procfs.kernel(), procfs.resources(), caller});
  };
  directory.add(
      name, std::make_shared<GeneratedFile>(procfs, directory.inode_for(name), row.permissions, generate));
}

void add_links(Procfs& procfs, FixedDirectory& root) {
  KernelView& kernel = procfs.kernel();
  auto add = [&](const char* name, GeneratedLink::Generator generator) {
    root.add(name, std::make_shared<GeneratedLink>(procfs, root.inode_for(name), std::move(generator)));
  };
  add("self", [&kernel](const Caller& caller) -> Result<std::string> {
    return std::to_string(TRY(reader(kernel, caller)).tgid);
  });
  add("thread-self", [&kernel](const Caller& caller) -> Result<std::string> {
    TaskView task = TRY(reader(kernel, caller));
    return fmt::format("{}/task/{}", task.tgid, task.tid);
  });
  for (auto [name, target] : {std::pair("mounts", "self/mounts"), std::pair("net", "self/net")})
    root.add(name, std::make_shared<GeneratedLink>(procfs, root.inode_for(name), std::string(target)));
}

// Directories that programs look for, with nothing of the workload's in them.
constexpr const char* kEmptyDirectories[] = {"bus", "driver", "fs", "irq", "tty"};

}  // namespace

std::string random_uuid() {
  std::array<uint8_t, 16> bytes{};
  ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
  SANDBOX_CHECK(count == static_cast<ssize_t>(bytes.size()), "getrandom gave too few bytes");
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // RFC 4122, version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    fmt::format_to(std::back_inserter(text), "{:02x}", bytes[i]);
  }
  return text;
}

Procfs::Procfs(ProcfsOptions options)
    : SyntheticFilesystem("proc", CachePolicy::kRevalidate, PROC_SUPER_MAGIC, "proc", "rw"),
      options_(std::move(options)),
      boot_id_(random_uuid()) {}

// The sentry's own process stands for all. "task/NAME" is asked of its main thread.
bool Procfs::is_on_host(std::string_view name) {
  std::lock_guard guard(host_names_lock_);
  if (auto known = host_names_.find(name); known != host_names_.end()) return known->second;
  int host = options_.kernel.host_proc();
  auto self = read_host_link(host, "self");
  if (!self) return false;
  constexpr std::string_view kThread = "task/";
  std::string path = name.starts_with(kThread)
                         ? fmt::format("{0}/task/{0}/{1}", *self, name.substr(kThread.size()))
                         : fmt::format("{}/{}", *self, name);
  struct stat ignored;
  bool is_there = ::fstatat(host, path.c_str(), &ignored, AT_SYMLINK_NOFOLLOW) == 0;
  return host_names_.emplace(name, is_there).first->second;
}

std::optional<std::string> Procfs::path_of_descriptor(int host_fd) {
  auto link_to = [this](int fd) -> Result<std::string> {
    std::string self = TRY(read_host_link(options_.kernel.host_proc(), "self"));
    return read_host_link(options_.kernel.host_proc(), fmt::format("{}/fd/{}", self, fd));
  };
  struct stat file, proc;
  if (::fstat(host_fd, &file) < 0 || ::fstat(options_.kernel.host_proc(), &proc) < 0) return std::nullopt;
  auto native = native_paths_.find({file.st_dev, file.st_ino});
  if (native != native_paths_.end()) return native->second;
  if (file.st_dev != proc.st_dev) return std::nullopt;
  auto path = link_to(host_fd);
  auto top = link_to(options_.kernel.host_proc());
  if (!path || !top || !path->starts_with(*top + "/")) return std::nullopt;
  // "1234/comm" or "1234/task/1235/comm", with the host's numbers.
  std::string_view rest = std::string_view(*path).substr(top->size() + 1);
  std::string shown;
  while (!rest.empty()) {
    std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (auto host_pid = parse_decimal_name(name)) {
      pid_t pid = options_.kernel.pid_inside(*host_pid);
      if (pid == 0) return std::nullopt;
      shown += fmt::format("/{}", pid);
    } else {
      shown.append("/").append(name);
    }
  }
  return shown;
}

std::shared_ptr<Filesystem> create_procfs(ProcfsOptions options) {
  auto procfs = std::make_shared<Procfs>(std::move(options));
  auto root = std::make_shared<ProcRoot>(*procfs);
  for (const RootFile& row : machine_files()) add_root_file(*procfs, *root, row);
  for (const RootFile& row : system_files()) add_root_file(*procfs, *root, row);
  for (const RootFile& row : cgroup_files()) add_root_file(*procfs, *root, row);
  for (const char* name : kEmptyDirectories) root->directory_at(name);
  add_pressure(*procfs, *root);
  add_links(*procfs, *root);
  add_sysctls(*procfs, root->directory_at("sys"));
  procfs->set_root(std::move(root));
  return procfs;
}

}  // namespace sandbox::vfs
