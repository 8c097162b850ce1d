// The sentry's namespaces and its detached mounts.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "platform/host_mounts.h"
#include "platform/platform.h"

using namespace sandbox;
using namespace sandbox::platform;

namespace {

// Once for the whole program, which has one thread.
const Result<SentryNamespaces>& entered() {
  static const auto result = enter_sentry_namespaces();
  return result;
}

unsigned long flags_of(const UniqueFd& root) {
  struct statvfs info{};
  REQUIRE(fstatvfs(root.get(), &info) == 0);
  return info.f_flag;
}

}  // namespace

TEST_CASE("the caller's own ids keep their numbers in the sentry's namespace") {
  const uid_t user = geteuid();
  REQUIRE(entered());
  CHECK(geteuid() == user);
  CHECK(entered()->uid_map.to_outside(user) == user);
}

TEST_CASE("a private tmpfs takes files up to its limits") {
  REQUIRE(entered());
  TmpfsOptions options;
  options.size_bytes = 64 * 1024;
  options.mode = 0750;
  auto root = make_host_mounter()->new_tmpfs(options);
  REQUIRE(root);
  struct stat info{};
  REQUIRE(fstat(root->get(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0750);
  UniqueFd file(openat(root->get(), "file", O_RDWR | O_CREAT, 0600));
  REQUIRE(file);
  CHECK(ftruncate(file.get(), 10) == 0);
  std::string block(128 * 1024, 'x');
  ssize_t written = write(file.get(), block.data(), block.size());
  CHECK(written < static_cast<ssize_t>(block.size()));
}

TEST_CASE("a devpts instance has its own ptmx") {
  REQUIRE(entered());
  auto root = make_host_mounter()->new_devpts();
  REQUIRE(root);
  UniqueFd master(openat(root->get(), "ptmx", O_RDWR | O_NOCTTY));
  CHECK(master);
  struct stat slave{};
  CHECK(fstatat(root->get(), "0", &slave, 0) == 0);
}

TEST_CASE("flags of a copied tree hold on every mount in it") {
  REQUIRE(entered());
  auto method = GENERATE(TreeFlagsMethod::kProbe, TreeFlagsMethod::kSetattr, TreeFlagsMethod::kRemountEach);
  auto mounter = make_host_mounter(method);
  auto read_only = mounter->clone_tree(AT_FDCWD, "/", MountAccess::kReadOnly, MountDevices::kHidden);
  REQUIRE(read_only);
  constexpr unsigned long kWanted = ST_RDONLY | ST_NOSUID | ST_NODEV;
  CHECK((flags_of(*read_only) & kWanted) == kWanted);
  UniqueFd proc(openat(read_only->get(), "proc", O_PATH | O_DIRECTORY));
  REQUIRE(proc);
  CHECK((flags_of(proc) & kWanted) == kWanted);

  auto file = mounter->clone_tree(AT_FDCWD, "/dev/null", MountAccess::kReadWrite, MountDevices::kVisible);
  REQUIRE(file);
  CHECK_FALSE(flags_of(*file) & ST_RDONLY);
}

TEST_CASE("a tree that does not exist is ENOENT") {
  REQUIRE(entered());
  auto tree = make_host_mounter()->clone_tree(AT_FDCWD, "/no/such/place", MountAccess::kReadOnly,
                                              MountDevices::kHidden);
  REQUIRE_FALSE(tree);
  CHECK(tree.error() == Errno(ENOENT));
}

TEST_CASE("the probe says what this host can run") {
  for (EngineKind kind : {EngineKind::kPtrace, EngineKind::kNotify}) {
    EngineSupport support = probe_engine(kind);
    CHECK_FALSE(support.detail.empty());
  }
}
