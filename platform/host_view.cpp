// A process of its own enters the workload's namespaces and mounts there what the sentry has prepared.
#include "platform/host_view.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/launch_child.h"
#include "platform/mount_calls.h"
#include "platform/pidfd.h"
#include "sandbox/path_components.h"

namespace sandbox::platform {

namespace {

// A part with everything that needs memory, which the forked process may not allocate.
struct PreparedPart {
  int tree;  // -1: a procfs
  enum class Type { kDirectory, kFile } type;
  struct Step {
    std::string path, name;  // "a/b" and "b", below the root
  };
  std::vector<Step> steps;
};

std::vector<PreparedPart::Step> steps_to(const std::string& place) {
  std::vector<PreparedPart::Step> steps;
  std::string path;
  for (std::string_view name : path_components(place)) {
    if (!path.empty()) path += '/';
    path += name;
    steps.push_back({path, std::string(name)});
  }
  return steps;
}

std::vector<PreparedPart> prepare(const HostView& view) {
  std::vector<PreparedPart> prepared;
  for (const HostView::Part& part : view.parts) {
    struct stat status{};
    const bool is_file = part.tree && fstat(part.tree.get(), &status) == 0 && !S_ISDIR(status.st_mode);
    prepared.push_back({part.tree ? part.tree.get() : -1,
                        is_file ? PreparedPart::Type::kFile : PreparedPart::Type::kDirectory,
                        steps_to(part.place)});
  }
  return prepared;
}

// In the forked process.
class ViewBuilder {
 public:
  ViewBuilder(int process, const HostView& view, const std::vector<PreparedPart>& parts)
      : process_(process), view_(view), parts_(parts) {}

  Result<void> build() {
    TRY(host_status(setns(process_, CLONE_NEWUSER | CLONE_NEWNS)));
    procfs_ = UniqueFd(open(kProcfsPlace, O_PATH | O_DIRECTORY | O_CLOEXEC));
    // What is made belongs to the container's root, where it has one.
    (void)!setresgid(0, 0, 0);
    (void)!setresuid(0, 0, 0);
    umask(0);
    TRY(attach_mount(view_.root, "/"));
    for (const PreparedPart& part : parts_) attach(part);
    if (view_.root_access == MountAccess::kReadOnly) {
      mount_attr change{};
      change.attr_set = MOUNT_ATTR_RDONLY;
      TRY(host_status(
          syscall(SYS_mount_setattr, view_.root.get(), "", AT_EMPTY_PATH, &change, sizeof change)));
    }
    return {};
  }

 private:
  // Links of the container lead no further than its root.
  UniqueFd find(const std::string& path) const {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return UniqueFd(static_cast<int>(syscall(SYS_openat2, view_.root.get(), path.c_str(), &how, sizeof how)));
  }

  UniqueFd place_of(const PreparedPart& part) const {
    UniqueFd at;
    for (const PreparedPart::Step& step : part.steps) {
      UniqueFd next = find(step.path);
      if (!next && errno == ENOENT) {
        const int parent = at ? at.get() : view_.root.get();
        if (&step == &part.steps.back() && part.type == PreparedPart::Type::kFile)
          UniqueFd(
              openat(parent, step.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        else
          (void)!mkdirat(parent, step.name.c_str(), 0755);
        next = find(step.path);
      }
      if (!next) return {};
      at = std::move(next);
    }
    return at;
  }

  void attach(const PreparedPart& part) const {
    const int tree = part.tree >= 0 ? part.tree : procfs_.get();
    if (tree < 0) return;
    UniqueFd place = place_of(part);
    if (!place) return;
    syscall(SYS_move_mount, tree, "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  }

  const int process_;
  const HostView& view_;
  const std::vector<PreparedPart>& parts_;
  UniqueFd procfs_;
};

}  // namespace

Result<void> show_to_host(pid_t process, const HostView& view) {
  UniqueFd pidfd = TRY(open_pidfd(process));
  const std::vector<PreparedPart> parts = prepare(view);
  pid_t helper = fork();
  if (helper < 0) return last_error();
  if (helper == 0) {
    auto built = ViewBuilder(pidfd.get(), view, parts).build();
    _exit(built ? 0 : built.error().value());
  }
  int status = 0;
  while (waitpid(helper, &status, 0) < 0)
    if (errno != EINTR) return last_error();
  if (!WIFEXITED(status)) return err(ECHILD);
  if (WEXITSTATUS(status) != 0) return err(WEXITSTATUS(status));
  return {};
}

}  // namespace sandbox::platform
