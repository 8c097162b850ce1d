// A user namespace from a process that ends, and mount_setattr.
#include "platform/mapped_ids.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "platform/id_map_files.h"

namespace sandbox::platform {

namespace {

Result<UniqueFd> map_namespace_of(pid_t process, const IdMap& users, const IdMap& groups) {
  for (IdKind kind : {IdKind::kUser, IdKind::kGroup}) {
    const IdMap own = TRY(read_own_id_map(kind));
    TRY(write_id_map(process, kind, id_map_lines(kind == IdKind::kUser ? users : groups, own)));
  }
  const std::string path = fmt::format("/proc/{}/ns/user", process);
  return UniqueFd(TRY(host_result(open(path.c_str(), O_RDONLY | O_CLOEXEC))));
}

}  // namespace

Result<UniqueFd> make_user_namespace(const IdMap& users, const IdMap& groups) {
  const long process = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (process < 0) return last_error();
  if (process == 0)
    for (;;) pause();
  auto made = map_namespace_of(static_cast<pid_t>(process), users, groups);
  kill(static_cast<pid_t>(process), SIGKILL);
  while (waitpid(static_cast<pid_t>(process), nullptr, 0) < 0 && errno == EINTR) {
  }
  return made;
}

Result<void> map_ids_of_tree(const UniqueFd& tree, const UniqueFd& user_namespace, MappedMounts mounts) {
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_IDMAP;
  change.userns_fd = static_cast<uint64_t>(user_namespace.get());
  const unsigned flags = AT_EMPTY_PATH | (mounts == MappedMounts::kWholeTree ? AT_RECURSIVE : 0);
  return host_status(syscall(SYS_mount_setattr, tree.get(), "", flags, &change, sizeof change));
}

}  // namespace sandbox::platform
