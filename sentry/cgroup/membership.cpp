// Parsing what proc(5) and cgroups(7) describe.
#include "sentry/cgroup/membership.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

namespace sandbox::cgroup {

namespace {

// mountinfo writes space, tab, newline and backslash as \ooo (proc(5)).
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    if (text[at] == '\\' && at + 3 < text.size() &&
        std::from_chars(text.data() + at + 1, text.data() + at + 4, code, 8).ptr == text.data() + at + 4) {
      plain += static_cast<char>(code);
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

bool Membership::has(std::string_view controller) const {
  std::vector<std::string_view> all = split(controllers, ',');
  return std::ranges::find(all, controller) != all.end();
}

std::vector<Membership> parse_memberships(std::string_view text) {
  std::vector<Membership> memberships;
  for (std::string_view line : split(text, '\n')) {
    size_t first = line.find(':');
    size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    Membership membership{.controllers = line.substr(first + 1, second - first - 1),
                          .path = line.substr(second + 1)};
    auto [end, status] = std::from_chars(line.data(), line.data() + first, membership.number);
    bool is_number = status == std::errc() && end == line.data() + first;
    bool is_unified = membership.number == 0 && membership.controllers.empty();
    membership.version = is_unified ? HierarchyVersion::kV2 : HierarchyVersion::kV1;
    if (is_number && membership.path.starts_with('/') && (is_unified || !membership.controllers.empty()))
      memberships.push_back(membership);
  }
  return memberships;
}

std::vector<HierarchyMount> parse_hierarchy_mounts(std::string_view mountinfo) {
  std::vector<HierarchyMount> mounts;
  for (std::string_view line : split(mountinfo, '\n')) {
    size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    std::vector<std::string_view> place = split(line.substr(0, dash), ' ');
    std::vector<std::string_view> kind = split(line.substr(dash + 3), ' ');
    if (place.size() < 5 || kind.size() < 3) continue;
    if (kind[0] != "cgroup" && kind[0] != "cgroup2") continue;
    mounts.push_back({.version = kind[0] == "cgroup2" ? HierarchyVersion::kV2 : HierarchyVersion::kV1,
                      .root = unescaped(place[3]),
                      .point = unescaped(place[4]),
                      .options = split(kind.back(), ',')});
  }
  return mounts;
}

bool HierarchyMount::is_of(const Membership& membership) const {
  if (version != membership.version) return false;
  return std::ranges::all_of(split(membership.controllers, ','), [&](std::string_view controller) {
    return std::ranges::find(options, controller) != options.end();
  });
}

std::optional<std::string_view> HierarchyMount::path_below(std::string_view path) const {
  std::string_view top = root == "/" ? std::string_view() : root;
  if (path == "/") path = "";
  if (!path.starts_with(top) || path.contains("/..")) return std::nullopt;
  path.remove_prefix(top.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

GroupDirectory open_group(const Membership& membership, const std::vector<HierarchyMount>& mounts,
                          const std::string& prefix) {
  GroupDirectory best;
  for (const HierarchyMount& mount : mounts) {
    if (!mount.is_of(membership)) continue;
    auto rest = mount.path_below(membership.path);
    if (!rest) continue;
    size_t ancestors = std::ranges::count(*rest, '/');
    if (best && ancestors <= best.ancestor_count) continue;
    std::string place = mount.point + std::string(*rest);
    UniqueFd directory(::open((prefix + place).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) continue;
    best = {.directory = std::move(directory),
            .version = membership.version,
            .path = std::string(membership.path),
            .host_path = std::move(place),
            .ancestor_count = ancestors};
  }
  return best;
}

}  // namespace sandbox::cgroup
