// FilesystemSetup: builds the tree that the workload sees from a SandboxConfig.
#pragma once

#include <memory>
#include <string>

#include "platform/host_view.h"
#include "sandbox/host_mounter.h"
#include "sandbox/kernel_view.h"
#include "sandbox/resource_view.h"
#include "sentry/cgroup/host_cgroups.h"
#include "sentry/failure.h"
#include "sentry/kernel_view.h"
#include "sentry/oci/container_config.h"
#include "sentry/oci/prepared_trees.h"
#include "sentry/oci/terminal.h"
#include "sentry/setup_ids.h"
#include "vfs/core/vfs.h"
#include "vfs/hostfs/host_calls.h"

namespace sandbox {

// Keeps what file systems use as long as the Vfs lives: it must outlive it.
class FilesystemSetup {
 public:
  FilesystemSetup(const SandboxConfig& config, const WorkloadIds& ids, SentryKernelView& kernel_view,
                  ResourceView& resources, const cgroup::CgroupSources& cgroups);
  ~FilesystemSetup();

  // A container's terminal, which its devpts then shows; before build(). It is only looked at here.
  void set_terminal(const oci::ContainerTerminal& terminal) { terminal_ = &terminal; }
  // The nodes of a container's devices (oci::make_device_nodes); before build().
  void set_device_nodes(UniqueFd nodes) { device_nodes_ = std::move(nodes); }
  // Binds with ids of their own (oci::make_prepared_trees); before build().
  void set_prepared_trees(oci::PreparedTrees trees) { prepared_trees_ = std::move(trees); }
  // A procfs of the PID namespace that a container shares, for the host's programs; before build().
  void set_shared_procfs(UniqueFd procfs) { shared_procfs_ = std::move(procfs); }
  // The container's devpts instance: the one of its terminal, or else a new one, always the same.
  Configured<UniqueFd> devpts_of_terminal();
  // Once, in the sentry's namespaces.
  Configured<std::unique_ptr<vfs::Vfs>> build();
  cgroup::HostCgroups& cgroups() { return cgroups_; }
  // A container's root and mounts as far as they are mounts of the host's as well; after build(). Nothing:
  // the root is none, as its changes are kept elsewhere.
  std::optional<platform::HostView> take_host_view();

 private:
  using FilesystemPtr = std::shared_ptr<vfs::Filesystem>;
  struct Masks {
    FilesystemPtr directory, file;
  };

  Configured<void> mount_root();
  Configured<void> mount_kernel_filesystems();
  Configured<void> mount_cgroups();
  Configured<void> mount_devices();
  Configured<void> mount_configured();
  Configured<Masks> new_masks();
  Configured<void> mask_paths();

  // A container's, in setup_container_mounts.cpp.
  Configured<void> mount_container(const oci::ContainerConfig& container);
  Configured<void> mount_entry(const oci::ContainerConfig& container, const oci::MountEntry& entry);
  Configured<void> mount_container_bind(const oci::MountEntry& entry);
  Configured<FilesystemPtr> container_tmpfs(const oci::MountEntry& entry);
  Configured<FilesystemPtr> container_devices(const oci::ContainerConfig& container);
  Configured<void> mount_container_device(const oci::ContainerConfig& container, size_t index);
  Configured<FilesystemPtr> container_terminals();
  Configured<void> propagate(const std::string& path, unsigned long propagation);
  Configured<void> mount_container_cgroups(const oci::MountEntry& entry);
  void show_to_host(const oci::MountEntry& entry, const UniqueFd& tree);

  Configured<void> mount_on(const std::string& path, FilesystemPtr filesystem, vfs::MountFlags flags,
                            const std::string& doing, const std::string& source,
                            const std::string& shown_root = "");

  // How owners of the host's objects are shown: by the maps, and where the sentry keeps ids by records that
  // `attribute` holds.
  vfs::OwnerMaps owners(const char* attribute) const;
  uint64_t largest_tmpfs() const;  // bytes; 0: half of the host's memory
  Result<FilesystemPtr> new_tmpfs(TmpfsOptions options);
  Configured<FilesystemPtr> clone(const std::string& doing, const std::string& path, MountAccess access,
                                  vfs::CachePolicy policy = vfs::CachePolicy::kRevalidate);
  Configured<FilesystemPtr> layered_root();
  Configured<UniqueFd> upper_layer();
  FilesystemPtr new_procfs();
  FilesystemPtr new_sysfs();
  bool shares_network() const;
  Result<FilesystemPtr> new_cgroupfs(CgroupHierarchy::Version version, const std::string& data);
  void set_factories();

  const SandboxConfig& config_;
  const WorkloadIds& ids_;
  SentryKernelView& kernel_view_;
  ResourceView& resources_;
  const std::shared_ptr<vfs::PassingOwners> passing_owners_ = std::make_shared<vfs::PassingOwners>();
  std::unique_ptr<HostMounter> mounter_;
  UniqueFd mask_base_;  // to close it is to unmount it, which waits for every CPU: at the end
  cgroup::HostCgroups cgroups_;
  const oci::ContainerTerminal* terminal_ = nullptr;  // null: none
  UniqueFd device_nodes_;                             // not open: the host's own are used
  oci::PreparedTrees prepared_trees_;
  UniqueFd devpts_;               // a container's, once it has one
  UniqueFd shared_procfs_;        // not open: the PID namespace is its own
  platform::HostView host_view_;  // a container's; without a root: nothing is shown
  std::unique_ptr<vfs::Vfs> vfs_;
  vfs::Vfs* vfs_shared_ = nullptr;  // the same, also after build() has given it away
};

}  // namespace sandbox
