// Calls on sockets, polling, terminals and IPC.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <net/if.h>
#include <unistd.h>

static char buffer[256];

static void internet(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 other = {.sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  connect(fd, (struct sockaddr *)&address, sizeof address);
  connect(fd, (struct sockaddr *)&address, 3);
  connect(fd, NULL, 0);
  connect(fd, (struct sockaddr *)&other, sizeof other);
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  getpeername(fd, (struct sockaddr *)&storage, &length);
  sendto(fd, "ping", 4, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address);
  close(fd);
  int stream = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int one = 1;
  setsockopt(stream, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(stream, SOL_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(stream, SOL_IPV6, IPV6_V6ONLY, &one, sizeof one);
  struct linger linger = {1, 2};
  setsockopt(stream, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  struct timeval timeout = {3, 4};
  setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  length = sizeof one;
  getsockopt(stream, SOL_SOCKET, SO_ERROR, &one, &length);
  getsockopt(stream, SOL_SOCKET, SO_TYPE, &one, &length);
  bind(stream, (struct sockaddr *)&other, sizeof other);
  listen(stream, 5);
  accept4(stream, (struct sockaddr *)&storage, &length, SOCK_CLOEXEC);
  shutdown(stream, SHUT_RDWR);
  socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct sockaddr_nl netlink = {.nl_family = AF_NETLINK, .nl_groups = 5};
  bind(3, (struct sockaddr *)&netlink, sizeof netlink);
  socket(77, 2, 55);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  ioctl(stream, SIOCGIFINDEX, &request);
  ioctl(stream, SIOCGIFFLAGS, &request);
}

static void local(void) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  connect(fd, (struct sockaddr *)&address, sizeof address);
  strcpy(address.sun_path, "\0abstract");
  memcpy(address.sun_path, "\0abstract", 9);
  connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 9);
  union {
    char space[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr align;
  } control;
  memset(&control, 0, sizeof control);
  struct iovec vector = {"message", 7};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(2 * sizeof(int));
  ((int *)CMSG_DATA(header))[0] = pair[0];
  ((int *)CMSG_DATA(header))[1] = fd;
  sendmsg(pair[0], &message, MSG_NOSIGNAL);
  struct iovec into = {buffer, sizeof buffer};
  struct msghdr received = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  recvmsg(pair[1], &received, MSG_CMSG_CLOEXEC);
  recvmsg(pair[1], &received, MSG_DONTWAIT);
  send(pair[0], "abc", 3, 0);
  recv(pair[1], buffer, sizeof buffer, MSG_PEEK);
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  recvfrom(pair[1], buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
  struct ucred credentials;
  length = sizeof credentials;
  ioctl(pair[0], FIONREAD, &length);
  ioctl(pair[0], FIONBIO, &(int){1});
  struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}}};
  sendmmsg(pair[0], many, 2, 0);
  (void)credentials;
}

static void waiting(void) {
  int fds[2];
  pipe(fds);
  write(fds[1], "x", 1);
  struct pollfd set[3] = {{fds[0], POLLIN | POLLPRI, 0}, {fds[1], POLLOUT, 0}, {-1, 0, 0}};
  poll(set, 3, 0);
  set[1].fd = fds[0];
  set[1].events = POLLPRI;
  poll(set + 1, 1, 0);
  poll(NULL, 0, 1);
  struct timespec soon = {0, 1000};
  sigset_t mask;
  memset(&mask, 0, sizeof mask);
  ppoll(set + 1, 1, &soon, &mask);
  fd_set read_set, write_set;
  FD_ZERO(&read_set);
  FD_ZERO(&write_set);
  FD_SET(fds[0], &read_set);
  FD_SET(fds[1], &write_set);
  struct timeval none = {0, 0};
  select(fds[1] + 1, &read_set, &write_set, NULL, NULL);
  FD_ZERO(&read_set);
  select(1, &read_set, NULL, NULL, &none);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x100000002};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
  struct epoll_event events[4];
  epoll_wait(epoll, events, 4, 0);
  epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0], NULL);
  epoll_wait(epoll, events, 4, 0);
  eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC);
  int inotify = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(inotify, "/tmp", IN_CREATE | IN_DELETE | IN_ONLYDIR);
  inotify_rm_watch(inotify, 99);
}

static void terminals(void) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  int number = 0;
  ioctl(master, TIOCSPTLCK, &number);
  ioctl(master, TIOCGPTN, &number);
  struct winsize size = {24, 80, 0, 0};
  ioctl(master, TIOCSWINSZ, &size);
  ioctl(master, TIOCGWINSZ, &size);
  ioctl(master, TCGETS, buffer);
  ioctl(0, TCGETS, buffer);
  ioctl(master, 0xc0de1234, buffer);
}

static void ipc(void) {
  int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  struct shmid_ds segment;
  shmctl(id, IPC_RMID, NULL);
  shmctl(-1, IPC_STAT, &segment);
  int queue = msgget(IPC_PRIVATE, IPC_CREAT | IPC_EXCL | 0600);
  struct {
    long type;
    char text[8];
  } message = {7, "hello"};
  msgsnd(queue, &message, 6, IPC_NOWAIT);
  msgrcv(queue, &message, 8, 0, IPC_NOWAIT | MSG_NOERROR);
  msgctl(queue, IPC_RMID, NULL);
  int semaphores = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
  struct sembuf operations[2] = {{0, 1, 0}, {1, 2, SEM_UNDO | IPC_NOWAIT}};
  semop(semaphores, operations, 2);
  semctl(semaphores, 0, IPC_RMID, 0);
}

int main(void) {
  internet();
  local();
  waiting();
  terminals();
  ipc();
  return 0;
}
