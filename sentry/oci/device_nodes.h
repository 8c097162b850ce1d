// Device nodes that a container's configuration asks for, made while the runtime still has the host's rights.
#pragma once

#include "sandbox/host_mounter.h"
#include "sentry/failure.h"
#include "sentry/oci/container_config.h"

namespace sandbox::oci {

// A tmpfs with the nodes of `container.devices` as "0", "1" and so on, with their modes and owners. Not open
// when there are none, or when the caller may not make nodes (it is not the host's root): the host's own are
// used then. Failures name the device.
Configured<UniqueFd> make_device_nodes(HostMounter& mounter, const ContainerConfig& container);

// The node of a device: its own, or the one that the host has under the same path in `host_devices` (/dev).
// Failures: the host has none with that number, mode and owner.
Configured<UniqueFd> open_device_node(const UniqueFd& nodes, size_t index, const UniqueFd& host_devices,
                                      const DeviceNode& device);

}  // namespace sandbox::oci
