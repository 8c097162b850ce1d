// Resolution of execve and execveat, with Linux's rules for scripts and interpreters.
#include "sentry/exec.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace sandbox {

namespace {

constexpr int kMaximumScripts = 5;  // exec_binprm (fs/exec.c)

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// What execve's arguments name.
struct ExecTarget {
  vfs::Location base;
  std::string path;
  vfs::WalkOptions options;
  std::string filename;  // AT_EXECFN, and what a script's interpreter is told to read
  enum class Reachable { kYes, kNo } script_path = Reachable::kYes;  // kNo: /dev/fd/N that exec will close
};

Result<std::array<char, kProgramHeadSize>> read_head(int file) {
  std::array<char, kProgramHeadSize> head{};
  size_t length = 0;
  while (length < head.size()) {
    ssize_t count = ::pread(file, head.data() + length, head.size() - length, length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    if (count == 0) break;
    length += count;
  }
  return head;
}

// do_open_execat's idea of a descriptor's name (alloc_bprm, fs/exec.c).
std::string name_of_descriptor(int fd, const std::string& path) {
  std::string name = "/dev/fd/" + std::to_string(fd);
  return path.empty() ? name : name + "/" + path;
}

bool is_close_on_exec(Sentry& sentry, Task& task, int fd) {
  std::string path = std::to_string(task.host_tid) + "/fdinfo/" + std::to_string(fd);
  UniqueFd file(::openat(sentry.host_proc(), path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return true;
  std::string_view view(text.data());
  size_t flags = view.find("flags:\t");
  return flags == view.npos || (std::strtoul(view.data() + flags + 7, nullptr, 8) & O_CLOEXEC);
}

Result<ExecTarget> read_execve(const vfs::Caller& caller, const platform::SyscallEvent& event,
                               GuestMemory& memory) {
  ExecTarget target;
  target.path = TRY(memory.read_path({event.args[0]}));
  if (target.path.empty()) return err(ENOENT);
  target.base = target.path.starts_with('/') ? caller.root : caller.cwd;
  target.filename = target.path;
  return target;
}

Result<ExecTarget> read_execveat(Sentry& sentry, Task& task, const vfs::Caller& caller,
                                 const platform::SyscallEvent& event, GuestMemory& memory) {
  int directory = static_cast<int>(event.args[0]);
  int flags = static_cast<int>(event.args[4]);
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return err(EINVAL);
  ExecTarget target;
  target.path = TRY(memory.read_path({event.args[1]}));
  if (flags & AT_SYMLINK_NOFOLLOW) target.options.follow = vfs::FollowLast::kNo;
  if (target.path.empty() && !(flags & AT_EMPTY_PATH)) return err(ENOENT);
  if (target.path.empty()) target.options.empty_path = vfs::WalkOptions::EmptyPath::kAllowed;
  target.filename = target.path;
  if (target.path.starts_with('/')) {
    target.base = caller.root;
    return target;
  }
  if (directory == AT_FDCWD) {
    target.base = caller.cwd;
    return target;
  }
  UniqueFd descriptor = TRY(task.descriptor(directory));
  if (target.path.empty()) {
    target.base = TRY(sentry.vfs().locate(caller, std::move(descriptor)));
  } else {
    std::optional<vfs::Location> place = sentry.vfs().directory_of(descriptor.get());
    if (!place) return err(ENOTDIR);
    target.base = *std::move(place);
  }
  target.filename = name_of_descriptor(directory, target.path);
  if (is_close_on_exec(sentry, task, directory)) target.script_path = ExecTarget::Reachable::kNo;
  return target;
}

std::string comm_of(const ExecTarget& target, const vfs::Location& program) {
  if (target.path.empty()) return program.dentry->name();
  return target.filename.substr(target.filename.rfind('/') + 1);
}

// The program counts as running, for ETXTBSY, as long as anybody holds it.
Result<ProgramPtr> make_program(Sentry& sentry, const vfs::Caller& caller, const vfs::Location& exe,
                                std::vector<std::string> argv_prefix) {
  vfs::WalkOptions itself{.empty_path = vfs::WalkOptions::EmptyPath::kAllowed};
  vfs::Attributes attributes = TRY(sentry.vfs().stat(caller, exe, "", itself));
  dev_t device = makedev(attributes.stx_dev_major, attributes.stx_dev_minor);
  ino_t inode = attributes.stx_ino;
  RunningPrograms& running = sentry.running_programs();
  running.add(device, inode);
  auto release = [&running, device, inode](const Program* program) {
    running.remove(device, inode);
    delete program;
  };
  return ProgramPtr(new Program{.exe = exe, .argv_prefix = std::move(argv_prefix)}, release);
}

Result<std::optional<platform::ElfObject>> open_elf_interpreter(Sentry& sentry, const vfs::Caller& caller,
                                                                const std::string& path) {
  if (path.empty()) return std::optional<platform::ElfObject>();
  vfs::OpenedProgram opened = TRY(sentry.vfs().open_program(caller, caller.cwd, path, {}));
  return std::optional(TRY(platform::read_elf(std::move(opened.fd), platform::ElfRole::kInterpreter)));
}

}  // namespace

Result<ScriptLine> parse_script_line(std::span<const char, kProgramHeadSize> head) {
  std::string_view text(head.data(), head.size());
  size_t end = text.find('\n');
  if (end == text.npos) {
    // Without a newline the interpreter's name must at least end inside the buffer.
    text.remove_suffix(1);
    size_t name = text.find_first_not_of(" \t", 2);
    if (name == text.npos) return err(ENOEXEC);
    if (text.find_first_of(std::string_view(" \t\0", 3), name) == text.npos) return err(ENOEXEC);
    end = text.size();
  }
  text = text.substr(0, end);
  while (text.size() > 2 && is_blank(text.back())) text.remove_suffix(1);
  size_t name = text.find_first_not_of(" \t", 2);
  if (name == text.npos || text[name] == '\0') return err(ENOEXEC);
  size_t name_end = std::min(text.find_first_of(std::string_view(" \t\0", 3), name), text.size());
  ScriptLine line{.interpreter = std::string(text.substr(name, name_end - name))};
  if (name_end < text.size() && text[name_end] != '\0') {
    size_t argument = text.find_first_not_of(" \t", name_end);
    if (argument != text.npos) line.argument = text.substr(argument, text.find('\0', argument) - argument);
  }
  return line;
}

Result<PendingExec> resolve_exec(Sentry& sentry, Task& task, const vfs::Caller& caller,
                                 const platform::SyscallEvent& event, GuestMemory& memory) {
  ExecTarget target = event.number == SYS_execveat ? TRY(read_execveat(sentry, task, caller, event, memory))
                                                   : TRY(read_execve(caller, event, memory));
  vfs::OpenedProgram opened =
      TRY(sentry.vfs().open_program(caller, target.base, target.path, target.options));
  std::string comm = comm_of(target, opened.location);

  std::vector<std::string> argv_prefix;
  std::string current = target.filename;  // what the next `#!` interpreter is given to read
  for (int depth = 0;; ++depth) {
    if (depth > kMaximumScripts) return err(ELOOP);
    auto head = TRY(read_head(opened.fd.get()));
    if (head[0] != '#' || head[1] != '!') break;
    ScriptLine line = TRY(parse_script_line(head));
    if (target.script_path == ExecTarget::Reachable::kNo) return err(ENOENT);
    if (!argv_prefix.empty()) argv_prefix.erase(argv_prefix.begin());
    argv_prefix.insert(argv_prefix.begin(), current);
    if (!line.argument.empty()) argv_prefix.insert(argv_prefix.begin(), line.argument);
    argv_prefix.insert(argv_prefix.begin(), line.interpreter);
    current = line.interpreter;
    opened = TRY(sentry.vfs().open_program(caller, caller.cwd, line.interpreter, {}));
  }

  PendingExec exec{.host_tid = task.host_tid};
  exec.image.program = TRY(platform::read_elf(std::move(opened.fd), platform::ElfRole::kProgram));
  exec.image.interpreter = TRY(open_elf_interpreter(sentry, caller, exec.image.program.interpreter));
  exec.image.execfn = target.filename;
  exec.image.comm = std::move(comm);
  exec.image.argv_prefix = argv_prefix;
  exec.program = TRY(make_program(sentry, caller, opened.location, std::move(argv_prefix)));
  return exec;
}

}  // namespace sandbox
