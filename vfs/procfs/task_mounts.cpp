// The mounts a task sees: mountinfo, mounts, mountstats (fs/proc_namespace.c).
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

std::string escaped(std::string_view text) { return escape_octal(text, kMountEscapes); }

std::string flag_words(const MountFlags& flags) {
  std::string words = flags.is_read_only ? "ro" : "rw";
  if (flags.is_nosuid) words += ",nosuid";
  if (flags.is_nodev) words += ",nodev";
  if (flags.is_noexec) words += ",noexec";
  if (flags.access_times == MountFlags::AccessTimes::kNever) words += ",noatime";
  if (flags.is_nodiratime) words += ",nodiratime";
  if (flags.access_times == MountFlags::AccessTimes::kRelative) words += ",relatime";
  return words;
}

Result<std::vector<Vfs::MountLine>> mounts_of(const TaskContext& context) {
  const ProcfsOptions& options = context.procfs.options_of_mount();
  TaskPlaces places = TRY(options.places(context.task));
  return options.mounts(places.root);
}

Result<std::string> generate_mountinfo(const TaskContext& context) {
  std::string shown;
  for (const Vfs::MountLine& mount : TRY(mounts_of(context))) {
    fmt::format_to(std::back_inserter(shown), "{} {} {}:{} {} {} {} {}- {} {} {}\n", mount.id,
                   mount.parent_id, major(mount.device), minor(mount.device), escaped(mount.root),
                   escaped(mount.mountpoint), flag_words(mount.flags), mount.propagation, escaped(mount.type),
                   escaped(mount.source), mount.options);
  }
  return shown;
}

// One list of options: the file system's own words follow the mount's.
std::string merged_options(const Vfs::MountLine& mount) {
  std::string_view own = mount.options;
  bool is_read_only = mount.flags.is_read_only || own == "ro" || own.starts_with("ro,");
  if (own.starts_with("rw") || own.starts_with("ro")) own.remove_prefix(2);
  MountFlags flags = mount.flags;
  flags.is_read_only = is_read_only;
  return flag_words(flags) + std::string(own);
}

Result<std::string> generate_mounts(const TaskContext& context) {
  std::string shown;
  for (const Vfs::MountLine& mount : TRY(mounts_of(context))) {
    fmt::format_to(std::back_inserter(shown), "{} {} {} {} 0 0\n", escaped(mount.source),
                   escaped(mount.mountpoint), escaped(mount.type), merged_options(mount));
  }
  return shown;
}

Result<std::string> generate_mountstats(const TaskContext& context) {
  std::string shown;
  for (const Vfs::MountLine& mount : TRY(mounts_of(context))) {
    fmt::format_to(std::back_inserter(shown), "device {} mounted on {} with fstype {}\n",
                   escaped(mount.source), escaped(mount.mountpoint), escaped(mount.type));
  }
  return shown;
}

constexpr TaskRow kRows[] = {
    task_file("mountinfo", 0444, Access::kAnyone, generate_mountinfo),
    task_file("mounts", 0444, Access::kAnyone, generate_mounts),
    where(TaskRow::Where::kProcess, task_file("mountstats", 0400, Access::kAnyone, generate_mountstats)),
};

}  // namespace

std::span<const TaskRow> task_mount_rows() { return kRows; }

}  // namespace sandbox::vfs
