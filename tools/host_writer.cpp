// HostWriter: temporary name, content, owner, mode, attributes, times, rename.
#include "tools/host_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "tools/messages.h"

namespace sandbox::tools {
namespace {

constexpr int kPassable = O_PATH | O_DIRECTORY | O_NOFOLLOW;

// Owner, mode, attributes and times of `status` for the file that `target` (O_PATH is enough) names, as
// `source_directory`/`source_name` has them. The order matters: chown clears set-id bits and
// capabilities, and everything touches the times.
Result<void> copy_metadata(int target, int source_directory, const std::string& source_name,
                           const struct stat& status) {
  std::string path = proc_path(target);
  struct stat current;
  TRY(host_status(::fstat(target, &current)));
  if (current.st_uid != status.st_uid || current.st_gid != status.st_gid)
    TRY(host_status(::fchownat(target, "", status.st_uid, status.st_gid, AT_EMPTY_PATH)));
  bool is_link = S_ISLNK(status.st_mode);
  if (!is_link) TRY(host_status(::chmod(path.c_str(), status.st_mode & 07777)));
  if (!is_link) {
    ExtendedAttributes attributes = TRY(extended_attributes(source_directory, source_name));
    for (const auto& [name, value] : attributes) {
      if (is_overlay_attribute(name)) continue;
      int failed = ::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0);
      // A label belongs to the host's policy, which has given the file one already.
      if (failed != 0 && name == "security.selinux") continue;
      if (failed != 0) return last_error();
    }
  }
  timespec times[2] = {status.st_atim, status.st_mtim};
  return host_status(::utimensat(target, "", times, AT_EMPTY_PATH));
}

// The bytes of a range, from the current offset of neither file.
Result<void> copy_range(int source, int target, off_t start, off_t end) {
  off_t source_offset = start, target_offset = start;
  while (source_offset < end) {
    ssize_t copied = ::copy_file_range(source, &source_offset, target, &target_offset,
                                       static_cast<size_t>(end - source_offset), 0);
    if (copied < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
      TRY(host_result(::lseek(target, target_offset, SEEK_SET)));
      copied = ::sendfile(target, source, &source_offset, static_cast<size_t>(end - source_offset));
      if (copied > 0) target_offset += copied;
    }
    if (copied < 0) return last_error();
    if (copied == 0) return {};  // cut short meanwhile
  }
  return {};
}

// The content with its holes.
Result<void> copy_content(int source, int target, off_t size) {
  TRY(host_status(::ftruncate(target, size)));
  for (off_t position = 0; position < size;) {
    off_t data = ::lseek(source, position, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};
    off_t hole = data < 0 ? size : ::lseek(source, data, SEEK_HOLE);
    if (data < 0) data = position;  // no support for holes
    if (hole < 0) hole = size;
    TRY(copy_range(source, target, data, hole));
    position = hole;
  }
  return {};
}

}  // namespace

Parsed<HostWriter> HostWriter::open(const UpperTree& tree, const std::string& target) {
  UniqueFd root(::open(target.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root) return HostWriter(tree, std::move(root));
  return std::unexpected(RunFailure{.doing = fmt::format("open {}", printable(target)),
                                    .reason = reason_of(Errno::last()),
                                    .advice = "the directory that the run had as its root"});
}

Result<HostWriter::Place> HostWriter::place_of(const std::string& path) const {
  SplitPath split = split_path(path);
  UniqueFd source_parent = TRY(open_beneath(tree_.root(), split.parent, kPassable));
  UniqueFd target_parent = TRY(open_beneath(target_.get(), split.parent, kPassable));
  Place place;
  place.source_parent = std::move(source_parent);
  place.target_parent = std::move(target_parent);
  place.name = split.name;
  return place;
}

Result<void> HostWriter::apply(const Change& change) {
  if (change.kind == Change::Kind::kDeleted) {
    // The upper may have no such parent: a whiteout's parent always has, an opaque directory's too.
    SplitPath split = split_path(change.path);
    UniqueFd parent = TRY(open_beneath(target_.get(), split.parent, kPassable));
    auto status = stat_name(parent.get(), split.name);
    if (!status && status.error() == Errno(ENOENT)) return {};
    if (!status) return std::unexpected(status.error());
    return remove(parent.get(), split.name, status->st_dev);
  }
  Place place = TRY(place_of(change.path));
  auto current = stat_name(place.target_parent.get(), place.name);
  bool wants_directory = S_ISDIR(change.status.st_mode);
  bool is_in_the_way = current && (S_ISDIR(current->st_mode) != wants_directory);
  if (is_in_the_way) TRY(remove(place.target_parent.get(), place.name, current->st_dev));
  return wants_directory ? make_directory(place, change) : replace_file(place, change);
}

Result<void> HostWriter::make_directory(const Place& place, const Change& change) {
  if (::mkdirat(place.target_parent.get(), place.name.c_str(), 0700) != 0 && errno != EEXIST)
    return last_error();
  directories_.push_back(change.path);
  return {};
}

Result<void> HostWriter::replace_file(const Place& place, const Change& change) {
  std::string temporary = fmt::format(".sandbox-apply.{}", ::getpid());
  (void)::unlinkat(place.target_parent.get(), temporary.c_str(), 0);
  auto made = create(place, change, temporary);
  if (made)
    made = host_status(::renameat(place.target_parent.get(), temporary.c_str(), place.target_parent.get(),
                                  place.name.c_str()));
  Errno error = made ? Errno(0) : made.error();
  // Also after success: renaming a second name of a file over the first leaves both.
  (void)::unlinkat(place.target_parent.get(), temporary.c_str(), 0);
  if (!made) return std::unexpected(error);
  if (change.status.st_nlink > 1)
    applied_inodes_.try_emplace({change.status.st_dev, change.status.st_ino}, change.path);
  return {};
}

Result<void> HostWriter::create(const Place& place, const Change& change, const std::string& temporary) {
  auto first = applied_inodes_.find({change.status.st_dev, change.status.st_ino});
  if (first != applied_inodes_.end()) {
    SplitPath split = split_path(first->second);
    UniqueFd parent = TRY(open_beneath(target_.get(), split.parent, kPassable));
    return host_status(
        ::linkat(parent.get(), split.name.c_str(), place.target_parent.get(), temporary.c_str(), 0));
  }
  if (S_ISREG(change.status.st_mode)) return create_regular(place, temporary);
  return create_special(place, change.status, temporary);
}

Result<void> HostWriter::create_regular(const Place& place, const std::string& temporary) {
  UniqueFd source =
      TRY(open_beneath(place.source_parent.get(), place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat status;
  TRY(host_status(::fstat(source.get(), &status)));
  if (!S_ISREG(status.st_mode)) return err(EAGAIN);  // replaced since it was listed
  UniqueFd target(TRY(host_result(::openat(place.target_parent.get(), temporary.c_str(),
                                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600))));
  TRY(copy_content(source.get(), target.get(), status.st_size));
  return copy_metadata(target.get(), place.source_parent.get(), place.name, status);
}

Result<void> HostWriter::create_special(const Place& place, const struct stat& status,
                                        const std::string& temporary) {
  int parent = place.target_parent.get();
  if (S_ISLNK(status.st_mode)) {
    char target[4096];
    ssize_t length =
        TRY(host_result(::readlinkat(place.source_parent.get(), place.name.c_str(), target, sizeof target)));
    if (length == sizeof target) return err(ENAMETOOLONG);
    target[length] = '\0';
    TRY(host_status(::symlinkat(target, parent, temporary.c_str())));
  } else {
    TRY(host_status(::mknodat(parent, temporary.c_str(), (status.st_mode & S_IFMT) | 0600, status.st_rdev)));
  }
  UniqueFd made(TRY(host_result(::openat(parent, temporary.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC))));
  struct stat made_status;
  TRY(host_status(::fstat(made.get(), &made_status)));
  if ((made_status.st_mode & S_IFMT) != (status.st_mode & S_IFMT)) return err(EAGAIN);
  return copy_metadata(made.get(), place.source_parent.get(), place.name, status);
}

// With everything below, unless that is another file system.
Result<void> HostWriter::remove(int parent, const std::string& name, dev_t device) {
  struct stat status = TRY(stat_name(parent, name));
  if (!S_ISDIR(status.st_mode)) return host_status(::unlinkat(parent, name.c_str(), 0));
  if (status.st_dev != device) return err(EXDEV);
  {
    UniqueFd directory = TRY(open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    std::vector<std::string> names = TRY(list_names(directory.get()));
    for (const std::string& child : names) TRY(remove(directory.get(), child, device));
  }
  return host_status(::unlinkat(parent, name.c_str(), AT_REMOVEDIR));
}

Result<void> HostWriter::finish(std::string* failed_path) {
  std::ranges::reverse(directories_);
  for (const std::string& path : std::exchange(directories_, {})) {
    auto set = [&]() -> Result<void> {
      Place place = TRY(place_of(path));
      struct stat status = TRY(stat_name(place.source_parent.get(), place.name));
      UniqueFd directory = TRY(open_beneath(place.target_parent.get(), place.name, kPassable));
      return copy_metadata(directory.get(), place.source_parent.get(), place.name, status);
    };
    if (auto done = set(); !done) {
      *failed_path = path;
      return done;
    }
  }
  return {};
}

}  // namespace sandbox::tools
