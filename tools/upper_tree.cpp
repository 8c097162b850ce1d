// UpperTree: walks upper and lower side by side, one directory open at a time.
#include "tools/upper_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "tools/messages.h"

namespace sandbox::tools {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOwnPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";
constexpr int kListable = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

const std::string* overlay_attribute(const ExtendedAttributes& attributes, const char* name) {
  for (const char* prefix : {"trusted.overlay.", "user.overlay."})
    if (auto found = attributes.find(fmt::format("{}{}", prefix, name)); found != attributes.end())
      return &found->second;
  return nullptr;
}

ExtendedAttributes without_overlay(ExtendedAttributes attributes) {
  std::erase_if(attributes, [](const auto& attribute) { return is_overlay_attribute(attribute.first); });
  return attributes;
}

// The layer of a directory that a run kept: it holds "upper" and "work" and nothing else. A bare upper
// directory, of the kernel's overlayfs or an image, is the layer itself.
std::optional<UniqueFd> layer_of_kept_run(int directory) {
  auto names = list_names(directory);
  if (!names || *names != std::vector<std::string>{"upper", "work"}) return std::nullopt;
  auto layer = open_beneath(directory, "upper", kListable);
  if (!layer || !open_beneath(directory, "work", O_PATH | O_DIRECTORY | O_NOFOLLOW)) return std::nullopt;
  return std::move(*layer);
}

// The path of `name` in the directory `parent`.
std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : fmt::format("{}/{}", parent, name);
}

bool has_same_content(int upper_directory, int lower_directory, const std::string& name) {
  auto upper = open_beneath(upper_directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  auto lower = open_beneath(lower_directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!upper || !lower) return false;
  std::string upper_block(1 << 16, '\0'), lower_block(1 << 16, '\0');
  for (off_t offset = 0;; offset += static_cast<off_t>(upper_block.size())) {
    ssize_t upper_length = ::pread(upper->get(), upper_block.data(), upper_block.size(), offset);
    ssize_t lower_length = ::pread(lower->get(), lower_block.data(), lower_block.size(), offset);
    if (upper_length < 0 || upper_length != lower_length) return false;
    if (std::memcmp(upper_block.data(), lower_block.data(), static_cast<size_t>(upper_length)) != 0)
      return false;
    if (static_cast<size_t>(upper_length) < upper_block.size()) return true;
  }
}

std::string link_target(int directory, const std::string& name) {
  char target[4096];
  ssize_t length = ::readlinkat(directory, name.c_str(), target, sizeof target);
  return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

}  // namespace

// One comparison of an upper with a lower.
class UpperTree::Reader {
 public:
  explicit Reader(UpperTree& tree) : tree_(tree) {}

  // Compares the directory `path`. `has_lower`: the lower has a directory there that shows through.
  enum class Lower { kShows, kHidden };
  Parsed<void> read_directory(const std::string& path, Lower lower);

 private:
  struct Entry {
    struct stat status;
    ExtendedAttributes attributes;
  };
  struct Place {
    int upper_directory;
    int lower_directory;  // -1: none
    const std::string& path;
  };

  Parsed<void> read_entry(const Place& place, const std::string& name);
  void add_deletion(const Place& place, const std::string& name);
  uint32_t compare(const Place& place, const std::string& name, const Entry& upper, const struct stat& lower);
  std::unexpected<RunFailure> failure(const std::string& path, Errno error) const;
  std::unexpected<RunFailure> unsupported(const std::string& path, const char* feature) const;

  UpperTree& tree_;
};

std::unexpected<RunFailure> UpperTree::Reader::failure(const std::string& path, Errno error) const {
  return std::unexpected(RunFailure{
      .doing = fmt::format("read the changes of /{}", printable(path)),
      .reason = reason_of(error),
      .advice = error == Errno(EACCES) ? "as the user who made the run, or as root"
                                       : "look whether the run is over and the directory complete"});
}

std::unexpected<RunFailure> UpperTree::Reader::unsupported(const std::string& path,
                                                           const char* feature) const {
  return std::unexpected(RunFailure{
      .doing = fmt::format("read the changes of /{}", printable(path)),
      .reason = fmt::format("it was made with overlayfs's {}, which needs the mounted overlay", feature),
      .advice = fmt::format("a mount with {}=off", feature)});
}

Parsed<void> UpperTree::Reader::read_directory(const std::string& path, Lower lower) {
  auto upper_directory = open_beneath(tree_.root(), path, kListable);
  if (!upper_directory) return failure(path, upper_directory.error());
  UniqueFd lower_directory;
  if (lower == Lower::kShows) {
    auto opened = open_beneath(tree_.lower_.get(), path, kListable);
    // One that may be passed but not listed still tells its names' files.
    if (!opened) opened = open_beneath(tree_.lower_.get(), path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return failure(path, opened.error());
    lower_directory = std::move(*opened);
  }
  auto names = list_names(upper_directory->get());
  if (!names) return failure(path, names.error());
  std::set<std::string> all_names(names->begin(), names->end());

  auto attributes = extended_attributes(upper_directory->get(), ".");
  if (!attributes) return failure(path, attributes.error());
  if (overlay_attribute(*attributes, "redirect") != nullptr) return unsupported(path, "redirect_dir");
  const std::string* opaque = overlay_attribute(*attributes, "opaque");
  bool is_opaque = (opaque != nullptr && *opaque == "y") || all_names.contains(std::string(kOpaqueMarker));
  std::set<std::string> hidden_names;
  if (is_opaque && lower_directory) {
    auto lower_names = list_names(lower_directory.get());
    if (!lower_names) return failure(path, lower_names.error());
    hidden_names = {lower_names->begin(), lower_names->end()};
    all_names.insert(lower_names->begin(), lower_names->end());
  }

  const std::set<std::string> upper_names(names->begin(), names->end());
  Place place{upper_directory->get(), lower_directory ? lower_directory.get() : -1, path};
  for (const std::string& name : all_names) {
    if (!upper_names.contains(name)) {
      if (!upper_names.contains(std::string(kWhiteoutPrefix) + name)) add_deletion(place, name);
    } else if (!name.starts_with(kOwnPrefix)) {
      TRY(read_entry(place, name));
    }
  }
  return {};
}

Parsed<void> UpperTree::Reader::read_entry(const Place& place, const std::string& name) {
  std::string path = join(place.path, name);
  auto status = stat_name(place.upper_directory, name);
  if (!status) return failure(path, status.error());
  auto attributes = extended_attributes(place.upper_directory, name);
  if (!attributes) return failure(path, attributes.error());
  Entry upper{*status, without_overlay(*attributes)};

  bool is_named_whiteout = name.starts_with(kWhiteoutPrefix) && S_ISREG(status->st_mode);
  bool is_whiteout = (S_ISCHR(status->st_mode) && status->st_rdev == 0) ||
                     (S_ISREG(status->st_mode) && status->st_size == 0 &&
                      overlay_attribute(*attributes, "whiteout") != nullptr);
  if (is_named_whiteout || is_whiteout) {
    add_deletion(place, is_named_whiteout ? name.substr(kWhiteoutPrefix.size()) : name);
    return {};
  }
  if (overlay_attribute(*attributes, "metacopy") != nullptr) return unsupported(path, "metacopy");

  Result<struct stat> lower = err(ENOENT);
  if (place.lower_directory >= 0) lower = stat_name(place.lower_directory, name);
  if (!lower && lower.error() != Errno(ENOENT)) return failure(path, lower.error());
  bool is_directory = S_ISDIR(status->st_mode);
  bool is_merged = is_directory && lower && S_ISDIR(lower->st_mode);
  if (!lower) {
    tree_.changes_.push_back({.kind = Change::Kind::kAdded, .path = path, .status = *status});
  } else if (uint32_t differences = compare(place, name, upper, *lower)) {
    tree_.changes_.push_back(
        {.kind = Change::Kind::kModified, .path = path, .status = *status, .differences = differences});
  }
  if (is_directory) return read_directory(path, is_merged ? Lower::kShows : Lower::kHidden);
  return {};
}

void UpperTree::Reader::add_deletion(const Place& place, const std::string& name) {
  if (place.lower_directory < 0) return;
  // A name that the lower no longer has needs no deletion.
  auto lower = stat_name(place.lower_directory, name);
  if (lower)
    tree_.changes_.push_back(
        {.kind = Change::Kind::kDeleted, .path = join(place.path, name), .status = *lower});
}

uint32_t UpperTree::Reader::compare(const Place& place, const std::string& name, const Entry& upper,
                                    const struct stat& lower) {
  const struct stat& status = upper.status;
  if ((status.st_mode & S_IFMT) != (lower.st_mode & S_IFMT)) return kDiffersInType;
  uint32_t differences = 0;
  if (S_ISREG(status.st_mode) && (status.st_size != lower.st_size ||
                                  !has_same_content(place.upper_directory, place.lower_directory, name)))
    differences |= kDiffersInContent;
  if (S_ISLNK(status.st_mode) &&
      link_target(place.upper_directory, name) != link_target(place.lower_directory, name))
    differences |= kDiffersInContent;
  if ((S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) && status.st_rdev != lower.st_rdev)
    differences |= kDiffersInContent;
  if (status.st_mode != lower.st_mode) differences |= kDiffersInMode;
  if (status.st_uid != lower.st_uid || status.st_gid != lower.st_gid) differences |= kDiffersInOwner;
  bool has_same_time =
      status.st_mtim.tv_sec == lower.st_mtim.tv_sec && status.st_mtim.tv_nsec == lower.st_mtim.tv_nsec;
  if (!S_ISDIR(status.st_mode) && !has_same_time) differences |= kDiffersInTimes;
  auto lower_attributes = extended_attributes(place.lower_directory, name);
  if (!lower_attributes || without_overlay(*lower_attributes) != upper.attributes)
    differences |= kDiffersInAttributes;
  return differences;
}

Parsed<UpperTree> UpperTree::read(const std::string& upper, const std::string& lower) {
  UpperTree tree;
  auto open_root = [](const std::string& path, UniqueFd& root, const char* advice) -> Parsed<void> {
    root.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root) return {};
    return std::unexpected(RunFailure{.doing = fmt::format("open {}", printable(path)),
                                      .reason = reason_of(Errno::last()),
                                      .advice = advice});
  };
  TRY(open_root(upper, tree.upper_, "the directory that was given to `sandbox run --keep`"));
  if (auto layer = layer_of_kept_run(tree.upper_.get())) tree.upper_ = std::move(*layer);
  TRY(open_root(lower, tree.lower_, "the directory that was given to `sandbox run --rootfs`"));
  TRY(Reader(tree).read_directory("", Reader::Lower::kShows));
  std::ranges::stable_sort(tree.changes_, {}, [](const Change& change) {
    // Slashes sort first, so that a directory's contents follow it before "name-1" does.
    std::string key = change.path;
    std::ranges::replace(key, '/', '\1');
    return key;
  });
  return tree;
}

bool is_overlay_attribute(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

const char* type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    default:
      return "unknown";
  }
}

char letter_of(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kAdded:
      return 'A';
    case Change::Kind::kModified:
      return 'M';
    case Change::Kind::kDeleted:
      return 'D';
  }
  return '?';
}

std::vector<const char*> risks_of(const UpperTree& tree, const Change& change) {
  std::vector<const char*> risks;
  mode_t mode = change.status.st_mode;
  if (change.kind == Change::Kind::kDeleted) return risks;
  if (S_ISREG(mode) && (mode & S_ISUID) != 0) risks.push_back("setuid");
  if (S_ISREG(mode) && (mode & S_ISGID) != 0) risks.push_back("setgid");
  if (S_ISCHR(mode) || S_ISBLK(mode)) risks.push_back("device");
  SplitPath split = split_path(change.path);
  auto parent = open_beneath(tree.root(), split.parent, O_PATH | O_DIRECTORY);
  auto attributes = parent ? extended_attributes(parent->get(), split.name) : ExtendedAttributes{};
  if (attributes && attributes->contains("security.capability")) risks.push_back("capabilities");
  return risks;
}

}  // namespace sandbox::tools
