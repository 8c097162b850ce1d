// NamespaceKind: the kinds of namespaces(7), in words and as Linux's flags, and entering some.
#pragma once

#include <sys/types.h>

#include <span>

#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// What a workload has of its own. Of those that are asked for, kUts and kCgroup may be missing: that only
// shows a name of the host's. Without any other a launch fails, because calls pass on account of it.
enum class NamespaceKind { kUser, kPid, kMount, kIpc, kUts, kCgroup, kNet, kTime };

// "network".
const char* name_of(NamespaceKind kind);
// "net", in /proc/PID/ns.
const char* file_of(NamespaceKind kind);
// CLONE_NEWNET, for clone, unshare and setns.
int clone_flag(NamespaceKind kind);

// Whether the caller is in that process's namespace already. To enter it again Linux asks for rights in its
// owner, which an ordinary user may lack.
bool shares_namespace(pid_t process, NamespaceKind kind);

struct OpenNamespace {
  NamespaceKind kind;
  UniqueFd fd;
};

// Enters them all. Those of the host are entered with the caller's rights, before the user namespace among
// them; those that refuse this belong to the user namespace and are entered after it, with the rights that it
// gives. Allocates nothing. Errors: those of setns(2); `refused` is the kind then.
Result<void> enter_namespaces(std::span<const OpenNamespace> namespaces, NamespaceKind& refused);

}  // namespace sandbox::platform
