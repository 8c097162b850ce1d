// Making files from entries: no path is walked through a link, and nothing is written but below the root.
#include "tools/image/tree_builder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "sandbox/errno.h"
#include "sandbox/path_components.h"
#include "sandbox/write_all.h"
#include "sentry/failure.h"
#include "tools/host_tree.h"
#include "vfs/overlayfs/layer.h"
#include "vfs/overlayfs/work_directory.h"

namespace sandbox::tools::image {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kCapability = "security.capability";

std::unexpected<std::string> bad(const std::string& path, std::string_view reason) {
  return std::unexpected(fmt::format("the entry {} {}", path, reason));
}

std::unexpected<std::string> bad(const std::string& path, Errno error) {
  return bad(path, fmt::format("cannot be made: {}", reason_in_words(error)));
}

// Why a name is not to be made; null: it may be. `path` has no slash before or behind it.
const char* fault_of(const std::string& path) {
  if (path.size() >= PATH_MAX) return "has a name longer than 4095 bytes";
  const std::vector<std::string_view> components = path_components(path);
  for (const std::string_view& component : components) {
    if (component == "..") return "has .. in its name";
    if (component.size() > NAME_MAX) return "has a component longer than 255 bytes";
    const bool is_last = &component == &components.back();
    if (!is_last && component.starts_with(kWhiteoutPrefix)) return "lies below a whiteout";
  }
  return nullptr;
}

// Without "." components and doubled slashes.
std::string clean(const std::string& path) {
  std::string cleaned;
  for (std::string_view component : path_components(path)) {
    if (!cleaned.empty()) cleaned += '/';
    cleaned += component;
  }
  return cleaned;
}

bool is_kept_attribute(std::string_view name) {
  if (name == kCapability) return true;
  const bool is_ours = vfs::is_layer_xattr(name) || vfs::is_record_xattr(name);
  return name.starts_with("user.") && !is_ours;
}

}  // namespace

struct TreeBuilder::Attributes {
  vfs::OwnerRecord record;
  uint64_t size;
  timespec times[2];
  std::vector<std::pair<std::string, std::string>> extended;

  explicit Attributes(archive_entry* entry);
};

TreeBuilder::Attributes::Attributes(archive_entry* entry)
    : size(static_cast<uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)))) {
  record.uid = static_cast<uid_t>(archive_entry_uid(entry));
  record.gid = static_cast<gid_t>(archive_entry_gid(entry));
  // What no id can be was a negative or too large number.
  if (archive_entry_uid(entry) < 0 || archive_entry_uid(entry) >= UINT32_MAX) record.uid = 0;
  if (archive_entry_gid(entry) < 0 || archive_entry_gid(entry) >= UINT32_MAX) record.gid = 0;
  record.mode = archive_entry_perm(entry) & 07777;
  times[0] = times[1] = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  const char* name = nullptr;
  const void* value = nullptr;
  size_t value_size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &value_size) == ARCHIVE_OK) {
    if (name != nullptr && is_kept_attribute(name))
      extended.emplace_back(name, std::string(static_cast<const char*>(value), value_size));
  }
}

Worded<UniqueFd> TreeBuilder::descend(int directory, const std::string& name, const std::string& path) {
  auto open_it = [&] {
    return UniqueFd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  };
  UniqueFd opened = open_it();
  if (opened) return opened;
  if (errno != ENOENT) return bad(path, "lies below something that is no directory");
  if (++entries_ > limits_.entries) return bad(path, "is more than a layer may have");
  if (::mkdirat(directory, name.c_str(), 0700) != 0) return bad(path, Errno::last());
  opened = open_it();
  if (!opened) return bad(path, Errno::last());
  if (auto owned = set_owner(opened.get(), path, {.uid = 0, .gid = 0, .mode = 0755}); !owned)
    return std::unexpected(owned.error());
  return opened;
}

Worded<UniqueFd> TreeBuilder::directory_at(const std::string& path) {
  auto opened = open_beneath(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (opened) return *std::move(opened);
  if (opened.error() != Errno(ENOENT)) return bad(path, "is a way through something that is no directory");
  UniqueFd at(::openat(root_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return bad(path, Errno::last());
  for (std::string_view component : path_components(path))
    at = TRY(descend(at.get(), std::string(component), path));
  return at;
}

Worded<TreeBuilder::Place> TreeBuilder::place_of(const std::string& path) {
  SplitPath split = split_path(path);
  return Place{TRY(directory_at(split.parent)), path, split.name};
}

// Takes away what an earlier entry of the same name made; a directory stays one.
Worded<void> TreeBuilder::make_room(const Place& place, mode_t type) {
  auto status = stat_name(place.directory.get(), place.name);
  if (!status) return {};
  if (S_ISDIR(type) && S_ISDIR(status->st_mode)) return {};
  auto removed = vfs::remove_host_tree({place.directory.get(), place.name.c_str()});
  if (!removed) return bad(place.path, removed.error());
  return {};
}

Worded<void> TreeBuilder::set_owner(int file, const std::string& path, const vfs::OwnerRecord& record) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return bad(path, Errno::last());
  const bool is_held = ownership_ == Ownership::kNative && !record.is_device() &&
                       ::fchown(file, record.uid, record.gid) == 0 &&
                       ::fchmod(file, record.mode & 07777) == 0;
  if (is_held) return {};
  const std::string text = record.text();
  if (::fsetxattr(file, vfs::kOwnerRecordXattr, text.data(), text.size(), 0) != 0)
    return bad(path, fmt::format("has an owner that the store cannot keep: {} (XDG_DATA_HOME can name a file "
                                 "system with extended attributes)",
                                 reason_in_words(Errno::last())));
  if (::fchmod(file, vfs::mode_on_host((status.st_mode & S_IFMT) | record.mode)) != 0)
    return bad(path, Errno::last());
  return {};
}

Worded<void> TreeBuilder::finish_object(int file, const std::string& path, const Attributes& attributes) {
  // Before a native mode takes the right to write them away.
  for (const auto& [name, value] : attributes.extended) {
    if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (name == kCapability && ownership_ == Ownership::kRecorded)
      (void)::fsetxattr(file, vfs::kCapabilityRecordXattr, value.data(), value.size(), 0);
    else if (name != kCapability && errno != EOPNOTSUPP && errno != EPERM)
      return bad(path, fmt::format("has an attribute {} that cannot be set: {}", name,
                                   reason_in_words(Errno::last())));
  }
  if (auto owned = set_owner(file, path, attributes.record); !owned) return owned;
  if (::futimens(file, attributes.times) != 0) return bad(path, Errno::last());
  return {};
}

Worded<void> TreeBuilder::write_content(int file, const std::string& path, archive* reader, uint64_t size) {
  if (size > limits_.file_bytes) return bad(path, "is larger than a file of a layer may be");
  for (;;) {
    const void* data = nullptr;
    size_t count = 0;
    la_int64_t offset = 0;
    int status = archive_read_data_block(reader, &data, &count, &offset);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return bad(path, fmt::format("ends early: {}", words_of(reader)));
    bytes_ += count;
    if (bytes_ > limits_.content_bytes) return bad(path, "is more content than a layer may have");
    if (offset < 0 || static_cast<uint64_t>(offset) + count > size)
      return bad(path, "has content beyond its size");
    auto written = write_all_at(file, std::string_view(static_cast<const char*>(data), count), offset);
    if (!written) return bad(path, written.error());
  }
  if (::ftruncate(file, static_cast<off_t>(size)) != 0) return bad(path, Errno::last());
  return {};
}

Worded<void> TreeBuilder::add_directory(const Place& place, const Attributes& attributes) {
  if (!place.name.empty() && ::mkdirat(place.directory.get(), place.name.c_str(), 0700) != 0 &&
      errno != EEXIST)
    return bad(place.path, Errno::last());
  UniqueFd opened(::openat(place.directory.get(), place.name.empty() ? "." : place.name.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) return bad(place.path, Errno::last());
  directory_times_.emplace_back(place.path, attributes.times[1]);
  return finish_object(opened.get(), place.path, attributes);
}

Worded<void> TreeBuilder::add_file(const Place& place, const Attributes& attributes, archive* reader) {
  UniqueFd file(::openat(place.directory.get(), place.name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return bad(place.path, Errno::last());
  if (reader != nullptr)
    if (auto written = write_content(file.get(), place.path, reader, attributes.size); !written)
      return written;
  return finish_object(file.get(), place.path, attributes);
}

// Symbolic links and FIFOs, which can have no owner record.
Worded<void> TreeBuilder::add_special(const Place& place, const Attributes& attributes,
                                      archive_entry* entry) {
  const int directory = place.directory.get();
  const char* name = place.name.c_str();
  const bool is_link = archive_entry_filetype(entry) == AE_IFLNK;
  const char* target = is_link ? archive_entry_symlink(entry) : nullptr;
  if (is_link && (target == nullptr || *target == '\0' || std::strlen(target) >= PATH_MAX))
    return bad(place.path, "is a symbolic link without a target");
  if ((is_link ? ::symlinkat(target, directory, name) : ::mknodat(directory, name, S_IFIFO | 0600, 0)) != 0)
    return bad(place.path, Errno::last());
  if (ownership_ == Ownership::kNative) {
    (void)::fchownat(directory, name, attributes.record.uid, attributes.record.gid, AT_SYMLINK_NOFOLLOW);
    if (!is_link) (void)::fchmodat(directory, name, attributes.record.mode, 0);
  }
  if (::utimensat(directory, name, attributes.times, AT_SYMLINK_NOFOLLOW) != 0)
    return bad(place.path, Errno::last());
  return {};
}

Worded<void> TreeBuilder::add_hard_link(const Place& place, const std::string& target) {
  if (const char* fault = fault_of(target); fault != nullptr || target.empty())
    return bad(place.path, fmt::format("is a hard link to {}, which is no place in the layer", target));
  SplitPath split = split_path(target);
  auto from = open_beneath(root_, split.parent, O_PATH | O_DIRECTORY);
  if (!from || ::linkat(from->get(), split.name.c_str(), place.directory.get(), place.name.c_str(), 0) != 0) {
    const bool is_missing = !from || errno == ENOENT || errno == EPERM;
    return is_missing
               ? bad(place.path, fmt::format("is a hard link to {}, which is no file of the layer", target))
               : bad(place.path, Errno::last());
  }
  return {};
}

Worded<void> TreeBuilder::add_whiteout(const Place& place) {
  std::string_view hidden = std::string_view(place.name).substr(kWhiteoutPrefix.size());
  const bool is_opaque = place.name == vfs::kOpaqueMarker;
  if (hidden.starts_with(kWhiteoutPrefix) && !is_opaque) return {};
  if (hidden.empty() || hidden == "." || hidden == "..") return bad(place.path, "is a whiteout of no name");
  UniqueFd file(
      ::openat(place.directory.get(), place.name.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return bad(place.path, Errno::last());
  return {};
}

Worded<void> TreeBuilder::add(archive* reader, archive_entry* entry) {
  const std::string path = clean(member_name(entry));
  if (++entries_ > limits_.entries) return bad(path, "is more than a layer may have");
  if (archive_entry_pathname(entry) == nullptr) return bad(path, "has no name");
  if (const char* fault = fault_of(path)) return bad(path, fault);
  Attributes attributes(entry);
  const char* link_target = archive_entry_hardlink(entry);
  const mode_t type = link_target != nullptr ? static_cast<mode_t>(S_IFREG) : archive_entry_filetype(entry);
  if (path.empty() && type != S_IFDIR) return bad(path, "has no name");
  Place place = TRY(place_of(path));
  if (place.name.starts_with(kWhiteoutPrefix)) return add_whiteout(place);
  const std::string target = link_target == nullptr ? "" : clean(link_target);
  // A link to itself would otherwise remove what it names.
  if (link_target != nullptr && target == path) return bad(path, "is a hard link to itself");
  if (!path.empty()) TRY(make_room(place, type));
  if (link_target != nullptr) return add_hard_link(place, target);
  switch (type) {
    case S_IFDIR:
      return add_directory(place, attributes);
    case S_IFREG:
      return add_file(place, attributes, reader);
    case S_IFLNK:
    case S_IFIFO:
      return add_special(place, attributes, entry);
    case S_IFCHR:
    case S_IFBLK:
      if (ownership_ == Ownership::kNative) return {};
      attributes.record.mode |= type;
      attributes.record.device = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
      return add_file(place, attributes, nullptr);
    default:
      return bad(path, "has an unknown type");
  }
}

Worded<void> TreeBuilder::finish() {
  for (auto directory = directory_times_.rbegin(); directory != directory_times_.rend(); ++directory) {
    auto opened = open_beneath(root_, directory->first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) continue;  // a later entry took its place
    const timespec times[2] = {directory->second, directory->second};
    if (::futimens(opened->get(), times) != 0) return bad(directory->first, Errno::last());
  }
  return {};
}

}  // namespace sandbox::tools::image
