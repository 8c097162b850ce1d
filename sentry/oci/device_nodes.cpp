// Making and opening device nodes.
#include "sentry/oci/device_nodes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace sandbox::oci {

namespace {

constexpr std::string_view kDevices = "/dev/";

std::unexpected<RunFailure> no_device(const DeviceNode& device, std::string reason, std::string advice) {
  return failure(fmt::format("make the device {}", device.path), std::move(reason), std::move(advice));
}

uint32_t to_outside(const std::optional<IdMap>& map, uint32_t id) {
  return map ? map->to_outside(id).value_or(UINT32_MAX) : id;
}

// Errors: EPERM (not the host's root), EINVAL (an owner without a place in the id maps).
Result<void> make_node(int directory, size_t index, const DeviceNode& device,
                       const ContainerConfig& container) {
  const std::string name = std::to_string(index);
  const dev_t number = device.type == S_IFIFO ? 0 : makedev(device.major, device.minor);
  TRY(host_status(::mknodat(directory, name.c_str(), device.type | 0600, number)));
  const uid_t uid = to_outside(container.uid_map, device.uid.value_or(0));
  const gid_t gid = to_outside(container.gid_map, device.gid.value_or(0));
  if (uid == UINT32_MAX || gid == UINT32_MAX) return err(EINVAL);
  TRY(host_status(::fchownat(directory, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW)));
  TRY(host_status(::fchmodat(directory, name.c_str(), device.permissions.value_or(0666), 0)));
  return {};
}

bool matches(const struct stat& found, const DeviceNode& wanted) {
  return (found.st_mode & S_IFMT) == wanted.type && found.st_rdev == makedev(wanted.major, wanted.minor) &&
         (found.st_mode & 0777) == wanted.permissions.value_or(found.st_mode & 0777) &&
         found.st_uid == wanted.uid.value_or(found.st_uid) &&
         found.st_gid == wanted.gid.value_or(found.st_gid);
}

}  // namespace

Configured<UniqueFd> make_device_nodes(HostMounter& mounter, const ContainerConfig& container) {
  if (container.devices.empty()) return UniqueFd();
  auto directory = mounter.new_tmpfs({.mode = 0755, .devices = MountDevices::kVisible});
  if (!directory) return UniqueFd();
  for (size_t index = 0; index < container.devices.size(); ++index) {
    const DeviceNode& device = container.devices[index];
    auto made = make_node(directory->get(), index, device, container);
    if (made) continue;
    if (made.error() == Errno(EPERM)) return UniqueFd();
    return no_device(device, reason_in_words(made.error()), "linux.devices of config.json");
  }
  return *std::move(directory);
}

Configured<UniqueFd> open_device_node(const UniqueFd& nodes, size_t index, const UniqueFd& host_devices,
                                      const DeviceNode& device) {
  constexpr int kFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  if (nodes) {
    UniqueFd node(::openat(nodes.get(), std::to_string(index).c_str(), kFlags));
    if (!node) return no_device(device, reason_in_words(Errno::last()), "create the container anew");
    return node;
  }
  struct stat status{};
  UniqueFd node;
  if (device.path.starts_with(kDevices))
    node.reset(::openat(host_devices.get(), device.path.substr(kDevices.size()).c_str(), kFlags));
  if (!node || ::fstat(node.get(), &status) < 0 || !matches(status, device))
    return no_device(device, "the host has none such there, and only its root can make one",
                     "a device of the host under the same path, as it is there");
  return node;
}

}  // namespace sandbox::oci
