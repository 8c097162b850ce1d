// Users of the root file system: names and numbers to ids, from its own /etc/passwd and /etc/group.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/run_options.h"

namespace sandbox::tools {

struct FoundUser {
  SandboxConfig::User ids;
  std::string name;  // empty: no entry
  std::string home;  // empty: no entry
};

// USER[:GROUP], each a name or a number, as docker's --user: the group left out is the user's own of
// /etc/passwd (0 without an entry), and then the supplementary groups of /etc/group count too.
// The files are found below the roots without leaving them, in the first of an image's layers that has them
// or hides those of the layers below.
struct UserDatabase {
  std::vector<std::string> roots;  // host directories, the topmost layer first
  std::string name;                // what a person calls the root; empty: the host's own

  static UserDatabase of_rootfs(const std::string& rootfs);
};
Parsed<FoundUser> look_up_user(const UserDatabase& database, std::string_view text);

// The home directories that the host's /etc/passwd names, without duplicates.
std::vector<std::string> host_home_directories();

}  // namespace sandbox::tools
