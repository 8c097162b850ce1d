// Users of the root file system; the files are the rootfs's own, so they are parsed here and not by NSS.
#include "tools/user_lookup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "sandbox/numbers.h"
#include "sandbox/unique_fd.h"
#include "tools/messages.h"

namespace sandbox::tools {
namespace {

constexpr size_t kLongestFile = 16 << 20;  // a user database larger than this is none

UniqueFd open_in_root(int root, const std::string& path, int flags) {
  open_how how{.flags = static_cast<uint64_t>(flags | O_CLOEXEC),
               .mode = 0,
               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

// As a kept upper has it (vfs/overlayfs/layer.h).
bool is_kernels_whiteout(int root, const std::string& path) {
  UniqueFd object = open_in_root(root, path, O_PATH | O_NOFOLLOW);
  struct stat status;
  return object && ::fstat(object.get(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

// Whether a layer lets no file `name` of /etc in the layers below be seen.
bool hides(int root, const std::string& name) {
  if (is_kernels_whiteout(root, "etc") || is_kernels_whiteout(root, "etc/" + name)) return true;
  for (const std::string& marker :
       {std::string(".wh.etc"), std::string("etc/.wh..wh..opq"), "etc/.wh." + name})
    if (open_in_root(root, marker, O_PATH | O_NOFOLLOW)) return true;
  return false;
}

UniqueFd open_database(const std::vector<std::string>& roots, const std::string& name) {
  for (const std::string& path : roots) {
    UniqueFd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    UniqueFd file = open_in_root(root.get(), "etc/" + name, O_RDONLY | O_NONBLOCK);
    if (file || hides(root.get(), name)) return file;
  }
  return {};
}

// The fields of each line of /etc/`name`, split at colons. Empty when the file is missing.
std::vector<std::vector<std::string>> read_database(const std::vector<std::string>& roots, const char* name) {
  UniqueFd file = open_database(roots, name);
  std::string text;
  char buffer[65536];
  while (file && text.size() < kLongestFile) {
    ssize_t length = ::read(file.get(), buffer, sizeof buffer);
    if (length <= 0) break;
    text.append(buffer, static_cast<size_t>(length));
  }
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> fields(1);
  for (char letter : text) {
    if (letter == '\n') {
      lines.push_back(std::exchange(fields, std::vector<std::string>(1)));
    } else if (letter == ':') {
      fields.emplace_back();
    } else {
      fields.back() += letter;
    }
  }
  lines.push_back(std::move(fields));
  return lines;
}

std::optional<uint32_t> number_of(std::string_view text) {
  auto number = parse_number<uint32_t>(text);
  if (number == UINT32_MAX) return std::nullopt;  // means "no id" to the kernel
  return number;
}

bool lists_member(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    std::string_view member = members.substr(0, members.find(','));
    members.remove_prefix(std::min(members.size(), member.size() + 1));
    if (member == name) return true;
  }
  return false;
}

std::unexpected<RunFailure> unknown(const char* what, std::string_view name, const char* path,
                                    const UserDatabase& database) {
  return std::unexpected(
      RunFailure{.doing = fmt::format("run as {} `{}`", what, printable(name)),
                 .reason = fmt::format("{}{} has no such {}", printable(database.name), path, what),
                 .advice = "its number instead of its name"});
}

Parsed<gid_t> look_up_group(const UserDatabase& database, std::string_view text) {
  if (auto number = number_of(text)) return *number;
  for (const auto& fields : read_database(database.roots, "group"))
    if (fields.size() >= 3 && fields[0] == text)
      if (auto number = number_of(fields[2])) return *number;
  return unknown("group", text, "/etc/group", database);
}

std::vector<gid_t> supplementary_groups(const UserDatabase& database, const std::string& name) {
  std::vector<gid_t> groups;
  for (const auto& fields : read_database(database.roots, "group"))
    if (fields.size() >= 4 && lists_member(fields[3], name))
      if (auto number = number_of(fields[2])) groups.push_back(*number);
  return groups;
}

}  // namespace

UserDatabase UserDatabase::of_rootfs(const std::string& rootfs) {
  return {.roots = {rootfs}, .name = rootfs == "/" ? "" : rootfs};
}

Parsed<FoundUser> look_up_user(const UserDatabase& database, std::string_view text) {
  size_t colon = text.find(':');
  std::string_view user_text = text.substr(0, colon);
  FoundUser found;
  std::optional<uint32_t> uid = number_of(user_text);
  std::optional<uint32_t> gid;
  for (const auto& fields : read_database(database.roots, "passwd")) {
    if (fields.size() < 6) continue;
    auto entry_uid = number_of(fields[2]);
    bool is_match = fields[0] == user_text || (uid && entry_uid == uid);
    if (user_text.empty() || !is_match || !entry_uid) continue;
    uid = entry_uid;
    gid = number_of(fields[3]);
    found.name = fields[0];
    found.home = fields[5];
    break;
  }
  if (!uid) return unknown("user", user_text, "/etc/passwd", database);
  found.ids = {.uid = *uid, .gid = gid.value_or(0), .groups = {}};
  if (colon != std::string_view::npos)
    found.ids.gid = TRY(look_up_group(database, text.substr(colon + 1)));
  else if (!found.name.empty())
    found.ids.groups = supplementary_groups(database, found.name);
  return found;
}

std::vector<std::string> host_home_directories() {
  std::set<std::string> homes;
  for (const auto& fields : read_database({"/"}, "passwd"))
    if (fields.size() >= 6 && fields[5].starts_with('/')) homes.insert(absolute_path(fields[5]));
  return {homes.begin(), homes.end()};
}

}  // namespace sandbox::tools
