// NamespaceKind: the kinds of namespaces(7), in words and as Linux's flags.
#pragma once

namespace sandbox::platform {

// What a workload has of its own. Of those that are asked for, kUts and kCgroup may be missing: that only
// shows a name of the host's. Without any other a launch fails, because calls pass on account of it.
enum class NamespaceKind { kUser, kPid, kMount, kIpc, kUts, kCgroup, kNet };

// "network".
const char* name_of(NamespaceKind kind);
// CLONE_NEWNET, for clone, unshare and setns.
int clone_flag(NamespaceKind kind);

}  // namespace sandbox::platform
