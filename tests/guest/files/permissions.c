// Permission bits, ownership and umask, by uid; as root the children become other users.
#include "../guest.h"
#include <grp.h>

enum { kSomeone = 1234, kOther = 4321 };

static void as(uid_t uid, gid_t gid) {
  MUST(setgroups(0, NULL));
  MUST(setresgid(gid, gid, gid));
  MUST(setresuid(uid, uid, uid));
}

TEST(own_files_obey_own_bits) {
  guest_become(65534);
  OK(mkdir("mine", 0755));
  OK(chdir("mine"));
  guest_write_file("f", "x");
  OK(chmod("f", 0));
  ERR(open("f", O_RDONLY), EACCES);
  ERR(open("f", O_WRONLY), EACCES);
  OK(chmod("f", 0200));
  ERR(open("f", O_RDONLY), EACCES);
  ERR(open("f", O_RDWR), EACCES);
  OK(open("f", O_WRONLY));
  OK(chmod("f", 0444));
  ERR(open("f", O_WRONLY), EACCES);
  ERR(open("f", O_RDONLY | O_TRUNC), EACCES);
  ERR(truncate("f", 0), EACCES);
  ERR(access("f", W_OK), EACCES);
  OK(access("f", R_OK));
  // The owner's bits decide for the owner, even when others' would allow more.
  OK(chmod("f", 0077));
  ERR(open("f", O_RDONLY), EACCES);
  OK(unlink("f"));
}

TEST(directory_bits) {
  guest_become(65534);
  OK(mkdir("top", 0755));
  OK(chdir("top"));
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "x");
  OK(chmod("d", 0600));  // no search
  struct stat st;
  ERR(stat("d/f", &st), EACCES);
  ERR(open("d/f", O_RDONLY), EACCES);
  ERR(chdir("d"), EACCES);
  OK(open("d", O_RDONLY));  // but it can be listed
  OK(chmod("d", 0100));     // search only
  OK(stat("d/f", &st));
  ERR(open("d", O_RDONLY), EACCES);
  ERR(unlink("d/f"), EACCES);
  OK(chmod("d", 0500));  // no write
  ERR(open("d/new", O_CREAT | O_WRONLY, 0644), EACCES);
  ERR(mkdir("d/new", 0755), EACCES);
  ERR(symlink("x", "d/new"), EACCES);
  ERR(unlink("d/f"), EACCES);
  ERR(rename("d/f", "f"), EACCES);
  ERR(link("d/f", "d/g"), EACCES);
  ERR(mkdir("d/f", 0755), EEXIST);
  ERR(open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
  ERR(unlink("d/missing"), ENOENT);
  ERR(rmdir("d/missing"), ENOENT);
  OK(chmod("d", 0700));
}

TEST(owner_group_other) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  OK(chown("f", kSomeone, kSomeone));
  OK(chmod("f", 0640));
  IN_CHILD({
    as(kSomeone, kOther);
    OK(open("f", O_RDWR));
  });
  IN_CHILD({
    as(kOther, kSomeone);
    OK(open("f", O_RDONLY));
    ERR(open("f", O_WRONLY), EACCES);
  });
  IN_CHILD({
    gid_t groups[] = {7, kSomeone};
    MUST(setgroups(2, groups));
    MUST(setresgid(kOther, kOther, kOther));
    MUST(setresuid(kOther, kOther, kOther));
    OK(open("f", O_RDONLY));
    ERR(open("f", O_WRONLY), EACCES);
  });
  IN_CHILD({
    as(kOther, kOther);
    ERR(open("f", O_RDONLY), EACCES);
    ERR(chmod("f", 0777), EPERM);
    ERR(chown("f", kOther, -1), EPERM);
    ERR(truncate("f", 0), EACCES);
    ERR(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
    struct timespec times[2] = {{1, 0}, {1, 0}};
    ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
  });
}

TEST(root_overrides) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  OK(chown("f", kSomeone, kSomeone));
  OK(chmod("f", 0));
  OK(open("f", O_RDWR));
  ERR(access("f", X_OK), EACCES);
  OK(chmod("f", 0100));
  OK(access("f", X_OK));
  OK(mkdir("d", 0));
  OK(access("d", X_OK | W_OK | R_OK));
  OK(close(OK(open("d/new", O_CREAT | O_WRONLY, 0600))));
}

TEST(sticky_directory) {
  NEEDS_ROOT();
  OK(mkdir("t", 01777));
  OK(chmod("t", 01777));
  guest_write_file("t/f", "x");
  OK(chown("t/f", kSomeone, kSomeone));
  OK(chmod("t/f", 0666));
  IN_CHILD({
    as(kOther, kOther);
    OK(open("t/f", O_WRONLY));
    ERR(unlink("t/f"), EPERM);
    ERR(rename("t/f", "t/g"), EPERM);
    guest_write_file("t/own", "x");
    ERR(rename("t/own", "t/f"), EPERM);
    OK(unlink("t/own"));
  });
  IN_CHILD({
    as(kSomeone, kSomeone);
    OK(unlink("t/f"));
  });
}

TEST(chown_clears_setuid) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  OK(chmod("f", 06755));
  struct stat st;
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode & 07777, 06755);
  OK(chown("f", kSomeone, kSomeone));
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode & 07777, 0755);
  CHECK_EQ(st.st_uid, kSomeone);
  CHECK_EQ(st.st_gid, kSomeone);
  OK(chown("f", -1, kOther));
  OK(stat("f", &st));
  CHECK_EQ(st.st_uid, kSomeone);
  CHECK_EQ(st.st_gid, kOther);
  OK(symlink("f", "l"));
  OK(lchown("l", 77, 77));
  OK(stat("f", &st));
  CHECK_EQ(st.st_uid, kSomeone);
  OK(lstat("l", &st));
  CHECK_EQ(st.st_uid, 77);
  OK(fchownat(AT_FDCWD, "l", 55, 55, 0));
  OK(stat("f", &st));
  CHECK_EQ(st.st_uid, 55);
}

TEST(write_clears_setuid) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  OK(chown("f", kSomeone, kSomeone));
  OK(chmod("f", 04777));
  IN_CHILD({
    as(kOther, kOther);
    int fd = MUST(open("f", O_WRONLY));
    CHECK_EQ(write(fd, "y", 1), 1);
    struct stat st;
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0777);
  });
}

TEST(new_files_belong_to_the_creator) {
  NEEDS_ROOT();
  OK(mkdir("d", 0777));
  OK(chmod("d", 0777));
  OK(mkdir("g", 0777));
  OK(chown("g", 0, kSomeone));
  OK(chmod("g", 02777));
  IN_CHILD({
    as(kOther, kOther);
    guest_write_file("d/f", "");
    OK(mkdir("d/sub", 0755));
    OK(symlink("x", "d/l"));
    OK(mkfifo("d/p", 0600));
    struct stat st;
    const char* names[] = {"d/f", "d/sub", "d/l", "d/p"};
    for (int i = 0; i < 4; ++i) {
      OK(lstat(names[i], &st));
      CHECK_EQ(st.st_uid, kOther);
      CHECK_EQ(st.st_gid, kOther);
    }
    // A set-group-ID directory hands on its group, and to directories also the bit.
    guest_write_file("g/f", "");
    OK(mkdir("g/sub", 0755));
    OK(stat("g/f", &st));
    CHECK_EQ(st.st_gid, kSomeone);
    OK(stat("g/sub", &st));
    CHECK_EQ(st.st_gid, kSomeone);
    CHECK_EQ(st.st_mode & 07777, 02755);
  });
}

TEST(effective_user_counts) {
  NEEDS_ROOT();
  guest_write_file("f", "x");
  OK(chmod("f", 0600));
  OK(mkdir("hidden", 0));
  IN_CHILD({
    MUST(setresuid(0, kSomeone, 0));
    ERR(open("f", O_RDONLY), EACCES);
    // access(2) asks for the real user.
    OK(access("f", R_OK));
    ERR(access("hidden/f", F_OK), ENOENT);
    ERR(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS), EACCES);
    MUST(setresuid(-1, 0, -1));
    OK(open("f", O_RDONLY));
  });
  IN_CHILD({
    OK(syscall(SYS_setfsuid, kSomeone) == 0 ? 0 : 0);
    ERR(open("f", O_RDONLY), EACCES);
    OK(syscall(SYS_setfsuid, 0) == kSomeone ? 0 : -1);
    OK(open("f", O_RDONLY));
  });
}

TEST(umask_applies_everywhere) {
  CHECK_EQ(umask(077), 022);
  CHECK_EQ(umask(077), 077);
  struct stat st;
  OK(mkdir("d", 0777));
  OK(stat("d", &st));
  CHECK_EQ(st.st_mode & 0777, 0700);
  OK(mkfifo("p", 0666));
  OK(stat("p", &st));
  CHECK_EQ(st.st_mode & 0777, 0600);
  OK(mknod("n", S_IFREG | 0666, 0));
  OK(stat("n", &st));
  CHECK_EQ(st.st_mode & 0777, 0600);
  OK(chmod("n", 0666));  // chmod does not look at it
  OK(stat("n", &st));
  CHECK_EQ(st.st_mode & 0777, 0666);
  IN_CHILD({
    CHECK_EQ(umask(0), 077);
  });
  CHECK_EQ(umask(022), 077);
  CHECK_EQ(umask(07777777), 022);
  CHECK_EQ(umask(022), 0777);
}

TEST(chmod_family) {
  guest_write_file("f", "");
  struct stat st;
  OK(chmod("f", 07777));
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode & 07000, 07000);
  int fd = MUST(open("f", O_RDONLY));
  OK(fchmod(fd, 0611));
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0611);
  OK(fchmodat(AT_FDCWD, "f", 0640, 0));
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  OK(symlink("f", "l"));
  OK(chmod("l", 0600));
  OK(lstat("l", &st));
  CHECK_EQ(st.st_mode, S_IFLNK | 0777);
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  ERR(chmod("missing", 0600), ENOENT);
  ERR(fchmod(555, 0600), EBADF);
  OK(chmod("f", 0170600));  // other bits are ignored
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
#ifdef SYS_fchmodat2
  long result = syscall(SYS_fchmodat2, AT_FDCWD, "f", 0604, 0);
  if (result == 0) {
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 0777, 0604);
  }
#endif
}

TEST(setgid_is_lost_outside_the_group) {
  NEEDS_ROOT();
  guest_write_file("f", "");
  OK(chown("f", kSomeone, kOther));
  IN_CHILD({
    as(kSomeone, kSomeone);
    OK(chmod("f", 02755));
    struct stat st;
    OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0755);
  });
}

TEST(a_read_only_system_file) {
  guest_become(65534);
  ERR(open("/etc/passwd", O_WRONLY), EACCES);
  ERR(unlink("/etc/passwd"), EACCES);
  ERR(open("/etc/new-file-of-a-guest", O_CREAT | O_WRONLY, 0644), EACCES);
  ERR(open("/etc/shadow", O_RDONLY), EACCES);
  OK(open("/etc/passwd", O_RDONLY));
}

TEST(fchmod_of_a_file_that_was_copied_up_since) {
  ENTER_LOWER("fchmod");
  int fd = MUST(open("f", O_RDONLY));
  int writer = MUST(open("f", O_WRONLY | O_APPEND));
  CHECK_EQ(write(writer, "!", 1), 1);
  OK(fchmod(fd, 0600));
  struct stat st;
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  OK(fchown(fd, -1, -1));
  struct timespec times[2] = {{1000, 0}, {1000, 0}};
  OK(futimens(fd, times));
  OK(stat("f", &st));
  CHECK_EQ(st.st_mtim.tv_sec, 1000);
}
