// setxattr(2), getxattr(2), listxattr(2), removexattr(2): by path, by link, by descriptor and relative to
// one.
#include <linux/xattr.h>

#include <algorithm>
#include <cstring>

#include "sentry/calls/handlers.h"

namespace sandbox {

// struct xattr_args of Linux 6.13.
struct XattrArguments {
  uint64_t value;
  uint32_t size;
  uint32_t flags;
};

namespace {

// import_xattr_name (fs/xattr.c). Errors: EFAULT, ERANGE (empty or too long).
Result<std::string> read_name(Call& call, StringPtr pointer) {
  std::string name = TRY(call.memory().read_string(pointer, XATTR_NAME_MAX + 1, ERANGE));
  if (name.empty()) return err(ERANGE);
  return name;
}

struct NewAttribute {
  std::string name;
  std::string value;
  int flags;
};

// setxattr_copy. Errors: EINVAL (flags), the name's, E2BIG, EFAULT.
Result<NewAttribute> read_new_attribute(Call& call, StringPtr name, GuestPtr<const char> value, uint64_t size,
                                        uint32_t flags) {
  TRY(allow_flags(flags, XATTR_CREATE | XATTR_REPLACE));
  NewAttribute attribute{.name = TRY(read_name(call, name)), .value = {}, .flags = static_cast<int>(flags)};
  if (size > XATTR_SIZE_MAX) return err(E2BIG);
  attribute.value.resize(size);
  TRY(call.memory().read_bytes(value.address, std::as_writable_bytes(std::span(attribute.value))));
  return attribute;
}

// copy_struct_from_user. Errors: EINVAL, E2BIG, EFAULT.
Result<XattrArguments> read_arguments(Call& call, In<XattrArguments> pointer, uint64_t size) {
  if (size < sizeof(XattrArguments)) return err(EINVAL);
  if (size > 4096) return err(E2BIG);
  auto bytes = TRY(call.memory().read_array(pointer.cast<const std::byte>(), size));
  bool has_unknown = std::any_of(bytes.begin() + sizeof(XattrArguments), bytes.end(),
                                 [](std::byte byte) { return byte != std::byte{0}; });
  if (has_unknown) return err(E2BIG);
  XattrArguments arguments;
  std::memcpy(&arguments, bytes.data(), sizeof arguments);
  return arguments;
}

// Unlike other calls, the *at ones want a descriptor that is open for more than its path.
Result<PathArgument> place_of(Call& call, DirFd directory, PathPtr pointer, int at_flags) {
  bool may_be_empty = at_flags & AT_EMPTY_PATH;
  PathArgument where;
  if (!(may_be_empty && pointer.is_null())) where.path = TRY(call.read_path(pointer));
  if (at_flags & AT_SYMLINK_NOFOLLOW) where.options.follow = vfs::FollowLast::kNo;
  if (where.path.empty()) {
    if (!may_be_empty) return err(ENOENT);
    if (directory != AT_FDCWD) return call.open_object_path(Fd{{directory}});
    where.options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  }
  where.base = TRY(call.base(directory, where.path));
  return where;
}

Result<Reply> set(Call& call, Result<PathArgument> place, const NewAttribute& attribute) {
  PathArgument where = TRY(std::move(place));
  TRY(call.vfs().setxattr(call.caller(), where.base, where.path, attribute.name, attribute.value,
                          attribute.flags, where.options));
  return 0;
}

// Copies what fits into a caller's buffer of `size` bytes; with size 0 only its length is asked for.
// Errors: ERANGE, or E2BIG when no larger buffer would do; EFAULT.
Result<Reply> give(Call& call, const std::string& bytes, OutBytes buffer, uint64_t size, uint64_t limit) {
  if (size != 0) {
    if (bytes.size() > std::min(size, limit)) return err(size >= limit ? E2BIG : ERANGE);
    TRY(call.memory().write_bytes(buffer.address, std::as_bytes(std::span(bytes))));
  }
  return static_cast<int64_t>(bytes.size());
}

Result<Reply> get(Call& call, Result<PathArgument> place, const std::string& name, OutBytes value,
                  uint64_t size) {
  PathArgument where = TRY(std::move(place));
  std::string bytes = TRY(call.vfs().getxattr(call.caller(), where.base, where.path, name, where.options));
  return give(call, bytes, value, size, XATTR_SIZE_MAX);
}

Result<Reply> list(Call& call, Result<PathArgument> place, OutBytes buffer, uint64_t size) {
  PathArgument where = TRY(std::move(place));
  auto names = TRY(call.vfs().listxattr(call.caller(), where.base, where.path, where.options));
  std::string joined;
  for (const std::string& name : names) joined.append(name).push_back('\0');
  return give(call, joined, buffer, size, XATTR_LIST_MAX);
}

Result<Reply> remove(Call& call, Result<PathArgument> place, const std::string& name) {
  PathArgument where = TRY(std::move(place));
  TRY(call.vfs().removexattr(call.caller(), where.base, where.path, name, where.options));
  return 0;
}

constexpr int kXattrAtFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

}  // namespace

// In every call the name and the value are looked at before the path, as in fs/xattr.c.

SyscallResult sys_setxattr(Call& call, PathPtr path, StringPtr name, InBytes value, Size size,
                           XattrFlags flags) {
  NewAttribute attribute = TRY(read_new_attribute(call, name, value.cast<const char>(), size, flags));
  return set(call, call.path_at(kCwd, path), attribute);
}

SyscallResult sys_lsetxattr(Call& call, PathPtr path, StringPtr name, InBytes value, Size size,
                            XattrFlags flags) {
  NewAttribute attribute = TRY(read_new_attribute(call, name, value.cast<const char>(), size, flags));
  return set(call, call.path_at(kCwd, path, AT_SYMLINK_NOFOLLOW), attribute);
}

SyscallResult sys_fsetxattr(Call& call, Fd fd, StringPtr name, InBytes value, Size size, XattrFlags flags) {
  NewAttribute attribute = TRY(read_new_attribute(call, name, value.cast<const char>(), size, flags));
  return set(call, call.open_object_path(fd), attribute);
}

SyscallResult sys_setxattrat(Call& call, DirFd directory, PathPtr path, AtFlags at_flags, StringPtr name,
                             In<XattrArguments> pointer, Size size) {
  XattrArguments arguments = TRY(read_arguments(call, pointer, size));
  TRY(allow_flags(static_cast<unsigned>(at_flags.value), kXattrAtFlags));
  NewAttribute attribute =
      TRY(read_new_attribute(call, name, {arguments.value}, arguments.size, arguments.flags));
  return set(call, place_of(call, directory, path, at_flags), attribute);
}

SyscallResult sys_getxattr(Call& call, PathPtr path, StringPtr name_pointer, OutBytes value, Size size) {
  std::string name = TRY(read_name(call, name_pointer));
  return get(call, call.path_at(kCwd, path), name, value, size);
}

SyscallResult sys_lgetxattr(Call& call, PathPtr path, StringPtr name_pointer, OutBytes value, Size size) {
  std::string name = TRY(read_name(call, name_pointer));
  return get(call, call.path_at(kCwd, path, AT_SYMLINK_NOFOLLOW), name, value, size);
}

SyscallResult sys_fgetxattr(Call& call, Fd fd, StringPtr name_pointer, OutBytes value, Size size) {
  std::string name = TRY(read_name(call, name_pointer));
  return get(call, call.open_object_path(fd), name, value, size);
}

SyscallResult sys_getxattrat(Call& call, DirFd directory, PathPtr path, AtFlags at_flags,
                             StringPtr name_pointer, In<XattrArguments> pointer, Size size) {
  XattrArguments arguments = TRY(read_arguments(call, pointer, size));
  if (arguments.flags != 0) return err(EINVAL);
  TRY(allow_flags(static_cast<unsigned>(at_flags.value), kXattrAtFlags));
  std::string name = TRY(read_name(call, name_pointer));
  return get(call, place_of(call, directory, path, at_flags), name, OutBytes{{arguments.value}},
             arguments.size);
}

SyscallResult sys_listxattr(Call& call, PathPtr path, OutBytes buffer, Size size) {
  return list(call, call.path_at(kCwd, path), buffer, size);
}

SyscallResult sys_llistxattr(Call& call, PathPtr path, OutBytes buffer, Size size) {
  return list(call, call.path_at(kCwd, path, AT_SYMLINK_NOFOLLOW), buffer, size);
}

SyscallResult sys_flistxattr(Call& call, Fd fd, OutBytes buffer, Size size) {
  return list(call, call.open_object_path(fd), buffer, size);
}

SyscallResult sys_listxattrat(Call& call, DirFd directory, PathPtr path, AtFlags at_flags, OutBytes buffer,
                              Size size) {
  TRY(allow_flags(static_cast<unsigned>(at_flags.value), kXattrAtFlags));
  return list(call, place_of(call, directory, path, at_flags), buffer, size);
}

SyscallResult sys_removexattr(Call& call, PathPtr path, StringPtr name_pointer) {
  std::string name = TRY(read_name(call, name_pointer));
  return remove(call, call.path_at(kCwd, path), name);
}

SyscallResult sys_lremovexattr(Call& call, PathPtr path, StringPtr name_pointer) {
  std::string name = TRY(read_name(call, name_pointer));
  return remove(call, call.path_at(kCwd, path, AT_SYMLINK_NOFOLLOW), name);
}

SyscallResult sys_fremovexattr(Call& call, Fd fd, StringPtr name_pointer) {
  std::string name = TRY(read_name(call, name_pointer));
  return remove(call, call.open_object_path(fd), name);
}

SyscallResult sys_removexattrat(Call& call, DirFd directory, PathPtr path, AtFlags at_flags,
                                StringPtr name_pointer) {
  TRY(allow_flags(static_cast<unsigned>(at_flags.value), kXattrAtFlags));
  std::string name = TRY(read_name(call, name_pointer));
  return remove(call, place_of(call, directory, path, at_flags), name);
}

}  // namespace sandbox
