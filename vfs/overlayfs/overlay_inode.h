// The nodes of overlayfs: what is merged out of which layers, and what happens when it is changed.
#pragma once

#include <mutex>
#include <unordered_map>

#include "vfs/core/inode.h"
#include "vfs/overlayfs/copy_up.h"
#include "vfs/overlayfs/large_copy.h"
#include "vfs/overlayfs/layer.h"
#include "vfs/overlayfs/overlayfs.h"

namespace sandbox::vfs {

struct OverlayListing;
class OverlayDirectory;
using OverlayDirectoryPtr = std::shared_ptr<OverlayDirectory>;

class OverlayFs final : public Filesystem {
 public:
  // `layers`: the roots, the upper first when there is a work directory.
  OverlayFs(OverlayOptions options, std::vector<LayerDirectory> layers, std::shared_ptr<WorkDirectory> work,
            UniqueFd upper_lock);

  InodePtr root() override;
  Result<struct statfs> statfs() override;
  bool is_in_memory() override;
  dev_t device() override { return device_; }
  bool shows_devices() const override { return owners_.record != nullptr; }
  std::string source() override { return source_; }
  std::string options() override { return has_upper() ? "rw" : "ro"; }
  std::optional<std::string> path_of_descriptor(int fd) override;

  bool has_upper() const { return work_ != nullptr; }
  WorkDirectory& work() const { return *work_; }
  // For work that goes on without the tree lock, and so perhaps longer than the file system is mounted.
  const std::shared_ptr<WorkDirectory>& shared_work() const { return work_; }
  LayerFormat upper_format() const { return layers_.front().format; }
  const OwnerMaps& owners() const { return owners_; }
  const OwnerMaps& lower_owners() const { return lower_owners_; }
  CopiedRecords copied_records() const { return {lower_owners_.record, owners_.record}; }
  bool keeps_records() const { return owners_.record != nullptr || lower_owners_.record != nullptr; }
  LowerSockets lower_sockets() const { return lower_sockets_; }
  HostChanges lower_changes() const {
    return cache_policy() == CachePolicy::kTrust ? HostChanges::kOnlyOurs : HostChanges::kByOthers;
  }
  // The number under which a directory of the upper alone is shown: one that was merged before it was moved
  // keeps its old one. Tree lock; exclusive for keep and forget.
  uint64_t shown_inode(uint64_t upper_inode) const;
  void keep_inode(uint64_t upper_inode, uint64_t shown) { kept_inodes_[upper_inode] = shown; }
  void forget_inode(uint64_t upper_inode) { kept_inodes_.erase(upper_inode); }
  // Guards FIFOs that stand for those of lower layers.
  std::mutex& fifo_lock() { return fifo_lock_; }

 private:
  const std::vector<LayerDirectory> layers_;
  const std::shared_ptr<WorkDirectory> work_;
  // Kept for the end of the run: to close a detached mount's own descriptor is to unmount it, and that waits
  // until every CPU has taken notice.
  const UniqueFd upper_base_;
  const UniqueFd upper_lock_;
  const std::string source_;
  const OwnerMaps owners_, lower_owners_;
  const LowerSockets lower_sockets_;
  const dev_t device_;
  std::unordered_map<uint64_t, uint64_t> kept_inodes_;
  std::mutex fifo_lock_;
  std::mutex root_lock_;
  std::weak_ptr<OverlayDirectory> root_;
};

class OverlayInode : public Inode {
 public:
  Result<void> setattr(const AttributeChange& change) override;
  Result<std::string> getxattr(const std::string& name) override;
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override;
  Result<std::vector<std::string>> listxattr() override;
  Result<void> removexattr(const std::string& name) override;

 protected:
  OverlayInode(OverlayFs& filesystem, mode_t type) : Inode(filesystem, type) {}
  OverlayFs& overlay() const { return static_cast<OverlayFs&>(filesystem()); }

  // The topmost object. Errors: those of HostDirectory::pin.
  virtual Result<PinnedName> place() = 0;
  // Its attributes as the host has them. Errors: those of place, ENOENT.
  Result<Attributes> top_attributes();
  // Copies up what is only below, parents first; tree lock exclusive.
  // Errors: EROFS, ENOENT (removed), kPrepareFirst, those of copy_up.
  virtual Result<void> make_upper(CopiedData data) = 0;
  // Whether the topmost object is in the upper.
  virtual bool is_in_upper() const = 0;
  // What the workload sees of attributes that the host has.
  Result<Attributes> shown(Attributes attributes);
  bool is_hidden_xattr(const std::string& name) const;
  // Called after the owner was changed in the upper.
  virtual void owner_changed() {}
};

// Directories. The parts are the upper's directory, when there is one, and those of the lowers from the
// top down to where a whiteout, a file or an opaque directory ends the merge.
class OverlayDirectory final : public OverlayInode {
 public:
  // What a name in a merged directory is.
  struct Found {
    std::vector<LayerDirectory> parts;  // of a directory
    Attributes top;                     // of what is visible
    Attributes below;                   // of the second part, when there is one
    size_t layer = 0;                   // index in our parts of what is visible
    bool is_upper = false;
    bool is_directory() const { return S_ISDIR(top.stx_mode); }
  };

  OverlayDirectory(OverlayFs& filesystem, OverlayDirectoryPtr parent, std::string_view name,
                   std::vector<LayerDirectory> parts, bool has_upper, dev_t parent_device);
  ~OverlayDirectory() override;

  Result<Attributes> getattr() override;
  Result<uint64_t> number() override { return inode_; }
  Result<InodePtr> lookup(std::string_view name) override;
  bool is_current(std::string_view name, const InodePtr& child) override;
  Result<InodePtr> create(std::string_view name, const NewNode& node) override;
  Result<void> link(std::string_view name, const InodePtr& target) override;
  Result<void> unlink(std::string_view name, const InodePtr& child) override;
  Result<void> rmdir(std::string_view name, const InodePtr& child) override;
  Result<void> rename(std::string_view old_name, const InodePtr& moved, const InodePtr& new_directory,
                      std::string_view new_name, const InodePtr& replaced, unsigned flags) override;
  bool is_whole() const override { return is_pure_upper(); }
  Result<void> make_whole() override;
  Result<std::vector<DirectoryEntry>> list(const Caller& caller) override;
  Result<UniqueFd> open_unnamed(const Caller& caller, int flags, const NewNode& node) override;
  Result<void> link_unnamed(std::string_view name, int object) override;
  Result<UniqueFd> host_object() override;
  Result<UniqueFd> writable_host_directory() override;
  Result<void> uncover(std::string_view name) override;

 private:
  friend class OverlayFile;
  friend class OverlayFs;
  enum class From { kTop, kLowers };

  Result<PinnedName> place() override { return PinnedName{TRY(parts_.front().handle->pin()), ""}; }
  bool is_in_upper() const override { return has_upper_; }
  Result<void> make_upper(CopiedData data) override;
  Result<void> copy_up_here();
  void owner_changed() override;
  bool is_merged() const { return parts_.size() > 1; }
  bool is_pure_upper() const { return has_upper_ && !is_merged(); }
  OverlayDirectoryPtr self() { return std::static_pointer_cast<OverlayDirectory>(shared_from_this()); }
  const HostDirectoryPtr& upper() const { return parts_.front().handle; }

  // Errors: ENOENT, ENAMETOOLONG, EACCES, EIO.
  Result<Found> find(std::string_view name, From from);
  Result<void> add_part(Found& found, size_t layer, std::string_view name, const Attributes& attributes,
                        bool* is_last);
  InodePtr node_for(std::string_view name, Found found);
  mode_t shown_type(std::string_view name, const Found& found);
  // Whether removing `name` from the upper would let something below appear.
  Result<bool> is_below(std::string_view name);
  // Whether all that the upper has under `name` is a whiteout.
  bool has_whiteout(HostName name) const;
  Result<void> check_new_name(std::string_view name) const;
  Result<Attributes> make_over_whiteout(HostName target, const HostNode& node);
  Result<void> put_whiteout(HostName target, mode_t removed_type);
  // What becomes of a name that is moved away: a lower may have it, too.
  enum class OldName { kGoes, kStaysHidden };
  Result<void> rename_in_upper(HostName from, HostName to, OldName old_name, unsigned flags);
  Result<void> move_directory(HostName from, HostName to, OldName old_name);
  Result<void> prepare_to_move(Inode& moved, OverlayDirectory& destination, std::string_view name);
  void moved_to(OverlayDirectory& new_parent, std::string_view new_name);
  void mark_removed();
  Result<bool> is_empty();
  Result<void> list_layer(size_t layer, OverlayListing& listing);

  OverlayDirectoryPtr parent_;  // null: the root
  std::string name_;
  std::vector<LayerDirectory> parts_;
  bool has_upper_;
  bool is_removed_ = false;
  // The owner could not be copied up: that of the part below is meant.
  bool has_foreign_owner_ = false;
  dev_t device_;
  uint64_t inode_;
};

// Everything but directories. Which layer it is in is decided when it is looked up; it moves to the upper
// once.
class OverlayFile final : public OverlayInode {
 public:
  OverlayFile(OverlayFs& filesystem, OverlayDirectoryPtr parent, std::string_view name,
              HostDirectoryPtr directory, bool is_upper, mode_t type)
      : OverlayInode(filesystem, type),
        parent_(std::move(parent)),
        name_(name),
        directory_(std::move(directory)),
        is_upper_(is_upper) {}

  Result<Attributes> getattr() override;
  Result<std::string> readlink(const Caller& caller) override;
  Result<UniqueFd> open(const Caller& caller, int flags) override;
  Result<UniqueFd> host_object() override;
  bool is_whole() const override { return is_upper_; }
  Result<void> make_whole() override { return make_upper(CopiedData::kWhole); }
  bool stood_for(dev_t device, ino_t inode) const override {
    return copied_from_ == std::pair(device, inode);
  }

 private:
  friend class OverlayDirectory;
  Result<PinnedName> place() override { return PinnedName{TRY(directory_->pin()), name_.c_str()}; }
  bool is_in_upper() const override { return is_upper_; }
  Result<void> make_upper(CopiedData data) override;
  Result<UniqueFd> open_lower_fifo(int flags);
  Result<void> copy_up_whole(HostName source, HostName target, uint64_t data_size);

  const OverlayDirectoryPtr parent_;
  const std::string name_;
  HostDirectoryPtr directory_;  // of the layer it is in
  bool is_upper_;
  std::optional<std::pair<dev_t, ino_t>> copied_from_;
  std::weak_ptr<LargeCopy> large_copy_;  // under way for calls that wait for it
  // Created by us and not opened since: the first open is that of open(O_CREAT).
  std::atomic<bool> is_just_created_{false};
  UniqueFd private_fifo_;  // stands for a lower layer's FIFO, whose other end may be outside the sandbox
};

}  // namespace sandbox::vfs
