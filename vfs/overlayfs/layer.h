// What one layer says about names: whiteouts and opaque directories in the forms of the kernel and of OCI
// images.
#pragma once

#include <unordered_set>

#include "vfs/hostfs/host_directory.h"

namespace sandbox::vfs {

// How a layer writes "nothing here, whatever is below" (docs: overlayfs.rst; OCI image layer specification).
enum class LayerFormat {
  kKernel,           // character device 0:0; overlay.opaque=y; overlay.opaque=x allows overlay.whiteout files
  kKernelAndOci,     // also ".wh.NAME" and ".wh..wh..opq"
  kKernelAndMarker,  // character device 0:0; ".wh..wh..opq", where extended attributes cannot be had
};

constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";

// Marks of one directory of a layer, read when it first becomes part of a merge with something below it.
struct LayerMarks {
  bool is_opaque = false;
  bool has_xattr_whiteouts = false;
  std::unordered_set<std::string> whiteouts;  // names that ".wh." entries hide below this layer

  bool is_empty() const { return !is_opaque && !has_xattr_whiteouts && whiteouts.empty(); }
};

struct LayerDirectory {
  HostDirectoryPtr handle;
  LayerFormat format = LayerFormat::kKernel;
  std::shared_ptr<const LayerMarks> marks;  // null: nothing is marked, or nothing lies below

  bool hides_below(std::string_view name) const;
  // The layer's own bookkeeping: neither visible nor to be made.
  bool is_hidden_name(std::string_view name) const;
  // Whether `entry`, found under `name` here, is a whiteout.
  bool is_whiteout(HostName name, const Attributes& entry) const;
};

bool is_whiteout_device(const Attributes& attributes);
// Errors: those of the host calls; a layer whose attributes cannot be read has no such marks.
Result<std::shared_ptr<const LayerMarks>> read_marks(int directory, LayerFormat format);
// Makes a directory of the upper opaque. Errors: ENOSPC.
Result<void> make_opaque(HostName directory, LayerFormat format);
// Attributes that belong to the layer format and not to the file.
bool is_layer_xattr(std::string_view attribute);

}  // namespace sandbox::vfs
