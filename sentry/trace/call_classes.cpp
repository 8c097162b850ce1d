// Which calls belong to which class: files and descriptors by the table's types, the others by name.
#include "sentry/trace/call_classes.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>

namespace sandbox::trace {

namespace {

bool names_path(const SyscallRow& row) {
  return std::ranges::any_of(row.arguments(),
                             [](const auto& argument) { return argument.kind == ArgumentKind::kPath; }) ||
         row.name == "getcwd";
}

bool names_descriptor(const SyscallRow& row) {
  return row.signature.result_type == "Fd" || std::ranges::any_of(row.arguments(), [](const auto& argument) {
           return argument.kind == ArgumentKind::kDescriptor || argument.type_name == "DescriptorPair" ||
                  argument.type_name == "DescriptorSet" || argument.type_name == "InOut<struct pollfd>";
         });
}

struct NamedClass {
  std::string_view name;
  std::string_view members;  // globs, with a space before and behind each
};
// From the most telling to the least: class_of takes the first.
constexpr NamedClass kNamedClasses[] = {
    {"process",
     " execve execveat fork vfork clone clone3 exit exit_group wait4 waitid kill tkill tgkill "
     "rt_sigqueueinfo "
     "rt_tgsigqueueinfo pidfd_* unshare setns process_* "},
    {"signal",
     " rt_sig* sigaltstack signalfd signalfd4 pause kill tkill tgkill rt_tgsigqueueinfo pidfd_send_signal "},
    {"net",
     " socket socketpair bind connect listen accept accept4 getsockname getpeername send* recv* shutdown "
     "setsockopt getsockopt "},
    {"memory",
     " mmap munmap mprotect pkey_* mremap brk madvise process_madvise msync mincore mlock* munlock* mbind "
     "*mempolicy* move_pages migrate_pages remap_file_pages shmat shmdt memfd_secret map_shadow_stack "
     "mseal "},
    {"ipc", " shm* sem* msg* mq_* "},
    {"clock", " clock_* gettimeofday settimeofday time adjtimex nanosleep times timer_* timerfd_* "},
    {"creds", " get*uid get*gid set*uid set*gid getgroups setgroups capget capset setfs* prctl "},
};

bool is_member(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    size_t end = members.find(' ');
    std::string pattern(members.substr(0, end));
    members.remove_prefix(end == std::string_view::npos ? members.size() : end + 1);
    if (!pattern.empty() && ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0) return true;
  }
  return false;
}

// Whether the word is a class at all; its members go into `found`.
bool add_class(std::string_view name, platform::CallSet& found) {
  for (const NamedClass& named : kNamedClasses) {
    if (named.name != name && !(named.name == "net" && name == "network")) continue;
    for (const SyscallRow& row : syscall_rows())
      if (is_member(named.members, row.name)) found.add(row.number);
    return true;
  }
  if (name != "file" && name != "desc") return false;
  for (const SyscallRow& row : syscall_rows())
    if (name == "file" ? names_path(row) : names_descriptor(row)) found.add(row.number);
  return true;
}

bool add_member(std::string_view word, platform::CallSet& found) {
  if (word == "none") return true;
  if (word == "all") {
    found = platform::CallSet::all();
    return true;
  }
  if (word.starts_with('%')) return add_class(word.substr(1), found);
  const std::string pattern(word);
  bool is_known = false;
  for (const SyscallRow& row : syscall_rows()) {
    if (::fnmatch(pattern.c_str(), std::string(row.name).c_str(), 0) != 0) continue;
    found.add(row.number);
    is_known = true;
  }
  return is_known;
}

}  // namespace

std::expected<platform::CallSet, std::string> parse_call_set(std::string_view text) {
  platform::CallSet set;
  const bool starts_full = text.starts_with('!');
  if (starts_full) set = platform::CallSet::all();
  bool takes_away = false;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.starts_with('!')) {
      takes_away = true;
      word.remove_prefix(1);
    } else if (!starts_full) {
      takes_away = false;
    }
    platform::CallSet found;
    if (!add_member(word, found))
      return std::unexpected(fmt::format("`{}` is neither a system call nor a class of them", word));
    takes_away ? set.remove(found) : set.add(found);
  }
  return set;
}

std::string_view class_of(const SyscallRow& row) {
  for (const NamedClass& named : kNamedClasses)
    if (is_member(named.members, row.name)) return named.name;
  if (names_path(row)) return "file";
  return names_descriptor(row) ? "desc" : "other";
}

}  // namespace sandbox::trace
