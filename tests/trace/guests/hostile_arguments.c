// Calls with arguments that nobody means well with, and says what each returned: the tracer must not be troubled,
// and the program not notice it.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void say(const char* what, long result) { printf("%s %ld\n", what, result); }
#define TRY_CALL(number, ...) say(#number, syscall(number, __VA_ARGS__))

static char buffer[256];

static void vectors(int file) {
  // Parts that overlap, the vector itself among what is written; lengths that no memory has.
  struct iovec overlapping[] = {{buffer, 32}, {buffer + 8, 32}, {buffer, 64}};
  TRY_CALL(SYS_readv, file, overlapping, 3);
  struct iovec self[3] = {{self, sizeof self}, {buffer, 10}, {buffer, 10}};
  TRY_CALL(SYS_readv, file, self, 3);
  struct iovec endless[] = {{buffer, SIZE_MAX}, {buffer, SIZE_MAX}};
  TRY_CALL(SYS_writev, 1, endless, 2);
  TRY_CALL(SYS_writev, 1, endless, UINT64_MAX);
}

static void messages(void) {
  int ends[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  struct msghdr self = {0};
  self.msg_iov = (struct iovec*)&self;
  self.msg_iovlen = SIZE_MAX;
  self.msg_control = self.msg_name = &self;
  self.msg_controllen = SIZE_MAX;
  TRY_CALL(SYS_sendmsg, ends[0], &self, 0);
  // What comes in replaces the structure that says where it goes.
  struct msghdr replaced = {0};
  struct iovec into = {&replaced, sizeof replaced};
  replaced.msg_iov = &into;
  replaced.msg_iovlen = 1;
  replaced.msg_control = &replaced;
  replaced.msg_controllen = sizeof replaced;
  TRY_CALL(SYS_write, ends[0], buffer, 64);
  TRY_CALL(SYS_recvmsg, ends[1], &replaced, 0);
  memset(buffer, 0xff, sizeof buffer);
  TRY_CALL(SYS_recvmmsg, ends[1], buffer, 0xffffffff, MSG_DONTWAIT, 0);
  TRY_CALL(SYS_sendmmsg, ends[1], buffer, 0xffffffff, MSG_DONTWAIT);
  TRY_CALL(SYS_setsockopt, ends[0], SOL_SOCKET, SO_ATTACH_FILTER, buffer, 0x7fffffff);
}

static void strings_and_arrays(void) {
  char** pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap((char*)pages + 4096, 4096);
  char* end = (char*)pages + 4096;
  memset(pages, 'x', 4096);
  TRY_CALL(SYS_open, end - 6, O_RDONLY);
  TRY_CALL(SYS_mkdir, end - 4095, 0);
  TRY_CALL(SYS_execve, end - 1, (char**)-8, (char**)0xffff800000000000);
  for (int i = 0; i < 512; ++i) pages[i] = (char*)pages;
  TRY_CALL(SYS_execve, "/no/such", pages, pages);
  TRY_CALL(SYS_select, 0x7fffffff, end - 8, end - 8, end - 8, end - 8);
  TRY_CALL(SYS_poll, buffer, 0x7fffffff, 0);
  TRY_CALL(SYS_bpf, 5, end - 8, 0xffffffff);
  TRY_CALL(SYS_openat2, AT_FDCWD, "/x", end - 24, 1 << 20);
  TRY_CALL(SYS_clone3, end - 8, 1 << 20);
}

static void addresses_and_lengths(int file) {
  TRY_CALL(SYS_write, 1, 0xffffffff81000000, 100);
  TRY_CALL(SYS_read, file, 0xffff888000000000, UINT64_MAX);
  TRY_CALL(SYS_write, -1, buffer, (size_t)1 << 62);
  TRY_CALL(SYS_ioctl, 1, 0xc0ffffff, 0xffff800000000000);
  TRY_CALL(SYS_futex, buffer, 0x7fffffff, 0, 0, 0, 0);
  TRY_CALL(SYS_getdents64, file, buffer, 0xffffffff);
  TRY_CALL(SYS_mq_open, "/\033[2J", O_RDONLY | O_EXCL, -1, 0xffff800000000000);
  TRY_CALL(SYS_stat, "\033]0;title\007\x9b\x31m\n\t\xff", buffer);
  TRY_CALL(SYS_prctl, 15, "\033[1mname\n\r", 0, 0, 0);
}

int main(void) {
  int file = open("/proc/self/cmdline", O_RDONLY);
  dup2(file, 50);
  vectors(open("/etc/passwd", O_RDONLY));
  messages();
  strings_and_arrays();
  addresses_and_lengths(open("/etc/passwd", O_RDONLY));
  return 0;
}
