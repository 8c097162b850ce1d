// Copying up: reflink where the host can, else inside the kernel, else through a buffer.
#include "vfs/overlayfs/copy_up.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#include <algorithm>

#include "sandbox/write_all.h"
#include "vfs/overlayfs/layer.h"

namespace sandbox::vfs {
namespace {

bool is_unsupported_copy() {
  return errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ||
         errno == ETXTBSY;
}

Result<void> copy_through_buffer(int source, int target, off_t offset, off_t end) {
  std::vector<char> buffer(256 << 10);
  while (offset < end) {
    size_t wanted = std::min<off_t>(end - offset, static_cast<off_t>(buffer.size()));
    ssize_t count = TRY(host_result(pread(source, buffer.data(), wanted, offset)));
    if (count == 0) return {};
    TRY(write_all_at(target, std::string_view(buffer.data(), static_cast<size_t>(count)), offset));
    offset += count;
  }
  return {};
}

// How much is copied before anybody asks whether it is still wanted.
constexpr off_t kUnaskedLength = 8 << 20;

// A source that shrinks meanwhile ends the copy early, as it ends read(2).
Result<void> copy_range(int source, int target, off_t offset, off_t end) {
  while (offset < end) {
    loff_t in = offset, out = offset;
    ssize_t count = copy_file_range(source, &in, target, &out, static_cast<size_t>(end - offset), 0);
    if (count < 0 && !is_unsupported_copy()) return last_error();
    if (count < 0) break;
    if (count == 0) return {};
    offset += count;
  }
  if (offset >= end) return {};
  TRY(host_result(lseek(target, offset, SEEK_SET)));
  while (offset < end) {
    ssize_t count =
        sendfile(target, source, &offset, static_cast<size_t>(std::min<off_t>(end - offset, 1 << 30)));
    if (count < 0 && !is_unsupported_copy()) return last_error();
    if (count < 0) return copy_through_buffer(source, target, offset, end);
    if (count == 0) return {};
  }
  return {};
}

Result<void> copy_data(HostName source, int target) {
  UniqueFd file = TRY(host_open(source, O_RDONLY | O_NONBLOCK));
  return copy_content(file.get(), target, nullptr);
}

// The host may refuse attributes that mean something only where they were set; the user's own must arrive.
Result<void> copy_xattrs(HostName source, HostName target, const CopiedRecords& records) {
  auto attributes = host_listxattr(source);
  if (!attributes) return {};  // EOPNOTSUPP, or a layer we may not read them from
  for (const std::string& attribute : *attributes) {
    if (is_layer_xattr(attribute) || attribute.starts_with("trusted.")) continue;
    if (records.source != nullptr && attribute == records.source) continue;
    auto value = host_getxattr(source, attribute);
    if (!value) continue;
    auto set = host_setxattr(target, attribute, *value, 0);
    bool is_fatal = !set && attribute.starts_with("user.") && set.error() != Errno(EOPNOTSUPP);
    if (is_fatal) return set;
  }
  return {};
}

bool is_owner_out_of_reach(const Errno& error) {
  return error == Errno(EPERM) || error == Errno(EINVAL) || error == Errno(EOVERFLOW);
}

// The mode that may be set with the owner that could be set.
Result<mode_t> copy_owner(const Attributes& attributes, HostName target) {
  mode_t mode = attributes.stx_mode & 07777;
  auto owned = host_chown(target, attributes.stx_uid, attributes.stx_gid);
  if (owned) return mode;
  if (!is_owner_out_of_reach(owned.error())) return std::unexpected(owned.error());
  auto grouped = host_chown(target, static_cast<uid_t>(-1), attributes.stx_gid);
  if (S_ISDIR(attributes.stx_mode)) {
    (void)host_setxattr(target, kForeignOwnerXattr, "y", 0);
    return mode;
  }
  return mode & ~static_cast<mode_t>(S_ISUID | (grouped ? 0 : S_ISGID));
}

timespec to_timespec(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

Result<void> make_copy(HostName source, const Attributes& attributes, HostName target, CopiedData data) {
  NewNode node{.mode = (attributes.stx_mode & S_IFMT) | 0700u, .uid = geteuid(), .gid = getegid()};
  if (S_ISREG(node.mode)) {
    UniqueFd file = TRY(host_open(target, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (data == CopiedData::kWhole) TRY(copy_data(source, file.get()));
    return {};
  }
  if (S_ISLNK(node.mode)) node.symlink_target = TRY(host_readlink(source));
  if (S_ISCHR(node.mode) || S_ISBLK(node.mode)) return err(EPERM);
  TRY(host_make(target, node));
  return {};
}

}  // namespace

Result<void> copy_attributes(HostName source, const Attributes& attributes, HostName target,
                             const CopiedRecords& records) {
  if (!S_ISLNK(attributes.stx_mode)) TRY(copy_xattrs(source, target, records));
  if (records.source != nullptr && records.target != nullptr)
    if (auto record = host_read_record(source, records.source))
      TRY(host_write_record(target, records.target, *record));
  mode_t mode = TRY(copy_owner(attributes, target));
  if (!S_ISLNK(attributes.stx_mode)) TRY(host_chmod(target, mode));
  return host_set_times(target, to_timespec(attributes.stx_atime), to_timespec(attributes.stx_mtime));
}

Result<void> copy_content(int source, int target, const std::atomic<bool>* is_cancelled) {
  struct stat status;
  TRY(host_status(fstat(source, &status)));
  if (!S_ISREG(status.st_mode)) return err(ESTALE);
  if (ioctl(target, FICLONE, source) == 0) return {};
  TRY(host_status(ftruncate(target, status.st_size)));
  for (off_t offset = 0; offset < status.st_size;) {
    if (is_cancelled != nullptr && is_cancelled->load()) return err(EINTR);
    off_t data = lseek(source, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole up to the end
    if (data < 0) data = offset;
    off_t hole = lseek(source, data, SEEK_HOLE);
    if (hole <= data || hole > status.st_size) hole = status.st_size;
    hole = std::min(hole, data + kUnaskedLength);
    TRY(copy_range(source, target, data, hole));
    offset = hole;
  }
  return {};
}

Result<void> finish_copy_up(WorkDirectory::Item& made, HostName source, HostName target,
                            const CopiedRecords& records) {
  Attributes attributes = TRY(host_attributes(source));
  Attributes above = TRY(host_attributes({target.directory, ""}));
  TRY(copy_attributes(source, attributes, made.host(), records));
  TRY(made.move_to(target, RENAME_NOREPLACE));
  // Nothing happened in that directory that anybody should see.
  (void)host_set_times({target.directory, ""}, to_timespec(above.stx_atime), to_timespec(above.stx_mtime));
  return {};
}

Result<void> copy_up(WorkDirectory& work, HostName source, HostName target, CopiedData data,
                     const CopiedRecords& records) {
  WorkDirectory::Item item(work);
  TRY(make_copy(source, TRY(host_attributes(source)), item.host(), data));
  return finish_copy_up(item, source, target, records);
}

}  // namespace sandbox::vfs
