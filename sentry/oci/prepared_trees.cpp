// Copies of host trees with maps of their own, and their own way to note accesses.
#include "sentry/oci/prepared_trees.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "platform/mount_calls.h"

namespace sandbox::oci {

namespace {

using platform::MappedMounts;

// The kernel lets only ids that a mount shows make, link or rename anything there, and the sentry has one
// only.
IdMap with_own_id(const IdMap& shown, uint32_t own_id) {
  if (shown.has_outside(own_id)) return shown;
  uint32_t free_id = UINT32_MAX - 2;
  while (shown.to_outside(free_id)) --free_id;
  std::vector<IdMap::Range> ranges = shown.ranges();
  ranges.push_back({free_id, own_id, 1});
  return IdMap(std::move(ranges));
}

std::string advice_for(Errno error) {
  if (error == Errno(ENOSYS)) return "Linux 5.12 or later; or leave uidMappings and gidMappings out";
  if (error == Errno(EINVAL))
    return "a file system that can map ids (ext4, xfs, btrfs, tmpfs ...), or leave uidMappings and "
           "gidMappings out";
  return "run the engine as root of the host: only who mounted the file system may map its ids";
}

Result<UniqueFd> copy_source(HostMounter& mounter, const MountEntry& entry) {
  const MountAccess access = entry.flags.is_read_only ? MountAccess::kReadOnly : MountAccess::kReadWrite;
  return mounter.clone_tree(AT_FDCWD, entry.source, access, MountDevices::kHidden);
}

Result<UniqueFd> make_mapped_tree(HostMounter& mounter, const MountEntry& entry) {
  UniqueFd tree = TRY(copy_source(mounter, entry));
  const UniqueFd maps = TRY(platform::make_user_namespace(with_own_id(entry.ids->users, ::geteuid()),
                                                          with_own_id(entry.ids->groups, ::getegid())));
  TRY(platform::map_ids_of_tree(tree, maps, entry.ids->mounts));
  if (access_times_of(entry.flags) != 0) TRY(platform::set_access_times(tree, access_times_of(entry.flags)));
  return tree;
}

bool has_access_times(const MountEntry& entry) {
  struct stat status{};
  return entry.kind == MountEntry::Kind::kBind && access_times_of(entry.flags) != 0 &&
         ::stat(entry.source.c_str(), &status) == 0 && (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode));
}

Result<UniqueFd> make_timed_tree(HostMounter& mounter, const MountEntry& entry) {
  UniqueFd tree = TRY(copy_source(mounter, entry));
  TRY(platform::set_access_times(tree, access_times_of(entry.flags)));
  return tree;
}

}  // namespace

uint64_t access_times_of(const vfs::MountFlags& flags) {
  using AccessTimes = vfs::MountFlags::AccessTimes;
  uint64_t attributes = flags.is_nodiratime ? MOUNT_ATTR_NODIRATIME : 0;
  if (flags.access_times == AccessTimes::kNever) attributes |= MOUNT_ATTR_NOATIME;
  if (flags.access_times == AccessTimes::kStrict) attributes |= MOUNT_ATTR_STRICTATIME;
  return attributes;
}

Configured<PreparedTrees> make_prepared_trees(HostMounter& mounter, const ContainerConfig& container) {
  PreparedTrees trees;
  for (const MountEntry& entry : container.mounts) {
    if (!entry.ids) {
      auto timed = has_access_times(entry) ? make_timed_tree(mounter, entry) : Result<UniqueFd>(UniqueFd());
      // Who is not the host's root may not change them.
      if (timed && *timed) trees.emplace(&entry, *std::move(timed));
      continue;
    }
    auto tree = make_mapped_tree(mounter, entry);
    if (!tree)
      return failure(fmt::format("map the ids of {} on {}", entry.source, entry.destination), tree.error(),
                     advice_for(tree.error()));
    trees.emplace(&entry, *std::move(tree));
  }
  return trees;
}

IdMap owners_of_mapped_tree(const IdMap& workload, const IdMap& shown) {
  std::vector<IdMap::Range> visible;
  for (const IdMap::Range& range : shown.ranges())
    visible.push_back({range.outside, range.outside, range.count});
  return workload.within(IdMap(std::move(visible)));
}

}  // namespace sandbox::oci
