// AF_UNIX sockets bound to paths: the name is a file of the sandbox's own tree.
#include "../guest.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t name_of(struct sockaddr_un* address, const char* path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strncpy(address->sun_path, path, sizeof address->sun_path);
  return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}
static int bind_to(int fd, const char* path) {
  struct sockaddr_un address;
  socklen_t length = name_of(&address, path);
  return bind(fd, (struct sockaddr*)&address, length);
}
static int connect_to(int fd, const char* path) {
  struct sockaddr_un address;
  socklen_t length = name_of(&address, path);
  return connect(fd, (struct sockaddr*)&address, length);
}
static int stream(void) { return MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

TEST(stream_by_relative_path) {
  int server = stream(), client = stream();
  OK(bind_to(server, "sock"));
  struct stat st;
  OK(stat("sock", &st));
  CHECK_EQ(st.st_mode, S_IFSOCK | 0755);
  CHECK_EQ(st.st_uid, geteuid());
  ERR(connect_to(client, "sock"), ECONNREFUSED);
  OK(listen(server, 5));
  OK(connect_to(client, "sock"));
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  OK(getsockname(server, (struct sockaddr*)&address, &length));
  CHECK_STR(address.sun_path, "sock");
  CHECK_EQ(length, 2 + 5);
  length = sizeof address;
  memset(&address, 0, sizeof address);
  OK(getpeername(client, (struct sockaddr*)&address, &length));
  CHECK_STR(address.sun_path, "sock");
  length = sizeof address;
  int peer = MUST(accept4(server, (struct sockaddr*)&address, &length, SOCK_CLOEXEC));
  CHECK_EQ(length, 2);
  CHECK_EQ(write(client, "hi", 2), 2);
  char text[4] = {0};
  CHECK_EQ(read(peer, text, 4), 2);
  CHECK_STR(text, "hi");
}

TEST(credentials_of_the_peer) {
  int server = stream();
  OK(bind_to(server, "sock"));
  OK(listen(server, 5));
  pid_t child = guest_fork();
  if (child == 0) {
    int client = stream();
    char byte;
    if (connect_to(client, "sock") != 0) _exit(1);
    _exit(read(client, &byte, 1) == 1 ? 0 : 2);
  }
  int peer = MUST(accept(server, NULL, NULL));
  struct ucred cred = {0};
  socklen_t length = sizeof cred;
  OK(getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &cred, &length));
  CHECK_EQ(cred.pid, child);
  CHECK_EQ(cred.uid, getuid());
  CHECK_EQ(cred.gid, getgid());
  CHECK_EQ(write(peer, "x", 1), 1);
  int status;
  OK(waitpid(child, &status, 0));
  CHECK_EQ(status, 0);
}

TEST(datagrams) {
  int server = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), client = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  char path[PATH_MAX + 16];
  OK(bind_to(server, "server"));
  OK(bind_to(client, "client"));
  struct sockaddr_un address, from;
  socklen_t length = name_of(&address, "server"), from_length = sizeof from;
  CHECK_EQ(sendto(client, "ping", 4, 0, (struct sockaddr*)&address, length), 4);
  char text[8] = {0};
  memset(&from, 0, sizeof from);
  CHECK_EQ(recvfrom(server, text, 8, 0, (struct sockaddr*)&from, &from_length), 4);
  CHECK_STR(from.sun_path, "client");
  CHECK_EQ(sendto(server, "pong", 4, 0, (struct sockaddr*)&from, from_length), 4);
  CHECK_EQ(read(client, text, 8), 4);
  CHECK_STR(text, "pong");
  struct iovec iov = {"msg", 3};
  struct msghdr message = {.msg_name = &address, .msg_namelen = length, .msg_iov = &iov, .msg_iovlen = 1};
  CHECK_EQ(sendmsg(client, &message, 0), 3);
  CHECK_EQ(read(server, text, 8), 3);
  struct mmsghdr many[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
  CHECK_EQ(sendmmsg(client, many, 2, 0), 2);
  CHECK_EQ(read(server, text, 8), 3);
  CHECK_EQ(read(server, text, 8), 3);
  OK(connect_to(client, "server"));
  CHECK_EQ(write(client, "abc", 3), 3);
  snprintf(path, sizeof path, "%s/none", guest_dir);
  length = name_of(&address, "none");
  ERR(sendto(client, "x", 1, 0, (struct sockaddr*)&address, length), ENOENT);
}

TEST(seqpacket) {
  int server = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), client = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  OK(bind_to(server, "sock"));
  OK(listen(server, 1));
  OK(connect_to(client, "./sock"));
  int peer = MUST(accept(server, NULL, NULL));
  CHECK_EQ(write(client, "one", 3), 3);
  CHECK_EQ(write(client, "three", 5), 5);
  char text[16];
  CHECK_EQ(read(peer, text, 16), 3);
  CHECK_EQ(read(peer, text, 16), 5);
}

TEST(errors) {
  int a = stream(), b = stream();
  guest_write_file("f", "");
  ERR(bind_to(a, "f"), EADDRINUSE);
  ERR(bind_to(a, "missing/sock"), ENOENT);
  ERR(bind_to(a, "f/sock"), ENOTDIR);
  OK(bind_to(a, "sock"));
  ERR(bind_to(a, "other"), EINVAL);
  ERR(bind_to(b, "sock"), EADDRINUSE);
  ERR(connect_to(b, "missing"), ENOENT);
  ERR(connect_to(b, "f"), ECONNREFUSED);
  OK(mkdir("d", 0755));
  ERR(connect_to(b, "d"), ECONNREFUSED);
  OK(symlink("sock", "l"));
  OK(listen(a, 5));
  OK(connect_to(b, "l"));
  ERR(open("sock", O_RDWR), ENXIO);
  int datagram = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  ERR(connect_to(datagram, "sock"), EPROTOTYPE);
  struct sockaddr_un address;
  name_of(&address, "toolong");
  ERR(bind(datagram, (struct sockaddr*)&address, sizeof address + 10), EINVAL);
  OK(unlink("sock"));
  int c = stream();
  ERR(connect_to(c, "sock"), ENOENT);
}

TEST(mode_and_permission) {
  NEEDS_ROOT();
  int server = stream();
  umask(0077);
  OK(bind_to(server, "sock"));
  OK(listen(server, 1));
  struct stat st;
  OK(stat("sock", &st));
  CHECK_EQ(st.st_mode, S_IFSOCK | 0700);
  guest_become(65534);
  int client = stream();
  ERR(connect_to(client, "sock"), EACCES);
}

TEST(longest_path) {
  char name[109];
  memset(name, 's', 108);
  name[108] = 0;
  int server = stream(), client = stream();
  struct sockaddr_un address;
  name_of(&address, name);
  OK(bind(server, (struct sockaddr*)&address, sizeof address));
  OK(listen(server, 1));
  struct stat st;
  OK(stat(name, &st));
  OK(connect(client, (struct sockaddr*)&address, sizeof address));
}

TEST(abstract_and_unnamed) {
  int server = stream(), client = stream();
  struct sockaddr_un address = {AF_UNIX, {0}};
  snprintf(address.sun_path + 1, 60, "guest-%d", getpid());
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1);
  OK(bind(server, (struct sockaddr*)&address, length));
  OK(listen(server, 1));
  OK(connect(client, (struct sockaddr*)&address, length));
  int autobound = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  address.sun_family = AF_UNIX;
  OK(bind(autobound, (struct sockaddr*)&address, sizeof(sa_family_t)));
  length = sizeof address;
  OK(getsockname(autobound, (struct sockaddr*)&address, &length));
  CHECK(length > 2 && address.sun_path[0] == 0);
}

TEST(descriptors_travel) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  OK(mkdir("d", 0755));
  guest_write_file("d/f", "through the socket");
  pid_t child = guest_fork();
  if (child == 0) {
    int dir = open("d", O_RDONLY | O_DIRECTORY), file = open("d/f", O_RDONLY);
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(header), (int[]){dir, file}, 2 * sizeof(int));
    _exit(sendmsg(pair[1], &message, 0) == 1 ? 0 : 1);
  }
  char control[CMSG_SPACE(2 * sizeof(int))], byte;
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(recvmsg(pair[0], &message, 0), 1);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  REQUIRE(header != NULL && header->cmsg_type == SCM_RIGHTS);
  int fds[2];
  memcpy(fds, CMSG_DATA(header), sizeof fds);
  struct stat st, want;
  OK(fstat(fds[0], &st));
  OK(stat("d", &want));
  CHECK_EQ(st.st_ino, want.st_ino);
  int file = MUST(openat(fds[0], "f", O_RDONLY));
  char text[32] = {0};
  CHECK_EQ(read(file, text, 31), 18);
  CHECK_EQ(read(fds[1], text, 31), 18);
  OK(faccessat(fds[0], "../d/f", R_OK, 0));
  OK(fchdir(fds[0]));
  OK(access("f", F_OK));
  OK(waitpid(child, NULL, 0));
}

// 1000 is where the ptrace engine keeps a socket of its own, which nobody inside may get hold of.
TEST(closed_descriptors_do_not_travel) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  int numbers[] = {1000, 1001};
  for (size_t i = 0; i < 2; ++i) {
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(header), (int[]){0, numbers[i]}, 2 * sizeof(int));
    ERR(sendmsg(pair[1], &message, 0), EBADF);
    struct mmsghdr many = {.msg_hdr = message};
    ERR(sendmmsg(pair[1], &many, 1, 0), EBADF);
  }
}
