// Path resolution as path_resolution(7) and openat2(2) describe it.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "memory_filesystem.h"

namespace sandbox::vfs::test {

TEST_CASE_METHOD(Fixture, "components, dots and slashes") {
  make_directory("/a");
  make_directory("/a/b");
  make_file("/a/b/f");
  CHECK(stat_error(root(), "/a/b/f") == 0);
  CHECK(stat_error(root(), "//a///b/./../b/f") == 0);
  CHECK(stat_error(root(), "/../../a") == 0);
  CHECK(stat_error(root(), "/a/b/f/") == ENOTDIR);
  CHECK(stat_error(root(), "/a/b/f/x") == ENOTDIR);
  CHECK(stat_error(root(), "/a/b/f/.") == ENOTDIR);
  CHECK(stat_error(root(), "/a/x/y") == ENOENT);
  CHECK(stat_error(root(), "") == ENOENT);
  CHECK(stat_error(root(), "/" + std::string(255, 'n')) == ENOENT);
  CHECK(stat_error(root(), "/" + std::string(256, 'n')) == ENAMETOOLONG);
  CHECK(stat_error(root(), std::string(4096, '/')) == ENAMETOOLONG);
  CHECK(stat_error(root(), std::string(4095, '/')) == 0);
}

TEST_CASE_METHOD(Fixture, "symbolic links") {
  make_directory("/d");
  make_file("/d/f");
  make_link("d/f", "/relative");
  make_link("/d", "/absolute");
  make_link("loop", "/loop");
  make_link("missing", "/dangling");
  CHECK(stat_error(root(), "/relative") == 0);
  CHECK(stat_error(root(), "/absolute/f") == 0);
  CHECK(stat_error(root(), "/relative/") == ENOTDIR);
  CHECK(stat_error(root(), "/absolute/") == 0);
  CHECK(stat_error(root(), "/loop") == ELOOP);
  CHECK(stat_error(root(), "/dangling") == ENOENT);
  CHECK(stat_error(root(), "/dangling", {.follow = FollowLast::kNo}) == 0);
  make_link("d/f", "/link0");
  for (int i = 1; i <= 40; ++i) make_link("link" + std::to_string(i - 1), "/link" + std::to_string(i));
  CHECK(stat_error(root(), "/link39") == 0);
  CHECK(stat_error(root(), "/link40") == ELOOP);
}

TEST_CASE_METHOD(Fixture, "search permission is asked of every directory on the way") {
  make_directory("/open");
  make_directory("/closed", 0700);
  make_directory("/closed/in");
  make_file("/closed/in/f");
  CHECK(stat_error(user(), "/open") == 0);
  CHECK(stat_error(user(), "/closed") == 0);
  CHECK(stat_error(user(), "/closed/in") == EACCES);
  CHECK(stat_error(user(), "/closed/in/f") == EACCES);
  REQUIRE(vfs->chmod(root(), vfs->root(), "/closed", 0711, {}));
  CHECK(stat_error(user(), "/closed/in/f") == 0);
}

TEST_CASE_METHOD(Fixture, "a chroot is not left by dots or absolute links") {
  make_directory("/jail");
  make_directory("/jail/etc");
  make_file("/secret");
  make_link("/secret", "/jail/etc/link");
  Caller jailed = root();
  jailed.root = jailed.cwd = *vfs->walk(root(), vfs->root(), "/jail", {});
  CHECK(stat_error(jailed, "/../secret") == ENOENT);
  CHECK(stat_error(jailed, "etc/../../../secret") == ENOENT);
  CHECK(stat_error(jailed, "/etc/link") == ENOENT);
  CHECK(*vfs->path_of(jailed, *vfs->walk(jailed, jailed.cwd, "etc", {})) == "/etc");
}

TEST_CASE_METHOD(Fixture, "openat2's resolve flags") {
  make_directory("/base");
  make_directory("/base/sub");
  make_file("/outside");
  make_file("/base/inside");
  make_link("../outside", "/base/up");
  make_link("/outside", "/base/abs");
  make_link("inside", "/base/ok");
  Caller caller = root();
  caller.cwd = *vfs->walk(root(), vfs->root(), "/base", {});
  CHECK(stat_error(caller, "up", {.resolve = RESOLVE_BENEATH}) == EXDEV);
  CHECK(stat_error(caller, "abs", {.resolve = RESOLVE_BENEATH}) == EXDEV);
  CHECK(stat_error(caller, "/base", {.resolve = RESOLVE_BENEATH}) == EXDEV);
  CHECK(stat_error(caller, "sub/../inside", {.resolve = RESOLVE_BENEATH}) == 0);
  CHECK(stat_error(caller, "..", {.resolve = RESOLVE_BENEATH}) == EXDEV);
  CHECK(stat_error(caller, "abs", {.resolve = RESOLVE_IN_ROOT}) == ENOENT);
  CHECK(stat_error(caller, "/inside", {.resolve = RESOLVE_IN_ROOT}) == 0);
  CHECK(stat_error(caller, "../../inside", {.resolve = RESOLVE_IN_ROOT}) == 0);
  CHECK(stat_error(caller, "ok", {.resolve = RESOLVE_NO_SYMLINKS}) == ELOOP);
  CHECK(stat_error(caller, "inside", {.resolve = RESOLVE_NO_SYMLINKS}) == 0);
}

TEST_CASE_METHOD(Fixture, "mounts are crossed both ways and hide what is below") {
  make_directory("/mnt");
  make_file("/mnt/hidden");
  make_file("/top");
  auto other = std::make_shared<MemoryFilesystem>();
  REQUIRE(vfs->mount_at("/mnt", other, {.is_read_only = true}, "other"));
  CHECK(stat_error(root(), "/mnt/hidden") == ENOENT);
  CHECK(stat_error(root(), "/mnt/../top") == 0);
  CHECK(stat_error(root(), "/mnt/../top", {.resolve = RESOLVE_NO_XDEV}) == EXDEV);
  CHECK(vfs->mkdir(root(), vfs->root(), "/mnt/new", 0755).error() == Errno(EROFS));
  CHECK(*vfs->path_of(root(), *vfs->walk(root(), vfs->root(), "/mnt", {})) == "/mnt");
  CHECK(vfs->umount(root(), "/mnt", 0).error() == Errno(EINVAL));
  CHECK(vfs->mount(root(), "", "/mnt", "", MS_REMOUNT, "").error() == Errno(EPERM));
  REQUIRE(vfs->mount_at("/not/there/yet", std::make_shared<MemoryFilesystem>(), {}, "deep"));
  CHECK(stat_error(root(), "/not/there/yet") == 0);
  CHECK(vfs->rmdir(root(), vfs->root(), "/not").error() == Errno(EBUSY));
  CHECK(vfs->mounts(vfs->root()).size() == 3);
}

}  // namespace sandbox::vfs::test
