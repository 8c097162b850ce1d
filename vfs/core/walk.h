// Walk: path_resolution(7) over the dentry cache: components, symlinks, "..", mounts, RESOLVE_* (fs/namei.c).
#pragma once

#include "vfs/core/vfs.h"

namespace sandbox::vfs {

// What the last component of a path is, for calls that create or remove it.
enum class LastKind { kName, kDot, kDotDot, kRoot };

struct Vfs::Parent {
  Location directory;
  std::string name;
  LastKind kind = LastKind::kRoot;
  bool has_trailing_slash = false;
};

// One walk; the tree lock is held throughout. Errors in the order the path meets them: ENOENT, ENOTDIR,
// EACCES (search permission), ELOOP (over 40 links, or RESOLVE_NO_SYMLINKS / NO_MAGICLINKS),
// ENAMETOOLONG (a component over 255 bytes), EXDEV (RESOLVE_BENEATH, IN_ROOT, NO_XDEV).
class Walk {
 public:
  Walk(Vfs& vfs, const Caller& caller, const Location& base, uint64_t resolve);

  Result<Location> to_end(std::string_view path, FollowLast follow);
  Result<Vfs::Parent> to_parent(std::string_view path);
  // Goes on from the parent to its own parent: the last name was "..".
  Result<Location> to_dot_dot();
  // Goes on from the parent through a symlink at its last name (open with O_CREAT).
  Result<Vfs::Parent> through_symlink(const Vfs::Parent& parent, const DentryPtr& link);

 private:
  enum class Followed { kPath, kObject };  // a target to walk on with, or a magic link's object

  Result<void> start(std::string_view path);
  bool next_component(std::string_view* name, bool* is_last);
  Result<void> check_search();
  Result<void> step_up();
  Result<void> step_into(std::string_view name, bool is_last, FollowLast follow);
  Result<Vfs::Parent> rest_to_parent();
  Result<Followed> follow_link(const Location& link);

  Vfs& vfs_;
  const Caller& caller_;
  const uint64_t resolve_;
  Location
      top_;  // where ".." stops and "/" leads: the caller's root, or the base with RESOLVE_IN_ROOT or BENEATH
  Location at_;
  std::string spliced_;  // owns `rest_` once a symlink's target was put in front of it
  std::string_view rest_;
  bool has_trailing_slash_ = false;
  int links_ = 0;
};

}  // namespace sandbox::vfs
