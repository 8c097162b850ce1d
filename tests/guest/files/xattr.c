// setxattr(2) and its family, by path, by link and by descriptor.
#include "../guest.h"
#include <sys/xattr.h>

static void need_xattrs(void) {
  guest_write_file("probe", "");
  if (setxattr("probe", "user.probe", "1", 1, 0) != 0) SKIP("no user xattrs here: %s", guest_errno_name(errno));
}

TEST(by_path) {
  need_xattrs();
  guest_write_file("f", "");
  char value[64] = {0};
  OK(setxattr("f", "user.a", "hello", 5, 0));
  CHECK_EQ(getxattr("f", "user.a", value, sizeof value), 5);
  CHECK_STR(value, "hello");
  CHECK_EQ(getxattr("f", "user.a", NULL, 0), 5);
  ERR(getxattr("f", "user.a", value, 2), ERANGE);
  ERR(getxattr("f", "user.missing", value, sizeof value), ENODATA);
  ERR(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
  ERR(setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
  OK(setxattr("f", "user.a", "bye", 3, XATTR_REPLACE));
  OK(setxattr("f", "user.empty", "", 0, 0));
  CHECK_EQ(getxattr("f", "user.empty", value, sizeof value), 0);
  char list[256];
  ssize_t length = OK(listxattr("f", list, sizeof list));
  CHECK(memmem(list, length, "user.a", 7) != NULL);
  CHECK(memmem(list, length, "user.empty", 11) != NULL);
  CHECK_EQ(listxattr("f", NULL, 0), length);
  ERR(listxattr("f", list, 3), ERANGE);
  OK(removexattr("f", "user.a"));
  ERR(removexattr("f", "user.a"), ENODATA);
  ERR(getxattr("missing", "user.a", value, 1), ENOENT);
  ERR(setxattr("f", "", "x", 1, 0), ERANGE);
  ERR(setxattr("f", "nonamespace", "x", 1, 0), EOPNOTSUPP);
  ERR(setxattr("f", "user.a", "x", 1, 77), EINVAL);
}

TEST(by_descriptor_and_directory) {
  need_xattrs();
  guest_write_file("f", "");
  OK(mkdir("d", 0755));
  char value[64] = {0};
  int fd = MUST(open("f", O_RDONLY)), dir = MUST(open("d", O_RDONLY));
  OK(fsetxattr(fd, "user.k", "vvv", 3, 0));
  CHECK_EQ(getxattr("f", "user.k", value, sizeof value), 3);
  OK(fsetxattr(dir, "user.k", "dd", 2, 0));
  CHECK_EQ(getxattr("d", "user.k", value, sizeof value), 2);
  CHECK_EQ(fgetxattr(dir, "user.k", value, sizeof value), 2);
  CHECK(flistxattr(dir, value, sizeof value) >= 7);
  OK(fremovexattr(dir, "user.k"));
  ERR(fgetxattr(dir, "user.k", value, sizeof value), ENODATA);
  int path = MUST(open("f", O_PATH));
  ERR(fgetxattr(path, "user.k", value, sizeof value), EBADF);
  OK(rename("f", "g"));
  CHECK_EQ(fgetxattr(fd, "user.k", value, sizeof value), 3);
  CHECK_EQ(getxattr("g", "user.k", value, sizeof value), 3);
}

TEST(links_have_no_user_attributes) {
  need_xattrs();
  guest_write_file("f", "");
  OK(symlink("f", "l"));
  char value[8];
  OK(setxattr("l", "user.k", "v", 1, 0));
  CHECK_EQ(getxattr("f", "user.k", value, sizeof value), 1);
  ERR(lsetxattr("l", "user.k", "v", 1, 0), EPERM);
  ERR(lgetxattr("l", "user.k", value, sizeof value), ENODATA);
  CHECK_EQ(llistxattr("l", value, sizeof value) >= 0, 1);
}

TEST(permissions) {
  need_xattrs();
  NEEDS_ROOT();
  guest_write_file("f", "");
  OK(setxattr("f", "user.k", "v", 1, 0));
  OK(chmod("f", 0600));
  guest_become(65534);
  char value[8];
  ERR(getxattr("f", "user.k", value, sizeof value), EACCES);
  ERR(setxattr("f", "user.k", "w", 1, 0), EACCES);
  ERR(setxattr("f", "trusted.k", "w", 1, 0), EPERM);
}

TEST(limits) {
  need_xattrs();
  guest_write_file("f", "");
  char name[300] = "user.";
  memset(name + 5, 'n', sizeof name - 5);
  name[255] = 0;
  OK(setxattr("f", name, "v", 1, 0));
  name[255] = 'n';
  name[256] = 0;
  ERR(setxattr("f", name, "v", 1, 0), ERANGE);
  static char big[70000];
  ERR(setxattr("f", "user.big", big, 65537, 0), E2BIG);
  OK(setxattr("f", "user.some", big, 1000, 0));
}

// What ls -l asks of every entry needs no right on the entry.
TEST(a_directory_that_cannot_be_searched) {
  need_xattrs();
  OK(mkdir("d", 0755));
  OK(chmod("d", 0));
  char value[64];
  ERR(getxattr("d", "security.none", value, sizeof value), ENODATA);
  ERR(lgetxattr("d", "security.none", value, sizeof value), ENODATA);
  CHECK(listxattr("d", value, sizeof value) >= 0);
  if (geteuid() != 0) ERR(getxattr("d", "user.k", value, sizeof value), EACCES);
  OK(chmod("d", 0755));
}
