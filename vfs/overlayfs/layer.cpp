// Reading and writing the marks of layers.
#include "vfs/overlayfs/layer.h"

#include <sys/stat.h>

namespace sandbox::vfs {
namespace {

constexpr std::string_view kMarkerPrefix = ".wh.";
// trusted.* needs a capability of the initial user namespace; who lacks it reads ENODATA.
constexpr const char* kOpaqueAttributes[] = {"user.overlay.opaque", "trusted.overlay.opaque"};
constexpr const char* kWhiteoutAttributes[] = {"user.overlay.whiteout", "trusted.overlay.whiteout"};

Result<void> read_oci_markers(int directory, LayerMarks& marks) {
  return host_list(directory, [&](std::string_view name, uint64_t, uint8_t) {
    if (name == kOpaqueMarker) {
      marks.is_opaque = true;
    } else if (name.starts_with(kMarkerPrefix)) {
      marks.whiteouts.emplace(name.substr(kMarkerPrefix.size()));
    }
    return true;
  });
}

}  // namespace

bool LayerDirectory::hides_below(std::string_view name) const {
  return marks != nullptr && !marks->whiteouts.empty() && marks->whiteouts.contains(std::string(name));
}

bool LayerDirectory::is_hidden_name(std::string_view name) const {
  if (format == LayerFormat::kKernelAndMarker) return name == kOpaqueMarker;
  return format == LayerFormat::kKernelAndOci && name.starts_with(kMarkerPrefix);
}

bool LayerDirectory::is_whiteout(HostName name, const Attributes& entry) const {
  if (is_whiteout_device(entry)) return true;
  if (marks == nullptr || !marks->has_xattr_whiteouts || !S_ISREG(entry.stx_mode) || entry.stx_size != 0)
    return false;
  for (const char* attribute : kWhiteoutAttributes) {
    if (host_getxattr(name, attribute)) return true;
  }
  return false;
}

bool is_whiteout_device(const Attributes& attributes) {
  return S_ISCHR(attributes.stx_mode) && attributes.stx_rdev_major == 0 && attributes.stx_rdev_minor == 0;
}

Result<std::shared_ptr<const LayerMarks>> read_marks(int directory, LayerFormat format) {
  LayerMarks marks;
  if (format == LayerFormat::kKernelAndMarker) {
    marks.is_opaque = host_attributes({directory, kOpaqueMarker.data()}).has_value();
  } else {
    for (const char* attribute : kOpaqueAttributes) {
      auto value = host_getxattr({directory, ""}, attribute);
      if (value && *value == "y") marks.is_opaque = true;
      if (value && *value == "x") marks.has_xattr_whiteouts = true;
    }
  }
  if (format == LayerFormat::kKernelAndOci) TRY(read_oci_markers(directory, marks));
  if (marks.is_empty()) return std::shared_ptr<const LayerMarks>();
  return std::make_shared<const LayerMarks>(std::move(marks));
}

Result<void> make_opaque(HostName directory, LayerFormat format) {
  if (format != LayerFormat::kKernelAndMarker) {
    // With the capability, a kernel that mounts this layer without userxattr sees it, too.
    (void)host_setxattr(directory, kOpaqueAttributes[1], "y", 0);
    return host_setxattr(directory, kOpaqueAttributes[0], "y", 0);
  }
  UniqueFd opened = TRY(host_open(directory, O_PATH));
  NewNode marker{.mode = S_IFREG | 0600, .uid = geteuid(), .gid = getegid()};
  auto made = host_make({opened.get(), kOpaqueMarker.data()}, marker);
  if (!made && made.error() != Errno(EEXIST)) return std::unexpected(made.error());
  return {};
}

bool is_layer_xattr(std::string_view attribute) {
  return attribute.starts_with("user.overlay.") || attribute.starts_with("trusted.overlay.") ||
         attribute == "user.sandbox.foreign_owner";
}

}  // namespace sandbox::vfs
