// Which calls read, write and execute.
#include "sentry/trace/file_access.h"

#include <fcntl.h>

#include <algorithm>
#include <string_view>

namespace sandbox::trace {

namespace {

constexpr std::string_view kOpening[] = {"open", "openat", "openat2", "creat"};
constexpr std::string_view kExecuting[] = {"execve", "execveat"};
// Every path that they name is changed, save for the first one of those below.
constexpr std::string_view kChanging[] = {
    "truncate",    "mkdir",        "mkdirat",      "rmdir",     "unlink",   "unlinkat",  "rename",
    "renameat",    "renameat2",    "link",         "linkat",    "symlink",  "symlinkat", "mknod",
    "mknodat",     "chmod",        "fchmodat",     "fchmodat2", "chown",    "lchown",    "fchownat",
    "utime",       "utimes",       "futimesat",    "utimensat", "setxattr", "lsetxattr", "setxattrat",
    "removexattr", "lremovexattr", "removexattrat"};
constexpr std::string_view kKeepingTheFirst[] = {"link", "linkat"};

template <size_t count>
bool is_one_of(const std::string_view (&names)[count], std::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

FileAccess access_of_open(const DecodedCall& call) {
  if (call.row->name == "creat") return {.is_written = true};
  const Value* value = find_value(call, call.row->name == "openat2" ? "how.flags" : "flags");
  const auto flags = value != nullptr ? value->as_integer() : std::nullopt;
  if (!flags || (*flags & O_PATH)) return {};
  const auto mode = *flags & O_ACCMODE;
  return {.is_read = mode != O_WRONLY, .is_written = mode != O_RDONLY || (*flags & (O_CREAT | O_TRUNC)) != 0};
}

}  // namespace

platform::CallSet FileAccessWriter::calls() {
  platform::CallSet set;
  for (const SyscallRow& row : syscall_rows())
    if (is_one_of(kOpening, row.name) || is_one_of(kExecuting, row.name) || is_one_of(kChanging, row.name))
      set.add(row.number);
  return set;
}

void FileAccessWriter::on_call(const CallEvent& event) {
  const DecodedCall& call = event.call;
  if (call.row == nullptr || !call.result || call.result->error || event.paths.empty()) return;
  const auto note = [&](const std::string& path, FileAccess access) {
    if (!path.starts_with('/')) return;
    FileAccess& known = files_[path];
    known.is_read |= access.is_read;
    known.is_written |= access.is_written;
    known.is_executed |= access.is_executed;
  };
  if (is_one_of(kOpening, call.row->name)) {
    const FileAccess access = access_of_open(call);
    if (!access.is_read && !access.is_written) return;
    // Where the links on the way led.
    const std::string& opened = call.result->value.text;
    note(opened.starts_with('/') ? opened : event.paths.front(), access);
  } else if (is_one_of(kExecuting, call.row->name)) {
    note(event.paths.front(), {.is_executed = true});
  } else if (is_one_of(kChanging, call.row->name)) {
    const size_t first = is_one_of(kKeepingTheFirst, call.row->name) ? 1 : 0;
    for (size_t i = first; i < event.paths.size(); ++i) note(event.paths[i], {.is_written = true});
  }
}

}  // namespace sandbox::trace
