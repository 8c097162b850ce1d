// Changes of the tree and what readers of a directory see of them.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "memory_filesystem.h"
#include "vfs/core/directory_stubs.h"

namespace sandbox::vfs::test {
namespace {

int error_of(const Result<void>& result) { return result ? 0 : result.error().value(); }

}  // namespace

TEST_CASE_METHOD(Fixture, "create and remove answer as Linux does") {
  make_directory("/d");
  make_file("/f");
  make_link("nowhere", "/l");
  Caller caller = root();
  Location at = vfs->root();
  CHECK(error_of(vfs->mkdir(caller, at, "/d", 0755)) == EEXIST);
  CHECK(error_of(vfs->mkdir(caller, at, "/l", 0755)) == EEXIST);
  CHECK(error_of(vfs->mkdir(caller, at, "/x/y", 0755)) == ENOENT);
  CHECK(error_of(vfs->mkdir(caller, at, "/f/y", 0755)) == ENOTDIR);
  CHECK(error_of(vfs->mkdir(caller, at, "/new/", 0755)) == 0);
  CHECK(error_of(vfs->mkdir(caller, at, "/", 0755)) == EEXIST);
  CHECK(error_of(vfs->mknod(caller, at, "/slash/", S_IFREG | 0644, 0)) == ENOENT);
  CHECK(error_of(vfs->unlink(caller, at, "/d")) == EISDIR);
  CHECK(error_of(vfs->unlink(caller, at, "/f/")) == ENOTDIR);
  CHECK(error_of(vfs->rmdir(caller, at, "/f")) == ENOTDIR);
  CHECK(error_of(vfs->rmdir(caller, at, "/d/.")) == EINVAL);
  CHECK(error_of(vfs->rmdir(caller, at, "/d/..")) == ENOTEMPTY);
  CHECK(error_of(vfs->rmdir(caller, at, "/")) == EBUSY);
  CHECK(error_of(vfs->unlink(caller, at, "/l")) == 0);
  CHECK(stat_error(caller, "/l", {.follow = FollowLast::kNo}) == ENOENT);
}

TEST_CASE_METHOD(Fixture, "sticky directories protect other people's files") {
  make_directory("/tmp", 01777);
  make_file("/tmp/roots");
  CHECK(error_of(vfs->unlink(user(), vfs->root(), "/tmp/roots")) == EPERM);
  CHECK(error_of(vfs->mkdir(user(), vfs->root(), "/tmp/mine", 0755)) == 0);
  CHECK(error_of(vfs->rmdir(user(), vfs->root(), "/tmp/mine")) == 0);
  CHECK(error_of(vfs->mkdir(user(), vfs->root(), "/refused", 0755)) == EACCES);
}

TEST_CASE_METHOD(Fixture, "rename's rules") {
  make_directory("/a");
  make_directory("/a/b");
  make_directory("/empty");
  make_file("/f");
  make_file("/g");
  Caller caller = root();
  Location at = vfs->root();
  auto rename = [&](const char* from, const char* to, unsigned flags = 0) {
    return error_of(vfs->rename(caller, at, from, at, to, flags));
  };
  CHECK(rename("/a", "/a/b/c") == EINVAL);
  CHECK(rename("/a/b", "/a") == ENOTEMPTY);
  CHECK(rename("/f", "/a") == EISDIR);
  CHECK(rename("/a", "/f") == ENOTDIR);
  CHECK(rename("/f/", "/h") == ENOTDIR);
  CHECK(rename("/missing", "/h") == ENOENT);
  CHECK(rename("/f", "/g", RENAME_NOREPLACE) == EEXIST);
  CHECK(rename("/f", "/h", RENAME_EXCHANGE) == ENOENT);
  CHECK(rename("/f", "/g", RENAME_NOREPLACE | RENAME_EXCHANGE) == EINVAL);
  CHECK(rename("/empty", "/a") == ENOTEMPTY);
  CHECK(rename("/a/b", "/empty") == 0);
  CHECK(stat_error(caller, "/a/b") == ENOENT);
  CHECK(rename("/f", "/a/f") == 0);
  CHECK(stat_error(caller, "/f") == ENOENT);
  CHECK(stat_error(caller, "/a/f") == 0);
  Caller inside = root();
  inside.cwd = *vfs->walk(caller, at, "/a", {});
  CHECK(rename("/a", "/moved") == 0);
  CHECK(*vfs->path_of(inside, inside.cwd) == "/moved");
  CHECK(stat_error(inside, "f") == 0);
}

TEST_CASE_METHOD(Fixture, "a removed working directory has no path and takes no files") {
  make_directory("/gone");
  Caller inside = root();
  inside.cwd = *vfs->walk(root(), vfs->root(), "/gone", {});
  REQUIRE(vfs->rmdir(root(), vfs->root(), "/gone"));
  CHECK(vfs->path_of(inside, inside.cwd).error() == Errno(ENOENT));
  CHECK(error_of(vfs->mkdir(inside, inside.cwd, "x", 0755)) == ENOENT);
  CHECK(vfs->display_path(vfs->root(), inside.cwd) == "/gone (deleted)");
}

TEST_CASE_METHOD(Fixture, "readers of a directory keep their place while it changes") {
  make_directory("/d");
  for (int i = 0; i < 100; ++i) make_file("/d/f" + std::to_string(i));
  UniqueFd first = std::move(vfs->open(root(), vfs->root(), "/d", {.flags = O_RDONLY | O_DIRECTORY})->fd);
  std::vector<std::string> seen;
  auto read_some = [&](size_t count) {
    size_t taken = 0;
    REQUIRE(vfs->read_directory(root(), first.get(), [&](const ListedEntry& listed) {
      if (taken == count) return false;
      seen.push_back(listed.entry.name);
      ++taken;
      return true;
    }));
  };
  read_some(52);
  for (int i = 0; i < 100; ++i) REQUIRE(vfs->unlink(root(), vfs->root(), "/d/f" + std::to_string(i)));
  make_file("/d/late");
  read_some(1000);
  CHECK(std::count(seen.begin(), seen.end(), "late") == 1);
  CHECK(seen.size() == 53);
  REQUIRE(::lseek(first.get(), 0, SEEK_SET) == 0);
  CHECK(names(first.get()) == std::vector<std::string>{".", "..", "late"});
  CHECK(names(first.get()).empty());
}

TEST_CASE_METHOD(Fixture, "a stub descriptor leads back to its directory, whoever holds it") {
  make_directory("/d");
  UniqueFd opened = std::move(vfs->open(root(), vfs->root(), "/d", {.flags = O_RDONLY})->fd);
  UniqueFd copy(::dup(opened.get()));
  std::optional<Location> location = vfs->directory_of(copy.get());
  REQUIRE(location);
  CHECK(*vfs->path_of(root(), *location) == "/d");
  CHECK(vfs->stat_descriptor(root(), copy.get())->stx_ino ==
        vfs->stat(root(), vfs->root(), "/d", {})->stx_ino);
}

TEST_CASE_METHOD(Fixture, "stubs are forgotten once nobody has them open") {
  auto stubs = std::move(*DirectoryStubs::create(mounter()));
  auto open_stub = [&](const std::string& path) {
    return std::move(*stubs->open(*vfs->walk(root(), vfs->root(), path, {}), O_RDONLY));
  };
  auto location_of = [&](const UniqueFd& stub) {
    struct stat status;
    REQUIRE(::fstat(stub.get(), &status) == 0);
    return stubs->find(status.st_dev, status.st_ino);
  };
  make_directory("/kept");
  UniqueFd kept = open_stub("/kept");
  constexpr int kMany = 5 * DirectoryStubs::kKeptStubs;
  for (int i = 0; i < kMany; ++i) {
    std::string path = "/d" + std::to_string(i);
    make_directory(path);
    UniqueFd opened = open_stub(path);
    REQUIRE(location_of(opened));
  }
  CHECK(stubs->size() <= DirectoryStubs::kKeptStubs + 1);
  REQUIRE(location_of(kept));
  CHECK(*vfs->path_of(root(), *location_of(kept)) == "/kept");
  UniqueFd again = open_stub("/kept");
  CHECK(location_of(again) == location_of(kept));
}

TEST_CASE_METHOD(Fixture, "the names of a file system end with its last mount") {
  make_directory("/mnt");
  make_directory("/twin");
  Caller inside = root();
  inside.cwd = vfs->root();
  vfs->set_factory("memory", [](const std::string&, const std::string&) {
    return Result<std::shared_ptr<Filesystem>>(std::make_shared<MemoryFilesystem>());
  });
  REQUIRE(vfs->mount(inside, "none", "/mnt", "memory", 0, ""));
  make_directory("/mnt/d");
  make_file("/mnt/d/f");
  std::weak_ptr<Dentry> name = vfs->walk(inside, vfs->root(), "/mnt/d/f", {})->dentry;
  REQUIRE(vfs->mount(inside, "/mnt", "/twin", "", MS_BIND, ""));
  REQUIRE(vfs->umount(inside, "/mnt", 0));
  CHECK(stat_error(inside, "/twin/d/f") == 0);
  CHECK_FALSE(name.expired());
  REQUIRE(vfs->umount(inside, "/twin", 0));
  CHECK(name.expired());
}

TEST_CASE_METHOD(Fixture, "generated files are filled at open and again on rewinding") {
  make_file("/f");
  auto node =
      std::static_pointer_cast<MemoryInode>(vfs->walk(root(), vfs->root(), "/f", {})->dentry->inode());
  node->content = "first content\n";
  UniqueFd opened = std::move(vfs->open(root(), vfs->root(), "/f", {.flags = O_RDONLY})->fd);
  char text[64];
  CHECK(std::string(text, static_cast<size_t>(::read(opened.get(), text, sizeof text))) == "first content\n");
  node->content = "second\n";
  CHECK(*vfs->refill(root(), opened.get()));
  CHECK(std::string(text, static_cast<size_t>(::pread(opened.get(), text, sizeof text, 0))) == "second\n");
}

}  // namespace sandbox::vfs::test
