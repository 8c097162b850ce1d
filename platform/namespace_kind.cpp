// The table of namespace kinds.
#include "platform/namespace_kind.h"

#include <sched.h>

#include <iterator>

#include "sandbox/check.h"

namespace sandbox::platform {

namespace {

struct Row {
  NamespaceKind kind;
  const char* name;
  int flag;
};

constexpr Row kRows[] = {
    {NamespaceKind::kUser, "user", CLONE_NEWUSER},  {NamespaceKind::kPid, "PID", CLONE_NEWPID},
    {NamespaceKind::kMount, "mount", CLONE_NEWNS},  {NamespaceKind::kIpc, "IPC", CLONE_NEWIPC},
    {NamespaceKind::kUts, "UTS", CLONE_NEWUTS},     {NamespaceKind::kCgroup, "cgroup", CLONE_NEWCGROUP},
    {NamespaceKind::kNet, "network", CLONE_NEWNET},
};

const Row& row_of(NamespaceKind kind) {
  const auto index = static_cast<size_t>(kind);
  SANDBOX_CHECK(index < std::size(kRows) && kRows[index].kind == kind, "a kind of namespace has no row");
  return kRows[index];
}

}  // namespace

const char* name_of(NamespaceKind kind) { return row_of(kind).name; }
int clone_flag(NamespaceKind kind) { return row_of(kind).flag; }

}  // namespace sandbox::platform
