// Open objects without a name: what may not be changed through a descriptor.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "inode_helpers.h"
#include "vfs/core/open_object.h"

using namespace sandbox;
using namespace sandbox::test;

TEST_CASE("a host device keeps its attributes, however its descriptor came in") {
  auto filesystem = create_anonymous_filesystem();
  const IdMap identity = IdMap::identity();
  for (ObjectOrigin origin : {ObjectOrigin::kPassedIn, ObjectOrigin::kInside}) {
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    InodePtr object = create_open_object(*filesystem, std::move(null), S_IFCHR, origin, identity, identity);
    Attributes before = must(object->getattr());
    // The values it has, so that even a failing test changes nothing.
    CHECK(error_of(object->setattr({.mode = before.stx_mode & 07777u})) == EPERM);
    CHECK(error_of(object->setattr({.uid = before.stx_uid, .gid = before.stx_gid})) == EPERM);
    CHECK(error_of(object->setattr({.atime = timespec{0, UTIME_OMIT}})) == EPERM);
    CHECK(error_of(object->setxattr("trusted.sandbox", "x", 0)) == EPERM);
  }
}
