// Missing files, refused permissions, full file systems: which part of a path it is about, and which layer.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <algorithm>

#include "sandbox/syscall_table.h"
#include "sentry/trace/explanation.h"

namespace sandbox::trace {

namespace {

using LastLink = Surroundings::LastLink;

constexpr uint32_t kNoSuchId = 65534;  // shown for an id that a user namespace does not have

bool is_execution(const FailedCall& call) {
  return call.event.number == SYS_execve || call.event.number == SYS_execveat;
}

// The directories above a path and the path itself, from the root on.
std::vector<std::string> steps_of(const std::string& path) {
  std::vector<std::string> steps;
  for (size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    if (slash > 0 && path[slash - 1] != '/') steps.push_back(path.substr(0, slash));
  if (!path.ends_with('/')) steps.push_back(path);
  return steps;
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == path.npos ? "/" : path.substr(0, slash);
}

// "drwxr-x--- of user 0, group 0".
std::string rights_in_words(const struct stat& status) {
  std::string text = S_ISDIR(status.st_mode) ? "d" : S_ISLNK(status.st_mode) ? "l" : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const mode_t bits = status.st_mode >> shift;
    text += bits & 4 ? 'r' : '-';
    text += bits & 2 ? 'w' : '-';
    text += bits & 1 ? 'x' : '-';
  }
  return fmt::format("{} of user {}, group {}", text, status.st_uid, status.st_gid);
}

bool has_rights(const Credentials& credentials, const struct stat& status, unsigned wanted) {
  const bool is_known = status.st_uid != kNoSuchId && status.st_gid != kNoSuchId;
  const bool is_directory = S_ISDIR(status.st_mode);
  if (is_known && credentials.has_capability(CAP_DAC_OVERRIDE) &&
      (is_directory || !(wanted & 1) || (status.st_mode & 0111)))
    return true;
  if (is_known && credentials.has_capability(CAP_DAC_READ_SEARCH) &&
      (wanted == 4 || (is_directory && !(wanted & 2))))
    return true;
  unsigned bits = status.st_mode & 7;
  if (credentials.fsuid == status.st_uid) {
    bits = (status.st_mode >> 6) & 7;
  } else if (credentials.fsgid == status.st_gid ||
             std::ranges::count(credentials.groups, status.st_gid) > 0) {
    bits = (status.st_mode >> 3) & 7;
  }
  return (bits & wanted) == wanted;
}

// What the call wants of the last component, and whether that is the directory around it.
struct Wish {
  unsigned rights = 0;
  bool is_about_directory = false;
};

Wish wish_of(const FailedCall& call) {
  const std::string_view name = call.row->name;
  if (is_execution(call)) return {1};
  if (name == "chdir" || name == "chroot") return {1};
  if (name.starts_with("open") || name == "creat") {
    const auto mode = call.flags & O_ACCMODE;
    unsigned rights = mode == O_WRONLY ? 2 : mode == O_RDWR ? 6 : 4;
    if (name == "creat") rights = 2;
    return {rights};
  }
  if (name == "truncate") return {2};
  for (std::string_view changing : {"mkdir", "rmdir", "unlink", "rename", "link", "symlink", "mknod", "bind"})
    if (name.starts_with(changing)) return {3, true};
  return {};
}

std::string wish_in_words(unsigned rights) {
  switch (rights) {
    case 1:
      return "execute it";
    case 2:
      return "write to it";
    case 3:
      return "change what is in it";
    case 4:
      return "read it";
    default:
      return "read and write it";
  }
}

// The interpreter that a script or a program names; "" when the head has none.
std::string interpreter_in(const std::string& head) {
  if (head.starts_with("#!")) {
    const size_t begin = head.find_first_not_of(" \t", 2);
    if (begin == head.npos) return "";
    // As Linux cuts it: a CR belongs to the name.
    return head.substr(begin, head.find_first_of(" \t\n", begin) - begin);
  }
  if (!head.starts_with("\177ELF")) return "";
  // PT_INTERP's text lies near the beginning in whatever a linker writes; its program header says where.
  struct ProgramHeader {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_size, memory_size, alignment;
  };
  constexpr uint32_t kInterpreter = 3;
  uint64_t headers = 0;
  uint16_t count = 0;
  if (head.size() < 64) return "";
  std::copy_n(head.data() + 32, sizeof headers, reinterpret_cast<char*>(&headers));
  std::copy_n(head.data() + 56, sizeof count, reinterpret_cast<char*>(&count));
  for (uint16_t i = 0; i < count; ++i) {
    ProgramHeader header;
    const uint64_t place = headers + i * sizeof header;
    if (headers > head.size() || place + sizeof header > head.size()) break;
    std::copy_n(head.data() + place, sizeof header, reinterpret_cast<char*>(&header));
    if (header.type != kInterpreter || header.offset >= head.size()) continue;
    return std::string(head.c_str() + header.offset);
  }
  return "";
}

// A program that is there but whose interpreter is not. Whether that is it.
bool explain_interpreter(const FailedCall& call, Surroundings& surroundings, Explanation& out) {
  constexpr size_t kHeadBytes = 4096;
  if (!is_execution(call) || call.paths.empty()) return false;
  auto head = surroundings.head_of(call.paths.back(), kHeadBytes);
  if (!head) return false;
  const std::string interpreter = interpreter_in(*head);
  if (interpreter.empty() || surroundings.status_of(interpreter, LastLink::kFollow)) return false;
  out.add("why", fmt::format("{} is there, but its interpreter {} is not", in_message(call.paths.back()),
                             in_message(interpreter)));
  out.advise(interpreter.ends_with('\r')
                 ? "its lines end in CR LF, as on Windows, and the CR counts: sed -i 's/\\r$//' FILE"
             : head->starts_with("#!") ? "correct its `#!` line, or install that interpreter"
                                       : "the libraries and the dynamic linker that it was built for");
  tell_mount(interpreter, surroundings, out);
  return true;
}

// The first part of the path that is not there, or no directory. Whether one was found.
bool explain_missing_step(const std::string& path, Surroundings& surroundings, Explanation& out) {
  const std::vector<std::string> steps = steps_of(path);
  for (const std::string& step : steps) {
    auto status = surroundings.status_of(step, LastLink::kFollow);
    const bool is_last = step == steps.back();
    if (status && !is_last && !S_ISDIR(status->st_mode)) {
      out.add("why", fmt::format("{} is no directory", in_message(step)));
      return true;
    }
    if (status) continue;
    auto target = surroundings.link_target(step);
    if (target) {
      out.add("why",
              fmt::format("{} is a link to {}, which does not exist", in_message(step), in_message(*target)));
    } else {
      out.add("why", fmt::format("{}{} does not exist", is_last ? "" : "the directory ", in_message(step)));
    }
    return true;
  }
  return false;
}

}  // namespace

void tell_mount(const std::string& path, Surroundings& surroundings, Explanation& out) {
  const MountFacts mount = surroundings.mount_at(path);
  if (mount.mountpoint.empty()) return;
  std::string words = fmt::format("{} answers for it ({}{}{})", in_message(mount.mountpoint), mount.type,
                                  mount.is_read_only ? ", read-only" : "", mount.is_noexec ? ", noexec" : "");
  if (!mount.in_words.empty()) words += ": " + mount.in_words;
  out.add("mount", words);
}

void explain_missing(const FailedCall& call, const std::deque<FailedCall>& others, Surroundings& surroundings,
                     Explanation& out) {
  if (call.paths.empty()) {
    out.add("why", fmt::format("{} failed: {} ({})", call.row->name, call.error.text(), call.error.name()));
    return;
  }
  if (explain_interpreter(call, surroundings, out)) return;
  std::vector<std::string> places;
  for (const FailedCall& other : others) {
    if (other.paths.empty() || other.name() != call.name() || other.error != call.error) continue;
    std::string directory = directory_of(other.paths.back());
    if (std::ranges::find(places, directory) == places.end()) places.push_back(std::move(directory));
  }
  const std::string& path = call.paths.back();
  if (places.size() > 1) {
    out.add("why", fmt::format("{} was found in none of the {} places that were searched for it",
                               in_message(call.name()), places.size()));
    constexpr size_t kShown = 40;
    for (size_t i = 0; i < std::min(places.size(), kShown); ++i) out.add("searched", in_message(places[i]));
    if (places.size() > kShown) out.add("searched", fmt::format("and {} more", places.size() - kShown));
  } else if (!explain_missing_step(path, surroundings, out)) {
    out.add("why", fmt::format("{} did not exist at that time", in_message(path)));
  }
  const MountFacts mount = surroundings.mount_at(path);
  tell_mount(path, surroundings, out);
  const std::string advice = surroundings.advice_for_missing(path);
  out.advise(mount.is_mask ? mount.advice : advice);
}

void explain_permission(const FailedCall& call, Surroundings& surroundings, Explanation& out) {
  const std::string path = !call.paths.empty()            ? call.paths.back()
                           : call.object.starts_with('/') ? call.object
                                                          : "";
  const MountFacts mount = path.empty() ? MountFacts{} : surroundings.mount_at(path);
  const auto tell = [&](const std::string& words, const std::string& advice) {
    out.add("why", words);
    if (!path.empty()) tell_mount(path, surroundings, out);
    out.advise(advice);
  };
  if (call.error == Errno(EROFS))
    return tell(fmt::format("{} is on a read-only mount", in_message(path)),
                mount.advice.empty() ? "another place to write to" : mount.advice);
  if (call.event.number == SYS_bind && call.paths.empty())
    return tell(fmt::format("{}: ports below 1024 need CAP_NET_BIND_SERVICE", in_message(call.object)),
                "a port from 1024 on");
  if (path.empty() || !call.credentials)
    return tell(fmt::format("{} failed: {} ({})", call.row->name, call.error.text(), call.error.name()), "");
  const Credentials& who = *call.credentials;
  const Wish wish = wish_of(call);
  if (is_execution(call) && mount.is_noexec)
    return tell(fmt::format("{} is on a mount from which nothing may be executed", in_message(path)),
                "another place for programs");
  const std::vector<std::string> steps = steps_of(path);
  for (const std::string& step : steps) {
    const bool is_last = step == steps.back();
    auto status = surroundings.status_of(step, LastLink::kFollow);
    // What is to be created is decided by the directory around it.
    const bool is_around = !is_last && step == directory_of(path);
    const bool is_new = is_around && !surroundings.status_of(path, LastLink::kKeep);
    unsigned wanted = is_last ? (wish.is_about_directory ? 0 : wish.rights) : 1;
    if (is_around && (wish.is_about_directory || is_new)) wanted = 3;
    if (!status || wanted == 0 || has_rights(who, *status, wanted)) continue;
    const std::string words = wanted == 1 && !is_last ? "pass through it" : wish_in_words(wanted);
    return tell(fmt::format("{} ({}) does not let user {} {}", in_message(step), rights_in_words(*status),
                            who.fsuid, words),
                "chmod or chown it, or run as another user");
  }
  auto status = surroundings.status_of(path, LastLink::kFollow);
  if (status && call.error == Errno(EPERM) && who.fsuid != status->st_uid)
    return tell(fmt::format("{} ({}) may be changed so only by its owner", in_message(path),
                            rights_in_words(*status)),
                "run as its owner");
  if (mount.is_read_only)
    return tell(fmt::format("{} is on a read-only mount", in_message(path)), mount.advice);
  tell(fmt::format("{} failed although owner and mode allow it: an access list, an attribute of the file "
                   "(lsattr) or a security module "
                   "refuses",
                   call.row->name),
       "");
}

void explain_space(const FailedCall& call, Surroundings& surroundings, Explanation& out) {
  std::string path = !call.paths.empty() ? call.paths.back() : call.object;
  if (call.event.number == SYS_inotify_add_watch) {
    out.add("why", "this user has as many watches as fs.inotify.max_user_watches allows");
    return;
  }
  if (!path.starts_with('/')) {
    out.add("why", fmt::format("{} failed: {} ({})", call.row->name, call.error.text(), call.error.name()));
    return;
  }
  auto space = surroundings.space_at(path);
  if (!space) space = surroundings.space_at(directory_of(path));
  const MountFacts mount = surroundings.mount_at(path);
  if (space) {
    const auto kibibytes = [&](uint64_t blocks) {
      return blocks * static_cast<uint64_t>(space->f_bsize) / 1024;
    };
    out.add("why", space->f_bavail == 0 || space->f_ffree != 0
                       ? fmt::format("the file system at {} is full: {} KiB of {} KiB are free",
                                     in_message(mount.mountpoint), kibibytes(space->f_bavail),
                                     kibibytes(space->f_blocks))
                       : fmt::format("the file system at {} has no room for another file: 0 of {} are free",
                                     in_message(mount.mountpoint), space->f_files));
  } else {
    out.add("why", fmt::format("the file system at {} is full", in_message(mount.mountpoint)));
  }
  tell_mount(path, surroundings, out);
  out.advise(mount.type == "tmpfs" ? "a larger one (--tmpfs DST:size=...), or fewer files"
                                   : "free some space there");
}

}  // namespace sandbox::trace
