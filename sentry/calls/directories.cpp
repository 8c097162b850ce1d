// chdir(2), chroot(2), getcwd(2), umask(2), getdents(2): a task's place and what is in a directory.
#include <dirent.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/limits.h>

#include <cstring>

#include "sentry/calls/handlers.h"

namespace sandbox {

namespace {

// Larger buffers are filled in part, as read(2) may.
constexpr size_t kLargestListing = 256 * 1024;

Result<vfs::Location> enter(Call& call, PathPtr path) {
  PathArgument where = TRY(call.path_at(kCwd, path));
  return call.vfs().enter_directory(call.caller(), where.base, where.path, where.options);
}

// linux_dirent64 and linux_dirent: where the parts of a record lie (fs/readdir.c).
struct DirentLayout {
  size_t name_offset;
  size_t type_offset;  // 0: the record's last byte
  size_t tail;         // bytes after the name's NUL
};
constexpr DirentLayout kDirent64{.name_offset = 19, .type_offset = 18, .tail = 0};
constexpr DirentLayout kDirentOld{.name_offset = 18, .type_offset = 0, .tail = 1};

// False when the record does not fit into `space`.
bool append_dirent(std::vector<std::byte>& out, size_t space, const vfs::ListedEntry& listed,
                   const DirentLayout& layout) {
  const std::string& name = listed.entry.name;
  size_t length = (layout.name_offset + name.size() + 1 + layout.tail + 7) & ~size_t{7};
  if (out.size() + length > space) return false;
  size_t start = out.size();
  out.resize(start + length);
  std::byte* record = out.data() + start;
  uint64_t inode = listed.entry.inode;
  uint16_t record_length = length;
  std::memcpy(record, &inode, 8);
  std::memcpy(record + 8, &listed.next_position, 8);
  std::memcpy(record + 16, &record_length, 2);
  std::memcpy(record + layout.name_offset, name.data(), name.size());
  record[layout.type_offset ? layout.type_offset : length - 1] = std::byte{listed.entry.type};
  return true;
}

Result<Reply> list(Call& call, Fd fd, DirentBytes buffer, uint32_t size, const DirentLayout& layout) {
  UniqueFd directory = TRY(call.descriptor(fd));
  size_t space = std::min<size_t>(size, kLargestListing);
  std::vector<std::byte> out;
  out.reserve(std::min<size_t>(space, 32 * 1024));
  bool did_any_not_fit = false;
  auto take = [&](const vfs::ListedEntry& listed) {
    bool fits = append_dirent(out, space, listed, layout);
    did_any_not_fit |= !fits;
    return fits;
  };
  const off_t start = TRY(call.vfs().read_directory(call.caller(), directory.get(), take));
  if (out.empty() && did_any_not_fit) return err(EINVAL);
  if (Result<void> written = call.memory().write_bytes(buffer.address, out); !written) {
    ::lseek(directory.get(), start, SEEK_SET);
    return std::unexpected(written.error());
  }
  return static_cast<int64_t>(out.size());
}

}  // namespace

SyscallResult sys_chdir(Call& call, PathPtr path) {
  call.task().fs()->set_cwd(TRY(enter(call, path)));
  return 0;
}

SyscallResult sys_fchdir(Call& call, Fd fd) {
  if (fd < 0) return err(EBADF);
  vfs::Location directory = TRY(call.base(DirFd{{fd}}, ""));
  vfs::WalkOptions itself{.empty_path = vfs::WalkOptions::EmptyPath::kAllowed};
  call.task().fs()->set_cwd(TRY(call.vfs().enter_directory(call.caller(), directory, "", itself)));
  return 0;
}

SyscallResult sys_chroot(Call& call, PathPtr path) {
  vfs::Location directory = TRY(enter(call, path));
  if (!call.credentials().has_capability(CAP_SYS_CHROOT)) return err(EPERM);
  call.task().fs()->set_root(std::move(directory));
  return 0;
}

SyscallResult sys_getcwd(Call& call, OutPath buffer, Size size) {
  std::string path = TRY(call.vfs().path_of(call.caller(), call.caller().cwd));
  if (path.size() + 1 > PATH_MAX) return err(ENAMETOOLONG);
  if (path.size() + 1 > PATH_MAX) return err(ENAMETOOLONG);
  if (path.size() + 1 > size) return err(ERANGE);
  TRY(call.memory().write_bytes(buffer.address, std::as_bytes(std::span(path.c_str(), path.size() + 1))));
  return static_cast<int64_t>(path.size() + 1);
}

SyscallResult sys_umask(Call& call, UmaskMode mask) {
  call.task().fs()->exchange_umask(mask);
  // The kernel keeps its own copy for what it creates itself (message queues); only a register is read.
  return Reply::run_natively();
}

SyscallResult sys_getdents(Call& call, Fd fd, OldDirentBytes buffer, Count size) {
  return list(call, fd, buffer, size, kDirentOld);
}

SyscallResult sys_getdents64(Call& call, Fd fd, DirentBytes buffer, Count size) {
  return list(call, fd, buffer, size, kDirent64);
}

}  // namespace sandbox
