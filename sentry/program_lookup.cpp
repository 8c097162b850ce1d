// PATH look-up inside, and words for an execve that failed.
#include "sentry/program_lookup.h"

#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "sentry/exec.h"

namespace sandbox {

namespace {

constexpr int kNotExecutable = 126, kNotFound = 127;
// What execvp uses when PATH is unset (confstr _CS_PATH), and where an administrator's tools are.
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view search_path(const std::vector<std::string>& environment) {
  for (const std::string& variable : environment)
    if (variable.starts_with("PATH=")) return std::string_view(variable).substr(5);
  return kDefaultPath;
}

Result<void> check_executable(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& path) {
  vfs::Attributes attributes = TRY(vfs.stat(caller, caller.cwd, path, {}));
  if (!S_ISREG(attributes.stx_mode)) return err(EACCES);
  return vfs.access(caller, caller.cwd, path, X_OK, {});
}

RunFailure not_executable(const std::string& path, std::string reason, std::string advice) {
  return {.doing = fmt::format("execute {}", path),
          .reason = std::move(reason),
          .advice = std::move(advice),
          .exit_code = kNotExecutable};
}

// The interpreter that the file's first bytes name, "" when there is none or it cannot be read.
std::string interpreter_of(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& path) {
  auto opened = vfs.open_program(caller, caller.cwd, path, {});
  if (!opened) return {};
  std::array<char, kProgramHeadSize> head{};
  if (::pread(opened->fd.get(), head.data(), head.size(), 0) < 2) return {};
  if (head[0] == '#' && head[1] == '!') {
    auto line = parse_script_line(head);
    return line ? line->interpreter : std::string();
  }
  auto elf = platform::read_elf(std::move(opened->fd), platform::ElfRole::kProgram);
  return elf ? elf->interpreter : std::string();
}

}  // namespace

Configured<std::string> find_program(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& name,
                                     const std::vector<std::string>& environment) {
  std::string doing = fmt::format("find the program `{}`", name);
  if (name.empty()) return failure(doing, "its name is empty", "sandbox run -- PROGRAM [ARGS]", kNotFound);
  if (name.find('/') != name.npos) {
    if (auto found = check_executable(vfs, caller, name); !found)
      return std::unexpected(explain_exec_failure(vfs, caller, name, found.error()));
    return name;
  }
  std::string refused;
  std::string_view folders = search_path(environment);
  for (bool is_last = false; !is_last;) {
    size_t colon = folders.find(':');
    is_last = colon == folders.npos;
    std::string folder(folders.substr(0, colon));
    if (!is_last) folders.remove_prefix(colon + 1);
    std::string path = (folder.empty() ? "." : folder) + "/" + name;
    auto found = check_executable(vfs, caller, path);
    if (found) return path;
    if (found.error() == Errno(EACCES) && refused.empty() && vfs.stat(caller, caller.cwd, path, {}))
      refused = path;
  }
  if (!refused.empty()) return std::unexpected(explain_exec_failure(vfs, caller, refused, Errno(EACCES)));
  return failure(doing, fmt::format("it is in no directory of PATH ({})", search_path(environment)),
                 "name it with its path, or correct PATH with --env PATH=...", kNotFound);
}

RunFailure explain_exec_failure(vfs::Vfs& vfs, const vfs::Caller& caller, const std::string& path,
                                Errno error) {
  auto attributes = vfs.stat(caller, caller.cwd, path, {});
  if (!attributes) {
    Errno why = attributes.error();
    bool is_missing = why == Errno(ENOENT) || why == Errno(ENOTDIR);
    RunFailure result =
        not_executable(path, reason_in_words(why), "look whether the path is right inside the sandbox");
    if (is_missing) result.exit_code = kNotFound;
    return result;
  }
  if (S_ISDIR(attributes->stx_mode)) return not_executable(path, "it is a directory", "name a program");
  if (error == Errno(ENOENT)) {
    std::string interpreter = interpreter_of(vfs, caller, path);
    RunFailure result = not_executable(path,
                                       fmt::format("its interpreter {} does not exist inside",
                                                   interpreter.empty() ? "(unknown)" : interpreter),
                                       "use a rootfs that has the interpreter, or bind it: --ro-bind PATH");
    result.exit_code = kNotFound;
    return result;
  }
  if (error == Errno(EACCES))
    return not_executable(path, reason_in_words(error),
                          "make it executable (chmod +x), or run it as a user who may execute it (--user)");
  if (error == Errno(ENOEXEC))
    return not_executable(path, "it is neither an x86-64 ELF program nor a script with a `#!` line (ENOEXEC)",
                          fmt::format("name its interpreter: sandbox run -- sh {}", path));
  return not_executable(path, reason_in_words(error), "see execve(2) for this error");
}

}  // namespace sandbox
