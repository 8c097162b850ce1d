// hostfs and the handles of host directories, on a scratch directory.
#include <linux/fs.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <thread>

#include "inode_helpers.h"
#include "scratch_directory.h"
#include "vfs/hostfs/host_directory.h"
#include "vfs/hostfs/hostfs.h"

using namespace sandbox;
using namespace sandbox::test;
using Names = std::vector<std::string>;

namespace {

std::shared_ptr<Filesystem> hostfs(const ScratchDirectory& scratch,
                                   CachePolicy policy = CachePolicy::kRevalidate) {
  return must(create_hostfs({.root = scratch.open(), .policy = policy}));
}

}  // namespace

TEST_CASE("attributes are those of fstat") {
  ScratchDirectory scratch;
  scratch.write("file", "hello");
  scratch.make_directory("a/b");
  auto fs = hostfs(scratch);
  CHECK(fs->type() == "tmpfs");
  InodePtr file = must(find(fs->root(), "file"));
  Attributes attributes = must(file->getattr());
  struct stat native;
  UniqueFd fd = must(file->open(caller(), O_RDWR));
  REQUIRE(fstat(fd.get(), &native) == 0);
  CHECK(attributes.stx_ino == native.st_ino);
  CHECK(device_of(attributes) == native.st_dev);
  CHECK(attributes.stx_size == 5);
  CHECK(attributes.stx_mnt_id == 0);
  CHECK(must(must(find(fs->root(), "a/b"))->getattr()).stx_ino == scratch.status("a/b").st_ino);
  CHECK(error_of(find(fs->root(), "missing")) == ENOENT);
  CHECK(error_of(find(fs->root(), "file/x")) == ENOTDIR);
  CHECK(error_of(find(fs->root(), std::string(256, 'n'))) == ENAMETOOLONG);
  CHECK(names(fs->root()) == Names{"a", "file"});
}

TEST_CASE("nodes are made with exactly the mode and owner asked for") {
  ScratchDirectory scratch;
  auto fs = hostfs(scratch, CachePolicy::kTrust);
  InodePtr root = fs->root();
  must(root->create("f", node(S_IFREG | 0666)));
  must(root->create("d", node(S_IFDIR | 01777)));
  must(root->create("p", node(S_IFIFO | 0622)));
  must(root->create("s", node(S_IFSOCK | 0777)));
  NewNode link = node(S_IFLNK | 0777);
  link.symlink_target = "../x";
  must(root->create("l", link));
  CHECK(scratch.status("f").st_mode == (S_IFREG | 0666));
  CHECK(scratch.status("d").st_mode == (S_IFDIR | 01777));
  CHECK(scratch.status("p").st_mode == (S_IFIFO | 0622));
  CHECK(scratch.status("s").st_mode == (S_IFSOCK | 0777));
  CHECK(must(must(find(root, "l"))->readlink(caller())) == "../x");
  NewNode device = node(S_IFCHR | 0600);
  device.device = makedev(1, 3);
  CHECK(error_of(root->create("null", device)) == EPERM);
  CHECK(error_of(root->create("f", node(S_IFREG | 0666))) == EEXIST);
  if (getuid() == 0) {
    NewNode owned{.mode = S_IFREG | 04755, .uid = 12, .gid = 34};
    must(root->create("owned", owned));
    CHECK(scratch.status("owned").st_uid == 12);
    CHECK(scratch.status("owned").st_gid == 34);
    CHECK(scratch.status("owned").st_mode == (S_IFREG | 04755));
  }
}

TEST_CASE("a file without write permission can be written by its creator once") {
  ScratchDirectory scratch;
  if (getuid() == 0) REQUIRE(chown(scratch.path().c_str(), 65534, 65534) == 0);
  std::thread([&] {
    // The raw call changes this thread alone.
    if (getuid() == 0) REQUIRE(syscall(SYS_setresuid, -1, 65534, -1) == 0);
    auto fs = hostfs(scratch, CachePolicy::kTrust);
    NewNode wanted{.mode = S_IFREG | 0444, .uid = geteuid(), .gid = getgid()};
    InodePtr file = must(fs->root()->create("object", wanted));
    UniqueFd fd = must(file->open(caller(), O_RDWR));
    CHECK(write(fd.get(), "x", 1) == 1);
    CHECK(scratch.status("object").st_mode == (S_IFREG | 0444));
    CHECK(error_of(file->open(caller(), O_RDWR)) == EACCES);
  }).join();
}

TEST_CASE("ids are translated, and ids without a mapping refused") {
  if (getuid() != 0) return;
  ScratchDirectory scratch;
  scratch.write("f", "");
  REQUIRE(chown((scratch / "f").c_str(), 1000, 2000) == 0);
  HostFsOptions options{.root = scratch.open()};
  options.owners.users = IdMap({{0, 1000, 1}});
  options.owners.groups = IdMap({{0, 2000, 10}});
  auto fs = must(create_hostfs(std::move(options)));
  InodePtr file = must(find(fs->root(), "f"));
  CHECK(must(file->getattr()).stx_uid == 0);
  CHECK(must(file->getattr()).stx_gid == 0);
  must(file->setattr({.gid = 5}));
  CHECK(scratch.status("f").st_gid == 2005);
  CHECK(error_of(file->setattr({.uid = 7})) == EINVAL);
  CHECK(error_of(fs->root()->create("g", {.mode = S_IFREG | 0600, .uid = 7, .gid = 0})) == EOVERFLOW);
  InodePtr made = must(fs->root()->create("g", {.mode = S_IFREG | 0600, .uid = 0, .gid = 1}));
  CHECK(scratch.status("g").st_uid == 1000);
  CHECK(scratch.status("g").st_gid == 2001);
}

TEST_CASE("setattr changes mode, size and times, never through a link") {
  ScratchDirectory scratch;
  scratch.write("f", "0123456789");
  REQUIRE(symlink("f", (scratch / "l").c_str()) == 0);
  auto fs = hostfs(scratch);
  InodePtr file = must(find(fs->root(), "f"));
  must(file->setattr({.mode = 0640, .size = 3, .atime = timespec{5, 6}, .mtime = timespec{7, 8}}));
  struct stat status = scratch.status("f");
  CHECK(status.st_mode == (S_IFREG | 0640));
  CHECK(status.st_size == 3);
  CHECK(status.st_atim.tv_sec == 5);
  CHECK(status.st_mtim.tv_nsec == 8);
  InodePtr link = must(find(fs->root(), "l"));
  CHECK(error_of(link->setattr({.mode = 0600})) == EOPNOTSUPP);
  must(link->setattr({.mtime = timespec{99, 0}}));
  CHECK(scratch.status("l").st_mtim.tv_sec == 99);
  CHECK(scratch.status("f").st_mtim.tv_sec == 7);
  CHECK(error_of(link->setattr({.size = 0})) == EINVAL);
  must(fs->root()->setattr({.mode = 0700}));
  CHECK(scratch.status("").st_mode == (S_IFDIR | 0700));
}

TEST_CASE("extended attributes: user.* only") {
  ScratchDirectory scratch;
  scratch.write("f", "");
  auto fs = hostfs(scratch);
  for (const InodePtr& inode : {must(find(fs->root(), "f")), fs->root()}) {
    CHECK(error_of(inode->getxattr("user.a")) == ENODATA);
    must(inode->setxattr("user.a", std::string(1000, 'v'), 0));
    CHECK(must(inode->getxattr("user.a")) == std::string(1000, 'v'));
    CHECK(error_of(inode->setxattr("user.a", "w", XATTR_CREATE)) == EEXIST);
    CHECK(error_of(inode->setxattr("trusted.a", "w", 0)) == EPERM);
    CHECK(error_of(inode->setxattr("security.capability", "w", 0)) == EPERM);
    CHECK(error_of(inode->setxattr("system.posix_acl_access", "w", 0)) == EOPNOTSUPP);
  }
  if (getuid() == 0) setxattr((scratch / "f").c_str(), "trusted.hidden", "x", 1, 0);
  InodePtr file = must(find(fs->root(), "f"));
  CHECK(error_of(file->getxattr("trusted.hidden")) == ENODATA);
  CHECK(must(file->listxattr()) == Names{"user.a"});
  must(file->removexattr("user.a"));
  CHECK(must(file->listxattr()).empty());
}

TEST_CASE("special files never block or open anything") {
  ScratchDirectory scratch;
  auto fs = hostfs(scratch);
  InodePtr fifo = must(fs->root()->create("p", node(S_IFIFO | 0600)));
  InodePtr socket = must(fs->root()->create("s", node(S_IFSOCK | 0600)));
  CHECK(error_of(fifo->open(caller(), O_WRONLY | O_NONBLOCK)) == ENXIO);
  UniqueFd reader = must(fifo->open(caller(), O_RDONLY));
  CHECK((fcntl(reader.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK(error_of(socket->open(caller(), O_RDWR)) == ENXIO);
  CHECK(must(socket->host_object()).is_open());
  // A FIFO takes a file's place behind our back.
  scratch.write("f", "x");
  InodePtr file = must(find(fs->root(), "f"));
  REQUIRE(unlink((scratch / "f").c_str()) == 0);
  REQUIRE(mkfifo((scratch / "f").c_str(), 0600) == 0);
  CHECK(error_of(file->open(caller(), O_RDONLY)) == ESTALE);
  CHECK(error_of(file->getattr()) == ESTALE);
  CHECK_FALSE(fs->root()->is_current("f", file));
  CHECK_FALSE(fs->root()->is_current("f", nullptr));
  CHECK(fs->root()->is_current("none", nullptr));
  if (getuid() == 0 && mknod((scratch / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    CHECK(error_of(must(find(fs->root(), "null"))->open(caller(), O_RDONLY)) == EACCES);
    auto visible = must(create_hostfs({.root = scratch.open(), .devices = HostDevices::kVisible}));
    auto null = must(find(visible->root(), "null"))->open(caller(), O_RDONLY);
    CHECK((null || error_of(null) == EACCES));  // EACCES: the scratch directory is on a nodev mount
  }
}

TEST_CASE("a symbolic link that takes a directory's place is never followed") {
  ScratchDirectory scratch;
  scratch.make_directory("a/b");
  scratch.make_directory("elsewhere/b");
  scratch.write("elsewhere/b/secret", "s");
  scratch.write("a/b/f", "x");
  auto fs = hostfs(scratch);
  // Not used yet, so no descriptor is open.
  InodePtr a = must(find(fs->root(), "a"));
  REQUIRE(rename((scratch / "a").c_str(), (scratch / "aside").c_str()) == 0);
  REQUIRE(symlink("elsewhere", (scratch / "a").c_str()) == 0);
  CHECK(error_of(a->lookup("b")) == ENOENT);
  CHECK(error_of(a->create("new", node(S_IFREG | 0600))) == ENOENT);
  CHECK_FALSE(fs->root()->is_current("a", a));
  // Even another directory of that name is not the one that was looked up.
  REQUIRE(unlink((scratch / "a").c_str()) == 0);
  scratch.make_directory("a/b");
  CHECK(error_of(a->lookup("b")) == ENOENT);
  // A link in a file's place.
  scratch.write("f", "mine");
  InodePtr file = must(find(fs->root(), "f"));
  REQUIRE(unlink((scratch / "f").c_str()) == 0);
  REQUIRE(symlink("elsewhere/b/secret", (scratch / "f").c_str()) == 0);
  CHECK(error_of(file->open(caller(), O_RDONLY)) == ELOOP);
}

TEST_CASE("renames keep directory handles usable, whether open or closed") {
  ScratchDirectory scratch;
  scratch.make_directory("a/b/c");
  scratch.make_directory("x");
  scratch.make_directory("empty");
  auto fs = hostfs(scratch, CachePolicy::kTrust);
  InodePtr root = fs->root(), a = must(find(root, "a")), x = must(find(root, "x"));
  InodePtr b = must(a->lookup("b")), c = must(b->lookup("c"));
  must(c->create("f", node(S_IFREG | 0600)));
  must(a->rename("b", b, x, "moved", nullptr, 0));
  for (int round = 0; round < 2; ++round) {
    CHECK(names(c) == Names{"f"});
    HostDirectory::set_descriptor_limit(0);  // closes all that are not in use
    CHECK(HostDirectory::open_descriptors() == 0);
    HostDirectory::set_descriptor_limit(4096);
  }
  InodePtr empty = must(find(root, "empty"));
  CHECK(error_of(x->rename("moved", b, root, "empty", empty, RENAME_NOREPLACE)) == EEXIST);
  CHECK(error_of(x->rename("moved", b, root, "empty", empty, RENAME_WHITEOUT)) == EINVAL);
  must(x->rename("moved", b, root, "empty", empty, RENAME_EXCHANGE));
  CHECK(names(b) == Names{"c"});
  CHECK(names(must(find(root, "x/moved"))).empty());
  InodePtr other = must(find(root, "x/moved"));
  must(root->rename("empty", b, x, "moved", other, 0));
  CHECK(error_of(other->create("f", node(S_IFREG | 0600))) == ENOENT);
  CHECK(names(must(find(root, "x/moved/c"))) == Names{"f"});
}

TEST_CASE("links, unlink and rmdir") {
  ScratchDirectory scratch;
  auto fs = hostfs(scratch, CachePolicy::kTrust);
  InodePtr root = fs->root();
  InodePtr file = must(root->create("f", node(S_IFREG | 0600)));
  InodePtr directory = must(root->create("d", node(S_IFDIR | 0700)));
  must(directory->link("g", file));
  CHECK(must(file->getattr()).stx_nlink == 2);
  CHECK(error_of(root->link("d2", directory)) == EPERM);
  CHECK(error_of(root->rmdir("d", directory)) == ENOTEMPTY);
  must(directory->unlink("g", must(directory->lookup("g"))));
  must(root->rmdir("d", directory));
  must(root->create("d", node(S_IFDIR | 0700)));
  HostDirectory::set_descriptor_limit(0);
  HostDirectory::set_descriptor_limit(4096);
  CHECK(error_of(directory->lookup("x")) == ENOENT);  // not the new directory of that name
  UniqueFd unnamed = must(root->open_unnamed(caller(), O_RDWR, node(S_IFREG | 0604)));
  REQUIRE(write(unnamed.get(), "abc", 3) == 3);
  must(root->link_unnamed("named", unnamed.get()));
  CHECK(scratch.read("named") == "abc");
  CHECK(scratch.status("named").st_mode == (S_IFREG | 0604));
}

TEST_CASE("few descriptors are enough for many and deep directories") {
  ScratchDirectory scratch;
  struct rlimit old;
  getrlimit(RLIMIT_NOFILE, &old);
  struct rlimit small{64, old.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &small) == 0);
  HostDirectory::set_descriptor_limit(32);
  {
    auto fs = hostfs(scratch, CachePolicy::kTrust);
    std::vector<InodePtr> wide;
    InodePtr deep = fs->root();
    for (int i = 0; i < 300; ++i) {
      wide.push_back(must(fs->root()->create("w" + std::to_string(i), node(S_IFDIR | 0700))));
      deep = must(deep->create("d", node(S_IFDIR | 0700)));
    }
    for (const InodePtr& directory : wide) must(directory->create("f", node(S_IFREG | 0600)));
    must(deep->create("bottom", node(S_IFREG | 0600)));
    for (const InodePtr& directory : wide) CHECK(names(directory) == Names{"f"});
    CHECK(names(deep) == Names{"bottom"});
    CHECK(HostDirectory::open_descriptors() <= 32);
    // Even with too high a limit, running out of descriptors only closes idle ones.
    HostDirectory::set_descriptor_limit(4096);
    for (const InodePtr& directory : wide) CHECK(names(directory) == Names{"f"});
    wide.clear();
  }
  CHECK(HostDirectory::open_descriptors() == 0);
  setrlimit(RLIMIT_NOFILE, &old);
  HostDirectory::set_descriptor_limit(4096);
}

TEST_CASE("threads share handles that are opened and closed all the time") {
  ScratchDirectory scratch;
  scratch.make_directory("a/b/c");
  scratch.make_directory("x/y/z");
  HostDirectory::set_descriptor_limit(1);
  auto fs = hostfs(scratch, CachePolicy::kTrust);
  InodePtr c = must(find(fs->root(), "a/b/c")), z = must(find(fs->root(), "x/y/z"));
  std::atomic<int> failures{0};
  auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      failures += error_of(c->lookup("none")) != ENOENT;
      failures += error_of(z->lookup("none")) != ENOENT;
    }
  };
  std::thread first(work), second(work), third(work);
  first.join(), second.join(), third.join();
  CHECK(failures == 0);
  HostDirectory::set_descriptor_limit(4096);
}

TEST_CASE("the path of a descriptor is found from the descriptor") {
  ScratchDirectory scratch;
  scratch.make_directory("a");
  scratch.write("a/f", "x");
  scratch.write("a/g (deleted)", "x");
  auto fs = hostfs(scratch);
  UniqueFd file = must(must(find(fs->root(), "a/f"))->open(caller(), O_RDONLY));
  CHECK(fs->path_of_descriptor(file.get()) == "/a/f");
  CHECK(fs->path_of_descriptor(scratch.open("").get()) == "/");
  REQUIRE(rename((scratch / "a/f").c_str(), (scratch / "a/g").c_str()) == 0);
  CHECK(fs->path_of_descriptor(file.get()) == "/a/g");
  REQUIRE(unlink((scratch / "a/g").c_str()) == 0);
  CHECK(fs->path_of_descriptor(file.get()) == std::nullopt);
  UniqueFd foreign(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK(fs->path_of_descriptor(foreign.get()) == std::nullopt);
}

TEST_CASE("a single file can be the root") {
  ScratchDirectory scratch;
  scratch.write("f", "one file");
  auto fs = must(create_hostfs({.root = scratch.open("f")}));
  InodePtr file = fs->root();
  CHECK(file->is_regular());
  CHECK(must(file->getattr()).stx_size == 8);
  CHECK(content(file) == "one file");
  UniqueFd fd = must(file->open(caller(), O_RDWR | O_APPEND));
  REQUIRE(write(fd.get(), "!", 1) == 1);
  CHECK(scratch.read("f") == "one file!");
  must(file->setattr({.mode = 0600, .size = 2, .mtime = timespec{1, 2}}));
  CHECK(scratch.status("f").st_mode == (S_IFREG | 0600));
  CHECK(scratch.read("f") == "on");
  must(file->setxattr("user.a", "b", 0));
  CHECK(must(file->getxattr("user.a")) == "b");
  CHECK(error_of(file->lookup("x")) == ENOTDIR);
  CHECK(must(file->open(caller(), O_PATH)).is_open());
}
