// overlayfs on scratch directories: what is visible, what is written to the upper, and what never happens to
// a lower.
#include <dirent.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "inode_helpers.h"
#include "scratch_directory.h"
#include "vfs/core/preparation.h"
#include "vfs/hostfs/host_directory.h"
#include "vfs/overlayfs/overlayfs.h"

using namespace sandbox;
using namespace sandbox::test;
using Names = std::vector<std::string>;

namespace {

// Layers "lower", or "low1" above "low2", and the upper's base "top".
std::shared_ptr<Filesystem> overlay(const ScratchDirectory& scratch, const Names& lowers = {"lower"},
                                    CachePolicy policy = CachePolicy::kTrust) {
  OverlayOptions options{.policy = policy};
  scratch.make_directory("top");
  options.upper = scratch.open("top");
  for (const std::string& lower : lowers) {
    scratch.make_directory(lower);
    options.lowers.push_back(scratch.open(lower));
  }
  return must(create_overlayfs(std::move(options)));
}

bool is_whiteout(const ScratchDirectory& scratch, const std::string& path) {
  struct stat status = scratch.status(path);
  return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

bool is_opaque(const ScratchDirectory& scratch, const std::string& path) {
  char value[4] = "";
  return getxattr((scratch / path).c_str(), "user.overlay.opaque", value, sizeof value) == 1 &&
         value[0] == 'y';
}

Names names_on_host(const ScratchDirectory& scratch, const std::string& path) {
  Names result;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / path))
    result.push_back(entry.path().filename());
  std::sort(result.begin(), result.end());
  return result;
}

// Listing and attributes must name the same inode, whatever the entry is made of.
void check_listing(const InodePtr& directory) {
  for (const DirectoryEntry& entry : must(directory->list(caller()))) {
    INFO(entry.name);
    InodePtr child = must(directory->lookup(entry.name));
    CHECK(entry.inode == must(child->getattr()).stx_ino);
    CHECK(entry.type == IFTODT(child->type()));
    if (child->is_directory()) check_listing(child);
  }
}

}  // namespace

TEST_CASE("names of both layers are merged") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d/only-below");
  scratch.make_directory("top/upper/d/only-above");
  scratch.write("lower/d/f", "below");
  scratch.write("lower/d/g", "below");
  scratch.write("top/upper/d/f", "above");
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), d = must(find(root, "d"));
  CHECK(fs->type() == "overlay");
  CHECK(names(root) == Names{"d"});
  CHECK(names(d) == Names{"f", "g", "only-above", "only-below"});
  CHECK(content(must(find(root, "d/f"))) == "above");
  CHECK(content(must(find(root, "d/g"))) == "below");
  CHECK(must(d->getattr()).stx_ino == scratch.status("lower/d").st_ino);
  CHECK(must(d->getattr()).stx_nlink == 1);
  CHECK(must(find(root, "d/only-below"))->is_directory());
  check_listing(root);
  CHECK(error_of(find(root, "d/none")) == ENOENT);
  CHECK(error_of(find(root, std::string(256, 'n'))) == ENAMETOOLONG);
}

TEST_CASE("reading opens the layer's own file, writing copies it up") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/a/b");
  scratch.write("lower/a/b/f", "content");
  REQUIRE(chmod((scratch / "lower/a/b/f").c_str(), 0640) == 0);
  REQUIRE(chmod((scratch / "lower/a").c_str(), 01775) == 0);
  timespec times[2] = {{11, 12}, {13, 14}};
  REQUIRE(utimensat(AT_FDCWD, (scratch / "lower/a/b/f").c_str(), times, 0) == 0);
  REQUIRE(utimensat(AT_FDCWD, (scratch / "lower/a/b").c_str(), times, 0) == 0);
  REQUIRE(setxattr((scratch / "lower/a/b/f").c_str(), "user.note", "kept", 4, 0) == 0);
  auto fs = overlay(scratch);
  InodePtr b = must(find(fs->root(), "a/b")), file = must(b->lookup("f"));
  Attributes before = must(b->getattr());
  UniqueFd reader = must(file->open(caller(), O_RDONLY));
  struct stat native;
  REQUIRE(fstat(reader.get(), &native) == 0);
  CHECK(native.st_ino == must(file->getattr()).stx_ino);
  CHECK(native.st_ino == scratch.status("lower/a/b/f").st_ino);
  CHECK_FALSE(scratch.exists("top/upper/a"));

  UniqueFd writer = must(file->open(caller(), O_RDWR));
  CHECK(read_all(writer.get()) == "content");
  struct stat status = scratch.status("top/upper/a/b/f");
  CHECK(status.st_mode == (S_IFREG | 0640));
  CHECK(status.st_mtim.tv_sec == 13);
  CHECK(status.st_mtim.tv_nsec == 14);
  CHECK(must(file->getattr()).stx_ino == status.st_ino);
  CHECK(must(file->getxattr("user.note")) == "kept");
  CHECK(scratch.status("top/upper/a").st_mode == (S_IFDIR | 01775));
  // A directory that was copied up on the way is the same directory, with its times.
  Attributes after = must(b->getattr());
  CHECK(after.stx_ino == before.stx_ino);
  CHECK(device_of(after) == device_of(before));
  CHECK(after.stx_mtime.tv_sec == 13);
  REQUIRE(write(writer.get(), "CON", 3) == 3);
  CHECK(content(must(find(fs->root(), "a/b/f"))) == "CONtent");
  CHECK(scratch.read("lower/a/b/f") == "content");
  CHECK(names_on_host(scratch, "top/work").empty());
  check_listing(fs->root());
}

TEST_CASE("truncating open and truncate to nothing copy no data") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  scratch.write("lower/f", "content");
  scratch.write("lower/g", "content");
  scratch.write("lower/h", "content");
  auto fs = overlay(scratch);
  must(must(find(fs->root(), "f"))->open(caller(), O_WRONLY | O_TRUNC));
  must(must(find(fs->root(), "g"))->setattr({.size = 0}));
  must(must(find(fs->root(), "h"))->setattr({.size = 3}));
  CHECK(scratch.status("top/upper/f").st_size == 0);
  CHECK(scratch.status("top/upper/g").st_size == 0);
  CHECK(content(must(find(fs->root(), "h"))) == "con");
  CHECK(scratch.read("lower/f") == "content");
}

TEST_CASE("copying up keeps holes") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  UniqueFd sparse(open((scratch / "lower/f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(pwrite(sparse.get(), "start", 5, 0) == 5);
  REQUIRE(pwrite(sparse.get(), "middle", 6, 64 << 20) == 6);
  REQUIRE(ftruncate(sparse.get(), 256 << 20) == 0);
  auto fs = overlay(scratch);
  UniqueFd copy = must(must(find(fs->root(), "f"))->open(caller(), O_RDWR));
  struct stat status = scratch.status("top/upper/f");
  CHECK(status.st_size == 256 << 20);
  CHECK(status.st_blocks < 1000);
  char text[7] = "";
  REQUIRE(pread(copy.get(), text, 6, 64 << 20) == 6);
  CHECK(std::string(text) == "middle");
}

TEST_CASE("a large file is prepared first, once for all who wait") {
  ScratchDirectory scratch;
  const std::string text(5 << 20, 'x');
  scratch.make_directory("lower");
  scratch.write("lower/f", text);
  auto fs = overlay(scratch);
  InodePtr file = must(find(fs->root(), "f"));
  const std::atomic<bool> is_wanted{false}, is_unwanted{true};
  auto needs_preparation = [&] {
    CHECK(error_of(file->setattr({.mode = 0600})) == kPrepareFirst.value());
    return take_preparation();
  };
  std::shared_ptr<Preparation> first = needs_preparation();
  REQUIRE(first != nullptr);
  CHECK(take_preparation() == nullptr);
  CHECK(needs_preparation() == first);
  CHECK(error_of(first->run(is_unwanted)) == EINTR);
  must(first->run(is_wanted));
  // Whoever waited is gone, and with it the copy.
  first = nullptr;
  CHECK(std::filesystem::is_empty(scratch / "top/work"));
  std::shared_ptr<Preparation> second = needs_preparation();
  must(second->run(is_wanted));
  must(second->run(is_wanted));
  must(file->setattr({.mode = 0600}));
  CHECK(scratch.read("top/upper/f") == text);
  CHECK((scratch.status("top/upper/f").st_mode & 0777) == 0600);
  second = nullptr;
  CHECK(scratch.read("top/upper/f") == text);
  CHECK(std::filesystem::is_empty(scratch / "top/work"));
}

TEST_CASE("a full upper leaves no partial file") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.make_directory("top");
  scratch.write("lower/d/f", std::string(3 << 20, 'x'));
  if (mount("tmpfs", (scratch / "top").c_str(), "tmpfs", 0, "size=1m") != 0) {
    WARN("skipped: cannot mount a tmpfs");
    return;
  }
  {
    auto fs = overlay(scratch);
    InodePtr file = must(find(fs->root(), "d/f"));
    CHECK(error_of(file->open(caller(), O_RDWR)) == ENOSPC);
    CHECK_FALSE(scratch.exists("top/upper/d/f"));
    CHECK(names_on_host(scratch, "top/work").empty());
    CHECK(must(file->getattr()).stx_size == 3 << 20);
    must(file->open(caller(), O_RDWR | O_TRUNC));
    CHECK(must(file->getattr()).stx_size == 0);
  }
  CHECK(umount2((scratch / "top").c_str(), MNT_DETACH) == 0);
}

TEST_CASE("removing writes whiteouts only where something is below") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.write("lower/f", "below");
  scratch.write("lower/g", "below");
  auto fs = overlay(scratch);
  InodePtr root = fs->root();
  must(root->unlink("f", must(find(root, "f"))));
  CHECK(is_whiteout(scratch, "top/upper/f"));
  CHECK(error_of(find(root, "f")) == ENOENT);
  CHECK(names(root) == Names{"d", "g"});
  // Copied up, then removed.
  must(must(find(root, "g"))->setattr({.mode = 0600}));
  must(root->unlink("g", must(find(root, "g"))));
  CHECK(is_whiteout(scratch, "top/upper/g"));
  must(root->create("new", node(S_IFREG | 0644)));
  must(root->unlink("new", must(find(root, "new"))));
  CHECK_FALSE(scratch.exists("top/upper/new"));
  // Everything can be made where a whiteout is.
  must(root->create("f", node(S_IFREG | 0644)));
  CHECK(scratch.status("top/upper/f").st_mode == (S_IFREG | 0644));
  must(root->unlink("f", must(find(root, "f"))));
  InodePtr d = must(root->create("f", node(S_IFDIR | 0755)));
  CHECK(names(d).empty());
  must(root->rmdir("f", d));
  CHECK(is_whiteout(scratch, "top/upper/f"));
  must(root->link("f", must(root->create("other", node(S_IFREG | 0644)))));
  CHECK(scratch.status("top/upper/f").st_nlink == 2);
  must(root->unlink("f", must(find(root, "f"))));
  UniqueFd unnamed = must(root->open_unnamed(caller(), O_RDWR, node(S_IFREG | 0600)));
  must(root->link_unnamed("f", unnamed.get()));
  CHECK(must(find(root, "f"))->is_regular());
  must(root->unlink("f", must(find(root, "f"))));
  must(root->uncover("f"));
  CHECK_FALSE(scratch.exists("top/upper/f"));
  CHECK(names_on_host(scratch, "top/work").empty());
  CHECK(names_on_host(scratch, "lower") == Names{"d", "f", "g"});
}

TEST_CASE("a directory made again does not show what was below") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d/sub");
  scratch.write("lower/d/f", "below");
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), d = must(find(root, "d"));
  CHECK(error_of(root->rmdir("d", d)) == ENOTEMPTY);
  must(d->unlink("f", must(d->lookup("f"))));
  must(d->rmdir("sub", must(d->lookup("sub"))));
  CHECK(names(d).empty());
  must(root->rmdir("d", d));
  CHECK(is_whiteout(scratch, "top/upper/d"));
  CHECK(error_of(d->create("x", node(S_IFREG | 0600))) == ENOENT);
  InodePtr again = must(root->create("d", node(S_IFDIR | 0755)));
  CHECK(is_opaque(scratch, "top/upper/d"));
  CHECK(names(again).empty());
  CHECK(names(must(find(root, "d"))).empty());
  check_listing(root);
  Attributes attributes = must(again->getattr());
  CHECK(attributes.stx_ino == (scratch.status("top/upper/d").st_ino | uint64_t{1} << 48));
  CHECK(device_of(attributes) == device_of(must(root->getattr())));
}

TEST_CASE("an upper directory with whiteouts left in it can be removed") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  scratch.make_directory("top/upper/d");
  REQUIRE(mknod((scratch / "top/upper/d/w").c_str(), S_IFCHR, 0) == 0);
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), d = must(find(root, "d"));
  CHECK(names(d).empty());
  must(root->rmdir("d", d));
  CHECK(names_on_host(scratch, "top/upper").empty());
  CHECK(names_on_host(scratch, "top/work").empty());
}

TEST_CASE("files are renamed across layers") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.write("lower/f", "f");
  scratch.write("lower/d/g", "g");
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), d = must(find(root, "d"));
  must(root->rename("f", must(find(root, "f")), d, "moved", nullptr, 0));
  CHECK(is_whiteout(scratch, "top/upper/f"));
  CHECK(content(must(find(root, "d/moved"))) == "f");
  // Back over its own whiteout.
  must(d->rename("moved", must(find(root, "d/moved")), root, "f", nullptr, RENAME_NOREPLACE));
  CHECK(content(must(find(root, "f"))) == "f");
  CHECK_FALSE(scratch.exists("top/upper/d/moved"));
  // Over a file of the lower.
  must(root->rename("f", must(find(root, "f")), d, "g", must(find(root, "d/g")), 0));
  CHECK(content(must(find(root, "d/g"))) == "f");
  CHECK(scratch.read("lower/d/g") == "g");
  CHECK(error_of(d->rename("g", must(find(root, "d/g")), root, "x", must(find(root, "d")),
                           RENAME_NOREPLACE)) == EEXIST);
  // Two lower-backed files change places.
  must(root->create("h", node(S_IFREG | 0600)));
  must(root->rename("h", must(find(root, "h")), d, "g", must(find(root, "d/g")), RENAME_EXCHANGE));
  CHECK(content(must(find(root, "h"))) == "f");
  CHECK(content(must(find(root, "d/g"))).empty());
  CHECK(error_of(root->rename("h", must(find(root, "h")), d, "w", nullptr, RENAME_WHITEOUT)) == EINVAL);
  // Two names of one file: nothing happens.
  must(root->link("h2", must(find(root, "h"))));
  must(root->rename("h2", must(find(root, "h2")), root, "h", must(find(root, "h")), 0));
  CHECK(must(find(root, "h2"))->is_regular());
  CHECK(names_on_host(scratch, "top/work").empty());
}

TEST_CASE("directories of a lower are renamed once they are whole, those of the upper at once") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/below/sub");
  scratch.make_directory("lower/whole/sub");
  scratch.make_directory("lower/empty");
  scratch.make_directory("lower/gone");
  scratch.write("lower/gone/f", "x");
  scratch.write("lower/file", "x");
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), below = must(find(root, "below"));
  CHECK(error_of(root->rename("below", below, root, "x", nullptr, 0)) == EXDEV);
  InodePtr mine = must(root->create("mine", node(S_IFDIR | 0755)));
  InodePtr sub = must(mine->create("sub", node(S_IFDIR | 0755)));
  CHECK(error_of(root->rename("mine", mine, root, "below", below, RENAME_EXCHANGE)) == EXDEV);
  CHECK(error_of(root->rename("mine", mine, root, "below", below, 0)) == ENOTEMPTY);
  InodePtr whole = must(find(root, "whole"));
  must(must(find(root, "whole/sub"))->make_whole());
  must(whole->make_whole());
  must(root->rename("whole", whole, root, "moved", nullptr, 0));
  CHECK(names(must(find(root, "moved"))) == Names{"sub"});
  CHECK(is_opaque(scratch, "top/upper/moved"));
  CHECK(error_of(find(root, "whole")) == ENOENT);
  // Over an empty directory of the lower: it must not shine through.
  must(root->rename("mine", mine, root, "empty", must(find(root, "empty")), 0));
  CHECK(is_opaque(scratch, "top/upper/empty"));
  CHECK(names(must(find(root, "empty"))) == Names{"sub"});
  must(sub->create("f", node(S_IFREG | 0600)));  // the moved directory's nodes stay usable
  CHECK(names(must(find(root, "empty/sub"))) == Names{"f"});
  // Over one that was emptied, and back: whiteouts are inside, then a whiteout is the target.
  InodePtr gone = must(find(root, "gone"));
  must(gone->unlink("f", must(gone->lookup("f"))));
  must(root->rename("empty", mine, root, "gone", gone, 0));
  CHECK(names(must(find(root, "gone"))) == Names{"sub"});
  CHECK(is_whiteout(scratch, "top/upper/empty"));
  must(root->rename("gone", mine, root, "empty", nullptr, 0));
  CHECK(is_whiteout(scratch, "top/upper/gone"));
  CHECK(names(must(find(root, "empty"))) == Names{"sub"});
  CHECK(names(root) == Names{"below", "empty", "file", "moved"});
  // A whiteout of a file as the target, with nothing below the old name.
  must(root->unlink("file", must(find(root, "file"))));
  InodePtr fresh = must(root->create("fresh", node(S_IFDIR | 0755)));
  must(root->rename("fresh", fresh, root, "file", nullptr, 0));
  CHECK_FALSE(scratch.exists("top/upper/fresh"));
  must(fresh->create("inside", node(S_IFREG | 0600)));
  CHECK(names(must(find(root, "file"))) == Names{"inside"});
  CHECK(names_on_host(scratch, "top/work").empty());
  check_listing(root);
}

TEST_CASE("several lowers, with whiteouts of the kernel and of OCI images") {
  ScratchDirectory scratch;
  scratch.make_directory("low1/d");
  scratch.make_directory("low1/opaque");
  scratch.make_directory("low1/replaced");
  scratch.make_directory("low1/xattrs");
  scratch.make_directory("low2/d");
  scratch.make_directory("low2/opaque");
  scratch.make_directory("low2/replaced");
  scratch.make_directory("low2/xattrs");
  scratch.make_directory("low2/both");
  scratch.make_directory("low3/both/deep");
  scratch.make_directory("low1/both");
  scratch.write("low2/d/oci", "hidden");
  scratch.write("low2/d/kernel", "hidden");
  scratch.write("low2/d/seen", "seen");
  scratch.write("low2/opaque/f", "hidden");
  scratch.write("low2/replaced/f", "hidden");
  scratch.write("low2/xattrs/w", "hidden");
  scratch.write("low2/xattrs/empty", "hidden");
  scratch.write("low1/d/.wh.oci", "");
  REQUIRE(mknod((scratch / "low1/d/kernel").c_str(), S_IFCHR, 0) == 0);
  scratch.write("low1/opaque/.wh..wh..opq", "");
  scratch.write("low1/opaque/mine", "");
  REQUIRE(setxattr((scratch / "low1/replaced").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  REQUIRE(setxattr((scratch / "low1/xattrs").c_str(), "user.overlay.opaque", "x", 1, 0) == 0);
  scratch.write("low1/xattrs/w", "");
  scratch.write("low1/xattrs/empty", "");
  REQUIRE(setxattr((scratch / "low1/xattrs/w").c_str(), "user.overlay.whiteout", "", 0, 0) == 0);
  auto fs = overlay(scratch, {"low1", "low2", "low3"});
  InodePtr root = fs->root();
  CHECK(names(must(find(root, "d"))) == Names{"seen"});
  CHECK(error_of(find(root, "d/oci")) == ENOENT);
  CHECK(error_of(find(root, "d/kernel")) == ENOENT);
  CHECK(error_of(find(root, "d/.wh.oci")) == ENOENT);
  CHECK(names(must(find(root, "opaque"))) == Names{"mine"});
  CHECK(names(must(find(root, "replaced"))).empty());
  CHECK(names(must(find(root, "xattrs"))) == Names{"empty"});
  CHECK(error_of(find(root, "xattrs/w")) == ENOENT);
  CHECK(content(must(find(root, "xattrs/empty"))).empty());
  CHECK(names(must(find(root, "both"))) == Names{"deep"});
  CHECK(must(must(find(root, "both"))->getattr()).stx_ino == scratch.status("low3/both").st_ino);
  check_listing(root);
  // Marks are the layers' business.
  CHECK(must(must(find(root, "replaced"))->listxattr()).empty());
  CHECK(error_of(root->setxattr("user.overlay.opaque", "y", 0)) == EPERM);
  // What is hidden below needs no second whiteout.
  InodePtr d = must(find(root, "d"));
  InodePtr again = must(d->create("oci", node(S_IFREG | 0600)));
  must(d->unlink("oci", again));
  CHECK_FALSE(scratch.exists("top/upper/d/oci"));
}

TEST_CASE("with a single lower .wh. names are ordinary files") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  scratch.write("lower/.wh.f", "text");
  auto fs = overlay(scratch);
  CHECK(content(must(find(fs->root(), ".wh.f"))) == "text");
  must(fs->root()->create(".wh.g", node(S_IFREG | 0600)));
  CHECK(names(fs->root()) == Names{".wh.f", ".wh.g"});
}

TEST_CASE("whiteouts and devices cannot be made from inside") {
  ScratchDirectory scratch;
  auto fs = overlay(scratch);
  NewNode device = node(S_IFCHR | 0600);
  CHECK(error_of(fs->root()->create("w", device)) == EPERM);
  CHECK(names(fs->root()).empty());
  CHECK(error_of(find(fs->root(), "work")) == ENOENT);
}

TEST_CASE("without an upper nothing can be written") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  scratch.write("lower/f", "x");
  OverlayOptions options;
  options.lowers.push_back(scratch.open("lower"));
  auto fs = must(create_overlayfs(std::move(options)));
  InodePtr root = fs->root(), file = must(find(root, "f"));
  CHECK(content(file) == "x");
  CHECK(error_of(file->open(caller(), O_RDWR)) == EROFS);
  CHECK(error_of(file->setattr({.mode = 0600})) == EROFS);
  CHECK(error_of(root->create("g", node(S_IFREG | 0600))) == EROFS);
  CHECK(error_of(root->unlink("f", file)) == EROFS);
  CHECK(error_of(root->setxattr("user.a", "b", 0)) == EROFS);
  CHECK(error_of(root->writable_host_directory()) == EROFS);
  CHECK(error_of(create_overlayfs({})) == EINVAL);
}

TEST_CASE("FIFOs and sockets of a lower do not lead outside") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  REQUIRE(mkfifo((scratch / "lower/p").c_str(), 0666) == 0);
  REQUIRE(mknod((scratch / "lower/s").c_str(), S_IFSOCK | 0666, 0) == 0);
  auto fs = overlay(scratch);
  UniqueFd outside(open((scratch / "lower/p").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  InodePtr fifo = must(find(fs->root(), "p"));
  CHECK(error_of(fifo->open(caller(), O_WRONLY | O_NONBLOCK)) == ENXIO);
  UniqueFd reader = must(fifo->open(caller(), O_RDONLY | O_NONBLOCK));
  UniqueFd writer = must(fifo->open(caller(), O_WRONLY | O_NONBLOCK));
  REQUIRE(write(writer.get(), "in", 2) == 2);
  char text[3] = "";
  CHECK(read(reader.get(), text, 2) == 2);
  CHECK(read(outside.get(), text, 2) == 0);
  InodePtr socket = must(find(fs->root(), "s"));
  CHECK(error_of(socket->host_object()) == ECONNREFUSED);
  must(fs->root()->create("mine", node(S_IFSOCK | 0600)));
  CHECK(must(must(find(fs->root(), "mine"))->host_object()).is_open());
  CHECK(names_on_host(scratch, "top/work").empty());
}

TEST_CASE("hard links of a lower break when one is written, links of the upper hold") {
  ScratchDirectory scratch;
  scratch.make_directory("lower");
  scratch.write("lower/a", "x");
  REQUIRE(link((scratch / "lower/a").c_str(), (scratch / "lower/b").c_str()) == 0);
  auto fs = overlay(scratch);
  InodePtr root = fs->root(), a = must(find(root, "a"));
  CHECK(must(a->getattr()).stx_nlink == 2);
  must(root->link("c", a));
  CHECK(must(a->getattr()).stx_nlink == 2);
  CHECK(must(a->getattr()).stx_ino == must(must(find(root, "c"))->getattr()).stx_ino);
  CHECK(must(must(find(root, "b"))->getattr()).stx_ino == scratch.status("lower/b").st_ino);
  CHECK(scratch.status("lower/a").st_nlink == 2);
}

TEST_CASE("two nodes of one name can both be copied up") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.write("lower/d/f", "x");
  auto fs = overlay(scratch, {"lower"}, CachePolicy::kRevalidate);
  InodePtr first = must(find(fs->root(), "d")), second = must(find(fs->root(), "d"));
  InodePtr first_file = must(first->lookup("f")), second_file = must(second->lookup("f"));
  must(first_file->setattr({.mode = 0600}));
  must(first->create("new", node(S_IFREG | 0600)));
  must(second_file->setattr({.mode = 0640}));
  CHECK(names(second) == Names{"f", "new"});
  CHECK(must(first_file->getattr()).stx_mode == (S_IFREG | 0640));
  CHECK(fs->root()->is_current("d", first));
  REQUIRE(rename((scratch / "lower/d").c_str(), (scratch / "lower/e").c_str()) == 0);
  CHECK_FALSE(fs->root()->is_current("d", first));
}

TEST_CASE("a link put into a lower behind our back is not followed") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.make_directory("secret");
  scratch.write("secret/f", "secret");
  scratch.write("lower/d/f", "x");
  auto fs = overlay(scratch, {"lower"}, CachePolicy::kRevalidate);
  InodePtr d = must(find(fs->root(), "d"));
  REQUIRE(rename((scratch / "lower/d").c_str(), (scratch / "aside").c_str()) == 0);
  REQUIRE(symlink("../secret", (scratch / "lower/d").c_str()) == 0);
  CHECK(error_of(d->lookup("f")) == ENOENT);
  CHECK(error_of(d->create("g", node(S_IFREG | 0600))) == ENOENT);
  // The same for the upper, which only we should change.
  must(fs->root()->create("u", node(S_IFDIR | 0755)));
  InodePtr u = must(find(fs->root(), "u"));
  REQUIRE(rmdir((scratch / "top/upper/u").c_str()) == 0);
  REQUIRE(symlink("../../secret", (scratch / "top/upper/u").c_str()) == 0);
  CHECK(error_of(u->create("g", node(S_IFREG | 0600))) == ENOENT);
  CHECK(names_on_host(scratch, "secret") == Names{"f"});
}

TEST_CASE("owners that cannot be given are remembered for directories") {
  if (getuid() != 0) return;
  ScratchDirectory scratch;
  scratch.make_directory("lower/shared");
  scratch.write("lower/shared/suid", "x");
  scratch.make_directory("top");
  REQUIRE(chmod((scratch / "lower/shared").c_str(), 01777) == 0);
  REQUIRE(chmod((scratch / "lower/shared/suid").c_str(), 04777) == 0);
  REQUIRE(chown((scratch / "top").c_str(), 65534, 65534) == 0);
  REQUIRE(syscall(SYS_setresgid, -1, 65534, -1) == 0);
  REQUIRE(syscall(SYS_setresuid, -1, 65534, -1) == 0);
  {
    auto fs = overlay(scratch);
    InodePtr root = fs->root(), shared = must(find(root, "shared"));
    NewNode mine{.mode = S_IFREG | 0644, .uid = 65534, .gid = 65534};
    must(shared->create("f", mine));
    CHECK(must(shared->getattr()).stx_uid == 0);
    CHECK(must(must(find(root, "shared"))->getattr()).stx_uid == 0);
    CHECK(must(root->getattr()).stx_uid == 0);
    CHECK(must(shared->getattr()).stx_mode == (S_IFDIR | 01777));
    CHECK(scratch.status("top/upper/shared").st_uid == 65534);
    must(must(find(root, "shared/suid"))->open(caller(), O_WRONLY));
    CHECK(scratch.status("top/upper/shared/suid").st_mode == (S_IFREG | 0777));
    must(must(find(root, "shared"))->setattr({.uid = 65534}));
    CHECK(must(must(find(root, "shared"))->getattr()).stx_uid == 65534);
  }
  REQUIRE(syscall(SYS_setresuid, -1, 0, -1) == 0);
  REQUIRE(syscall(SYS_setresgid, -1, 0, -1) == 0);
}

TEST_CASE("what an earlier run left in work is removed, and one upper has one user") {
  ScratchDirectory scratch;
  scratch.make_directory("top/work/#1/deep/deeper");
  scratch.write("top/work/#1/deep/f", "x");
  REQUIRE(symlink("/", (scratch / "top/work/#1/deep/link").c_str()) == 0);
  auto fs = overlay(scratch);
  CHECK(names_on_host(scratch, "top/work").empty());
  OverlayOptions second;
  second.upper = scratch.open("top");
  CHECK(error_of(create_overlayfs(std::move(second))) == EBUSY);
}

TEST_CASE("paths of descriptors are found in every layer") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d");
  scratch.write("lower/d/f", "x");
  auto fs = overlay(scratch);
  InodePtr file = must(find(fs->root(), "d/f"));
  CHECK(fs->path_of_descriptor(must(file->open(caller(), O_RDONLY)).get()) == "/d/f");
  CHECK(fs->path_of_descriptor(must(file->open(caller(), O_RDWR)).get()) == "/d/f");
  CHECK(fs->path_of_descriptor(scratch.open("top").get()) == std::nullopt);
}

TEST_CASE("the kernel's overlayfs sees the same tree in our layers") {
  ScratchDirectory scratch;
  scratch.make_directory("lower/d/sub");
  scratch.make_directory("lower/e/inner");
  scratch.write("lower/d/f", "f");
  scratch.write("lower/d/g", "g");
  scratch.write("lower/e/h", "h");
  {
    auto fs = overlay(scratch);
    InodePtr root = fs->root(), d = must(find(root, "d")), e = must(find(root, "e"));
    must(d->unlink("f", must(d->lookup("f"))));
    must(d->rename("g", must(d->lookup("g")), root, "g", nullptr, 0));
    must(e->unlink("h", must(e->lookup("h"))));
    must(e->rmdir("inner", must(e->lookup("inner"))));
    must(root->rmdir("e", e));
    must(must(root->create("e", node(S_IFDIR | 0755)))->create("fresh", node(S_IFREG | 0644)));
  }
  scratch.make_directory("merged");
  scratch.make_directory("kernel-work");
  std::string options = "userxattr,lowerdir=" + (scratch / "lower") + ",upperdir=" + (scratch / "top/upper") +
                        ",workdir=" + (scratch / "kernel-work");
  if (mount("overlay", (scratch / "merged").c_str(), "overlay", 0, options.c_str()) != 0) {
    WARN("skipped: cannot mount the kernel's overlayfs");
    return;
  }
  CHECK(names_on_host(scratch, "merged") == Names{"d", "e", "g"});
  CHECK(names_on_host(scratch, "merged/d") == Names{"sub"});
  CHECK(names_on_host(scratch, "merged/e") == Names{"fresh"});
  CHECK(scratch.read("merged/g") == "g");
  // And what the kernel writes, we read.
  std::filesystem::remove_all(scratch / "merged/d/sub");
  std::filesystem::remove_all(scratch / "merged/e");
  scratch.make_directory("merged/e/kernel");
  CHECK(umount2((scratch / "merged").c_str(), 0) == 0);
  auto fs = overlay(scratch);
  CHECK(names(fs->root()) == Names{"d", "e", "g"});
  CHECK(names(must(find(fs->root(), "d"))).empty());
  CHECK(names(must(find(fs->root(), "e"))) == Names{"kernel"});
}
