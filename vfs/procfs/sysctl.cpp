// /proc/sys: the tree that the sysctl table describes.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

#include "vfs/procfs/context.h"
#include "vfs/procfs/random_uuid.h"
#include "vfs/procfs/sysctl_table.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// ---- values that only this sandbox knows ----

Result<std::string> generate_hostname(Procfs& procfs) { return procfs.kernel().hostname() + "\n"; }
Result<std::string> generate_boot_id(Procfs& procfs) { return procfs.boot_id() + "\n"; }
Result<std::string> generate_uuid(Procfs&) { return random_uuid() + "\n"; }

Result<std::string> generate_last_pid(Procfs& procfs) {
  std::vector<pid_t> pids = procfs.kernel().process_ids();
  return fmt::format("{}\n", pids.empty() ? 0 : pids.back());
}

template <auto member>
Result<std::string> generate_uname(Procfs&) {
  utsname name;
  if (::uname(&name) < 0) return last_error();
  return fmt::format("{}\n", name.*member);
}

struct LiveValue {
  const char* path;
  Result<std::string> (*generate)(Procfs& procfs);
};
constexpr LiveValue kLiveValues[] = {
    {"kernel/hostname", generate_hostname},
    {"kernel/random/boot_id", generate_boot_id},
    {"kernel/random/uuid", generate_uuid},
    {"kernel/ns_last_pid", generate_last_pid},
    {"kernel/ostype", generate_uname<&utsname::sysname>},
    {"kernel/osrelease", generate_uname<&utsname::release>},
    {"kernel/version", generate_uname<&utsname::version>},
};

// ---- the tree ----

// Whether the reader lives in the sentry's own network namespace (--net host), whose values are then its own.
bool shares_network(Procfs& procfs, const Caller* caller) {
  if (caller == nullptr) return false;
  int proc = procfs.kernel().host_proc();
  auto self = read_host_link(proc, "self");
  if (!self) return false;
  auto mine = read_host_link(proc, *self + "/ns/net");
  auto theirs = read_host_link(proc, fmt::format("{}/ns/net", caller->host_tid));
  return mine && theirs && *mine == *theirs;
}

// As the kernel prints what was written: several numbers with a tab between them.
std::string printed(std::string_view written) {
  std::string text;
  while (!written.empty()) {
    std::string_view word = take_word(&written);
    if (!text.empty() && !word.empty()) text += '\t';
    text += word;
  }
  return text + "\n";
}

Result<std::string> read_value(Procfs& procfs, const Sysctl& row, const Caller* caller) {
  const auto& configured = procfs.options_of_mount().sysctls;
  if (auto found = configured.find(std::string_view(row.path)); found != configured.end())
    return printed(found->second);
  bool is_of_host = row.source == Sysctl::Source::kHost ||
                    (row.source == Sysctl::Source::kNetwork && shares_network(procfs, caller));
  if (is_of_host) {
    auto text = read_host_file(procfs.kernel().host_proc(), fmt::format("sys/{}", row.path));
    if (text) return text;
  }
  return fmt::format("{}\n", row.value);
}

// Every network namespace has these three whatever its interfaces are called.
constexpr const char* kInterfaces[] = {"all", "default", "lo"};

// "net/ipv4/conf/*/forwarding"
std::string path_for(const Sysctl& row, const char* interface) {
  std::string_view path = row.path;
  size_t star = path.find('*');
  return fmt::format("{}{}{}", path.substr(0, star), interface, path.substr(star + 1));
}

bool has_row(const std::string& path) {
  auto is_it = [&](const auto& row) { return path == row.path; };
  return std::ranges::any_of(sysctl_table(), is_it) || std::ranges::any_of(kLiveValues, is_it) ||
         std::ranges::any_of(interface_sysctl_table(), [&](const Sysctl& row) {
           return std::ranges::any_of(
               kInterfaces, [&](const char* interface) { return path == path_for(row, interface); });
         });
}

void add(Procfs& procfs, FixedDirectory& sys, std::string_view path, mode_t permissions,
         GeneratedFile::Generator generate) {
  size_t slash = path.rfind('/');
  FixedDirectory& directory = sys.directory_at(path.substr(0, slash));
  std::string name(path.substr(slash + 1));
  directory.add(name, std::make_shared<GeneratedFile>(procfs, directory.inode_for(name), permissions,
                                                      std::move(generate)));
}

}  // namespace

void add_sysctls(Procfs& procfs, FixedDirectory& sys) {
  for (const Sysctl& row : sysctl_table())
    add(procfs, sys, row.path, row.permissions,
        [&procfs, &row](const Caller* caller) { return read_value(procfs, row, caller); });
  for (const Sysctl& row : interface_sysctl_table()) {
    for (const char* interface : kInterfaces) {
      std::string own = path_for(row, interface);
      add(procfs, sys, own, row.permissions, [&procfs, &row, own](const Caller* caller) {
        Sysctl here = row;
        here.path = own.c_str();
        return read_value(procfs, here, caller);
      });
    }
  }
  // Of an interface with a name of its own, or newer than the table.
  for (const auto& [path, value] : procfs.options_of_mount().sysctls)
    if (!has_row(path))
      add(procfs, sys, path, 0644,
          [text = printed(value)](const Caller*) -> Result<std::string> { return text; });
  for (const LiveValue& row : kLiveValues)
    add(procfs, sys, row.path, 0444, [&procfs, &row](const Caller*) { return row.generate(procfs); });
}

}  // namespace sandbox::vfs
