// What the host's root does to a container's process from outside, because inside nobody may.
#pragma once

#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

// Runtimes give a process without HOME the one of its user.
void add_home(std::vector<std::string>& environment, const std::string& rootfs, uid_t uid);

// oomScoreAdj, ioPriority and scheduler. Failures name the property.
Configured<void> apply_process_settings(const Process& process, pid_t pid);

// execCPUAffinity; no CPUs: nothing is changed. Failures name the property.
Configured<void> set_cpus(const std::vector<int>& cpus, pid_t pid);

// Writes the sysctls from within the process's namespaces, and lets a container that may bind any port do so
// also where the network namespace is not its own. Failures name the sysctl.
Configured<void> apply_sysctls(const Bundle& bundle, pid_t pid);

// For a process of the host's that acts for the container: its network, IPC and UTS namespaces, as far as
// they are not the caller's. Errors: those of setns(2).
Result<void> enter_namespaces_of(pid_t pid);

}  // namespace sandbox::tools::oci
