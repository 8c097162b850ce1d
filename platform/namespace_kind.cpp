// The table of namespace kinds, and setns for each.
#include "platform/namespace_kind.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstdint>
#include <iterator>
#include <limits>

#include "sandbox/check.h"

namespace sandbox::platform {

namespace {

struct Row {
  NamespaceKind kind;
  const char* name;
  const char* file;
  int flag;
};

constexpr Row kRows[] = {
    {NamespaceKind::kUser, "user", "user", CLONE_NEWUSER},
    {NamespaceKind::kPid, "PID", "pid", CLONE_NEWPID},
    {NamespaceKind::kMount, "mount", "mnt", CLONE_NEWNS},
    {NamespaceKind::kIpc, "IPC", "ipc", CLONE_NEWIPC},
    {NamespaceKind::kUts, "UTS", "uts", CLONE_NEWUTS},
    {NamespaceKind::kCgroup, "cgroup", "cgroup", CLONE_NEWCGROUP},
    {NamespaceKind::kNet, "network", "net", CLONE_NEWNET},
    {NamespaceKind::kTime, "time", "time", CLONE_NEWTIME},
};

const Row& row_of(NamespaceKind kind) {
  const auto index = static_cast<size_t>(kind);
  SANDBOX_CHECK(index < std::size(kRows) && kRows[index].kind == kind, "a kind of namespace has no row");
  return kRows[index];
}

}  // namespace

const char* name_of(NamespaceKind kind) { return row_of(kind).name; }
const char* file_of(NamespaceKind kind) { return row_of(kind).file; }
int clone_flag(NamespaceKind kind) { return row_of(kind).flag; }

bool shares_namespace(pid_t process, NamespaceKind kind) {
  struct stat own{}, theirs{};
  return stat(fmt::format("/proc/self/ns/{}", file_of(kind)).c_str(), &own) == 0 &&
         stat(fmt::format("/proc/{}/ns/{}", process, file_of(kind)).c_str(), &theirs) == 0 &&
         own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino;
}

Result<void> enter_namespaces(std::span<const OpenNamespace> namespaces, NamespaceKind& refused) {
  uint32_t entered = 0;
  constexpr size_t kMost = std::numeric_limits<uint32_t>::digits;
  SANDBOX_CHECK(namespaces.size() <= kMost, "too many namespaces to enter");
  auto enter = [&](size_t i) {
    refused = namespaces[i].kind;
    if (setns(namespaces[i].fd.get(), clone_flag(refused)) < 0) return false;
    entered |= 1u << i;
    return true;
  };
  for (size_t i = 0; i < namespaces.size(); ++i)
    if (namespaces[i].kind != NamespaceKind::kUser) enter(i);
  for (size_t i = 0; i < namespaces.size(); ++i)
    if (namespaces[i].kind == NamespaceKind::kUser && !enter(i)) return last_error();
  for (size_t i = 0; i < namespaces.size(); ++i)
    if (!(entered & 1u << i) && !enter(i)) return last_error();
  return {};
}

}  // namespace sandbox::platform
