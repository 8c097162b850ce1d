// Asking the sandbox's Vfs with every right, and its configuration for the reasons.
#include "sentry/sandbox_surroundings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "platform/seccomp_profile.h"
#include "sandbox/syscall_table.h"
#include "sentry/task_status.h"
#include "vfs/synthetic/host_file.h"

namespace sandbox {

namespace {

const Credentials kEveryRight{.effective_caps = ~uint64_t{0}};

vfs::WalkOptions last_link_options(trace::Surroundings::LastLink last_link) {
  vfs::WalkOptions options;
  if (last_link == trace::Surroundings::LastLink::kKeep) options.follow = vfs::FollowLast::kNo;
  return options;
}

}  // namespace

vfs::Caller SandboxSurroundings::everybody() const {
  return {.root = sentry_.vfs().root(), .cwd = sentry_.vfs().root(), .credentials = kEveryRight};
}

Result<struct stat> SandboxSurroundings::status_of(const std::string& path, LastLink last_link) {
  const vfs::Caller caller = everybody();
  const vfs::Attributes attributes =
      TRY(sentry_.vfs().stat(caller, caller.root, path, last_link_options(last_link)));
  struct stat status{};
  status.st_mode = attributes.stx_mode;
  status.st_uid = attributes.stx_uid;
  status.st_gid = attributes.stx_gid;
  status.st_size = static_cast<off_t>(attributes.stx_size);
  status.st_ino = attributes.stx_ino;
  status.st_dev = makedev(attributes.stx_dev_major, attributes.stx_dev_minor);
  return status;
}

Result<std::string> SandboxSurroundings::link_target(const std::string& path) {
  const vfs::Caller caller = everybody();
  return sentry_.vfs().readlink(caller, caller.root, path, last_link_options(LastLink::kKeep));
}

Result<std::string> SandboxSurroundings::head_of(const std::string& path, size_t bytes) {
  const struct stat status = TRY(status_of(path, LastLink::kFollow));
  if (!S_ISREG(status.st_mode)) return err(EINVAL);
  const vfs::Caller caller = everybody();
  vfs::OpenedFile file = TRY(sentry_.vfs().open(caller, caller.root, path, {.flags = O_RDONLY}));
  std::string head(bytes, '\0');
  const ssize_t count = ::pread(file.fd.get(), head.data(), head.size(), 0);
  if (count < 0) return last_error();
  head.resize(static_cast<size_t>(count));
  return head;
}

Result<struct statfs> SandboxSurroundings::space_at(const std::string& path) {
  const vfs::Caller caller = everybody();
  return sentry_.vfs().statfs(caller, caller.root, path, {});
}

trace::MountFacts SandboxSurroundings::mount_at(const std::string& path) {
  const std::vector<vfs::Vfs::MountLine> mounts = sentry_.vfs().mounts(sentry_.vfs().root());
  const vfs::Vfs::MountLine* found = trace::mount_above(
      mounts, path, [](const vfs::Vfs::MountLine& line) { return std::string_view(line.mountpoint); });
  if (found == nullptr) return {};
  trace::MountFacts facts{.mountpoint = found->mountpoint,
                          .type = found->type,
                          .source = found->source,
                          .is_read_only = found->flags.is_read_only,
                          .is_noexec = found->flags.is_noexec};
  if (std::ranges::count(config_.masked_paths, found->mountpoint) > 0) {
    facts.is_mask = true;
    facts.in_words = "the sandbox hides what the host has here, as a secret";
    facts.advice = fmt::format("--show {}", found->mountpoint);
    return facts;
  }
  for (const BindMount& bind : config_.binds) {
    if (bind.destination != found->mountpoint) continue;
    const bool is_read_only = bind.access == BindMount::Access::kReadOnly;
    facts.in_words = fmt::format("the host's {}, by {}", bind.source, is_read_only ? "--ro-bind" : "--bind");
    if (is_read_only) facts.advice = fmt::format("--bind {}:{}", bind.source, bind.destination);
  }
  if (found->mountpoint != "/") return facts;
  using Overlay = SandboxConfig::Overlay;
  facts.in_words = !config_.layers.empty() ? fmt::format("the image {}", config_.rootfs)
                   : config_.rootfs == "/" ? "the host's files"
                                           : fmt::format("the host's {}", config_.rootfs);
  if (config_.is_root_read_only) {
    facts.in_words += ", writes refused by --read-only";
    facts.advice = "leave --read-only out, or a place to write to with --tmpfs or --bind";
  } else if (config_.overlay == Overlay::kMemory) {
    facts.in_words += ", writes kept in memory";
  } else if (config_.overlay == Overlay::kDirectory) {
    facts.in_words += fmt::format(", writes kept in {}", config_.overlay_directory);
  }
  return facts;
}

std::string SandboxSurroundings::command_of(pid_t host_tid) {
  std::string name = vfs::read_host_file(sentry_.host_proc(), fmt::format("{}/comm", host_tid)).value_or("");
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

std::optional<Credentials> SandboxSurroundings::credentials_of(pid_t host_tid) {
  TaskPtr task = sentry_.tasks().find(host_tid);
  if (auto ids = task ? task->own_ids() : nullptr) return ids->credentials();
  auto status = read_task_status(sentry_.host_proc(), host_tid);
  if (!status) return std::nullopt;
  return credentials_in(*status, sentry_.uid_map(), sentry_.gid_map());
}

std::string SandboxSurroundings::own_refusal(const platform::SyscallEvent& event, Errno error) {
  const SyscallRow* row = find_syscall(event.number);
  const std::string name(row != nullptr ? row->name : "the call");
  using Kind = platform::ProfileAction::Kind;
  if (config_.seccomp != nullptr) {
    const platform::ProfileAction action = config_.seccomp->decide(event);
    if (action.kind == Kind::kErrno && action.error == error.value())
      return fmt::format("the seccomp profile (--seccomp) lets {} fail with {}", name, error.name());
  }
  const Action action = decide_syscall(event.number, event.args);
  if (row == nullptr || action.kind != Action::Kind::kDeny || action.errno_value != error.value()) return "";
  return fmt::format("the sandbox refuses {} with {}: {}", name, error.name(), row->note);
}

std::string SandboxSurroundings::own_kill() {
  const auto kill = registration_ != nullptr ? registration_->memory_kill() : std::nullopt;
  if (!kill) return "";
  constexpr uint64_t kMebibyte = 1 << 20;
  if (!kill->limit_bytes)
    return "the kernel killed it for memory: a limit above the sandbox's own is used up";
  return fmt::format("the kernel killed it for memory: the sandbox's limit of {} MiB (--memory) is reached",
                     *kill->limit_bytes / kMebibyte);
}

std::string SandboxSurroundings::advice_for_missing(const std::string& path) {
  struct stat status;
  const bool is_on_host = config_.rootfs != "/" && ::lstat(path.c_str(), &status) == 0;
  return is_on_host ? fmt::format("the host has it: --ro-bind {}", path) : "";
}

}  // namespace sandbox
