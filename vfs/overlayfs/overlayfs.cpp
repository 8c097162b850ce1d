// Putting the layers together: the upper's two directories, the formats, and the root.
#include "vfs/overlayfs/overlayfs.h"

#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>

#include "vfs/overlayfs/overlay_inode.h"

namespace sandbox::vfs {
namespace {

struct Upper {
  std::shared_ptr<WorkDirectory> work;
  LayerDirectory root;
  UniqueFd lock;
};

// Whether directories can carry the kernel's own opaque mark (tmpfs: since Linux 6.6).
bool has_user_xattrs(int directory) {
  const std::string probe = "user.overlay.opaque";
  if (!host_setxattr({directory, ""}, probe, "n", 0)) return false;
  (void)host_removexattr({directory, ""}, probe);
  return true;
}

Result<UniqueFd> open_or_make(int base, const char* name, mode_t mode, bool* is_new) {
  *is_new = mkdirat(base, name, mode) == 0;
  if (!*is_new && errno != EEXIST) return last_error();
  return host_open({base, name}, O_PATH | O_DIRECTORY);
}

Result<Upper> open_upper(const UniqueFd& base, const std::vector<UniqueFd>& lowers,
                         const CopiedRecords& records) {
  bool is_new_work, is_new_root;
  UniqueFd work = TRY(open_or_make(base.get(), "work", 0700, &is_new_work));
  UniqueFd lock = TRY(host_open({work.get(), "."}, O_RDONLY | O_DIRECTORY));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return err(EBUSY);
  UniqueFd root = TRY(open_or_make(base.get(), "upper", 0755, &is_new_root));
  HostName upper{root.get(), ""};
  if (is_new_root && !lowers.empty()) {
    HostName lower{lowers.front().get(), ""};
    TRY(copy_attributes(lower, TRY(host_attributes(lower)), upper, records));
  }
  LayerFormat format = has_user_xattrs(work.get()) ? LayerFormat::kKernel : LayerFormat::kKernelAndMarker;
  auto work_directory = std::make_shared<WorkDirectory>(std::move(work));
  TRY(work_directory->clear());
  HostDirectoryPtr handle = TRY(HostDirectory::create_root(std::move(root)));
  return Upper{std::move(work_directory), {std::move(handle), format, nullptr}, std::move(lock)};
}

}  // namespace

Result<std::shared_ptr<Filesystem>> create_overlayfs(OverlayOptions options) {
  Upper upper;
  std::vector<LayerDirectory> layers;
  if (options.upper) {
    upper = TRY(open_upper(options.upper, options.lowers, {options.lower_record, options.owners.record}));
    layers.push_back(upper.root);
  }
  // A single lower has nothing below it that an OCI marker could hide: unless it is an image's, ".wh.x" is a
  // file of that name there.
  const bool has_markers = options.lowers.size() > 1 || options.lower_markers == LowerMarkers::kAlways;
  LayerFormat format = has_markers ? LayerFormat::kKernelAndOci : LayerFormat::kKernel;
  for (UniqueFd& lower : options.lowers) {
    HostDirectoryPtr handle = TRY(HostDirectory::create_root(std::move(lower)));
    if (handle->identity().type != S_IFDIR) return err(ENOTDIR);
    bool is_last = &lower == &options.lowers.back();
    std::shared_ptr<const LayerMarks> marks;
    if (!is_last) marks = TRY(read_marks(TRY(handle->pin()).get(), format));
    layers.push_back({std::move(handle), format, marks});
    if (marks != nullptr && marks->is_opaque) break;
  }
  if (layers.empty()) return err(EINVAL);
  return std::make_shared<OverlayFs>(std::move(options), std::move(layers), std::move(upper.work),
                                     std::move(upper.lock));
}

OverlayFs::OverlayFs(OverlayOptions options, std::vector<LayerDirectory> layers,
                     std::shared_ptr<WorkDirectory> work, UniqueFd upper_lock)
    : Filesystem("overlay", options.policy),
      layers_(std::move(layers)),
      work_(std::move(work)),
      upper_base_(std::move(options.upper)),
      upper_lock_(std::move(upper_lock)),
      source_(std::move(options.source)),
      owners_(std::move(options.owners)),
      lower_owners_{owners_.users, owners_.groups, options.lower_record, owners_.passing},
      lower_sockets_(options.lower_sockets),
      device_(layers_.back().handle->identity().device) {}

InodePtr OverlayFs::root() {
  std::lock_guard guard(root_lock_);
  OverlayDirectoryPtr root = root_.lock();
  if (root == nullptr) {
    root = std::make_shared<OverlayDirectory>(*this, nullptr, "", layers_, has_upper(), device_);
    if (has_upper() && layers_.size() > 1) {
      auto top = layers_[0].handle->pin();
      root->has_foreign_owner_ = top && host_getxattr({top->get(), ""}, kForeignOwnerXattr).has_value();
    }
    root_ = root;
  }
  return root;
}

Result<struct statfs> OverlayFs::statfs() {
  HostDirectory::Pin top = TRY(layers_.front().handle->pin());
  struct statfs result;
  TRY(host_status(fstatfs(top.get(), &result)));
  result.f_type = OVERLAYFS_SUPER_MAGIC;
  return result;
}

bool OverlayFs::is_in_memory() {
  auto top = layers_.front().handle->pin();
  struct statfs status;
  return top && fstatfs(top->get(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

std::optional<std::string> OverlayFs::path_of_descriptor(int fd) {
  for (const LayerDirectory& layer : layers_) {
    auto root = layer.handle->pin();
    auto path = root ? host_path_below(root->get(), fd) : std::nullopt;
    if (path) return path;
  }
  return std::nullopt;
}

}  // namespace sandbox::vfs
