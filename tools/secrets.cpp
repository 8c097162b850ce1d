// Secrets: the table of what is hidden, and its expansion for the caller. sandbox(1) lists the same paths;
// a test compares the two.
#include "tools/secrets.h"

#include <dirent.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "sentry/lifecycle/state_directory.h"
#include "tools/messages.h"
#include "tools/user_lookup.h"

namespace sandbox::tools {
namespace {

// Below a home directory.
constexpr std::string_view kHomeSecrets[] = {
    // Keys and passwords.
    ".ssh",
    ".gnupg",
    ".password-store",
    ".netrc",
    ".git-credentials",
    ".pgpass",
    ".my.cnf",
    ".vault-token",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".config/op",
    ".Xauthority",
    // Clouds and clusters.
    ".aws",
    ".azure",
    ".boto",
    ".config/gcloud",
    ".config/rclone",
    ".kube",
    ".s3cfg",
    ".terraform.d/credentials.tfrc.json",
    // Containers, forges and package registries.
    ".docker",
    ".config/containers/auth.json",
    ".config/gh",
    ".config/hub",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    // Profiles of browsers and mail readers.
    ".mozilla",
    ".thunderbird",
    ".config/google-chrome",
    ".config/chromium",
    ".config/BraveSoftware",
    ".config/microsoft-edge",
    ".config/opera",
    ".config/vivaldi",
    "snap/firefox",
    "snap/chromium",
};

// Sockets through which a program outside would act for the workload, and the buses of each user.
constexpr std::string_view kSystemSecrets[] = {
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/podman",
    "/run/containerd",
    "/run/crio",
    "/run/buildkit",
    "/run/libvirt",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/run/snapd.socket",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/tmp/.X11-unix",
};

// What only root can read anyway. /etc/shadow is not here: installers run as root replace it by rename,
// which a mask forbids, and it holds hashes only.
constexpr std::string_view kRootSecrets[] = {
    "/run/user",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/krb5.keytab",
    "/etc/wireguard",
    "/etc/NetworkManager/system-connections",
};

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The names in a directory that is small, as homes are; nothing for one like /usr/bin, or that cannot be
// read.
std::optional<std::set<std::string, std::less<>>> short_listing(const std::string& directory) {
  constexpr off_t kSmall = 4096;
  struct stat status;
  if (::stat(directory.c_str(), &status) != 0 || status.st_size > kSmall) return std::nullopt;
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (!stream) return std::nullopt;
  std::set<std::string, std::less<>> names;
  while (const dirent* entry = ::readdir(stream.get())) names.insert(entry->d_name);
  return names;
}

// Every account of a machine has a home on paper, few have one on disk and secrets in it: one look into the
// home costs less than to ask for each of them, and this is asked at every start.
void add_secrets_of(const std::string& home, std::vector<std::string>& paths) {
  if (!exists(home)) return;
  const std::string prefix = home == "/" ? "/" : home + "/";
  const auto listing = short_listing(home);
  std::map<std::string_view, bool> known;  // by first component
  for (std::string_view secret : kHomeSecrets) {
    std::string_view first = secret.substr(0, secret.find('/'));
    auto [is_there, is_new] = known.try_emplace(first, false);
    if (is_new) is_there->second = listing ? listing->contains(first) : exists(prefix + std::string(first));
    if (is_there->second) paths.push_back(prefix + std::string(secret));
  }
}

std::vector<std::string> candidates() {
  std::vector<std::string> paths(std::begin(kSystemSecrets), std::end(kSystemSecrets));
  std::set<std::string> homes;
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
    homes.insert(absolute_path(home));
  if (const passwd* entry = ::getpwuid(::getuid()); entry != nullptr)
    homes.insert(absolute_path(entry->pw_dir));
  if (::geteuid() == 0) {
    for (std::string& home : host_home_directories()) homes.insert(std::move(home));
    paths.insert(paths.end(), std::begin(kRootSecrets), std::end(kRootSecrets));
  } else {
    paths.push_back(fmt::format("/run/user/{}", ::getuid()));
  }
  paths.push_back(lifecycle::StateDirectory::own_path());
  for (const char* name : {"SSH_AUTH_SOCK", "XAUTHORITY", "KUBECONFIG"})
    if (const char* path = std::getenv(name); path != nullptr && path[0] == '/') paths.push_back(path);
  for (const std::string& home : homes) add_secrets_of(home, paths);
  return paths;
}

// Those that exist, at their real place, without those that lie inside another.
std::vector<std::string> existing_masks() {
  std::set<std::string> real_paths;  // sorted: a directory comes before what it contains
  for (const std::string& path : candidates())
    if (auto real = real_path(path); real && *real != "/") real_paths.insert(*real);
  std::vector<std::string> masks;
  for (const std::string& path : real_paths)
    if (std::ranges::none_of(masks, [&](const std::string& mask) { return is_within(path, mask); }))
      masks.push_back(path);
  return masks;
}

std::unexpected<RunFailure> inside_mask(std::string_view option, std::string_view path,
                                        std::string_view mask) {
  return std::unexpected(RunFailure{.doing = fmt::format("show {}", printable(path)),
                                    .reason = fmt::format("{} is masked as a whole", printable(mask)),
                                    .advice = fmt::format("{} {}", option, printable(mask))});
}

}  // namespace

Parsed<std::vector<std::string>> secrets_to_mask(const std::vector<std::string>& shown,
                                                 const std::vector<BindMount>& binds) {
  std::vector<std::string> masks = existing_masks();
  for (const std::string& path : shown) {
    std::string reveal = real_path(path).value_or(absolute_path(path));
    for (const std::string& mask : masks)
      if (reveal != mask && is_within(reveal, mask)) return inside_mask("--show", reveal, mask);
    if (std::erase_if(masks, [&](const std::string& mask) { return is_within(mask, reveal); }) == 0)
      warn(fmt::format("--show {}: nothing is masked there", printable(path)));
  }
  std::vector<std::string> moved_masks;
  for (const BindMount& bind : binds) {
    for (const std::string& mask : masks) {
      if (bind.destination != mask && is_within(bind.destination, mask))
        return inside_mask("--show", bind.destination, mask);
      bool is_moved = mask != bind.source && is_within(mask, bind.source);
      std::string below = is_moved ? mask.substr(bind.source == "/" ? 0 : bind.source.size()) : "";
      if (is_moved) moved_masks.push_back((bind.destination == "/" ? "" : bind.destination) + below);
    }
    // A bind on top of a secret is a choice of what to see there.
    std::erase(masks, bind.destination);
  }
  masks.insert(masks.end(), moved_masks.begin(), moved_masks.end());
  std::ranges::sort(masks);
  masks.erase(std::unique(masks.begin(), masks.end()), masks.end());
  return masks;
}

const std::vector<std::string>& secret_variables() {
  static const std::vector<std::string> kNames = {
      "SSH_AUTH_SOCK",     "GPG_AGENT_INFO",      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
      "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN",      "GH_TOKEN",
      "GITLAB_TOKEN",      "NPM_TOKEN",           "VAULT_TOKEN",       "PGPASSWORD",
  };
  return kNames;
}

}  // namespace sandbox::tools
