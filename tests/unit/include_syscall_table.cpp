// The syscall table is consistent, and handlers receive their registers decoded.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "sandbox/syscall_table.h"
#include "sandbox/syscall_types.h"

namespace sandbox::tests {

struct Answer {
  int64_t value;
};
struct FakeCall {
  uint64_t path_address = 0;
};

#define SYSCALL(number, name, policy, signature, note) HandlerOf<Answer, FakeCall, signature> sys_##name;
#include "sandbox/syscalls.def"

Answer sys_openat(FakeCall& call, DirFd dirfd, PathPtr pathname, OpenFlags flags, CreationMode mode) {
  call.path_address = pathname.address;
  return {dirfd == AT_FDCWD && flags == O_CREAT ? mode : -1};
}

namespace {

Action decide(std::string_view name, const std::array<uint64_t, 6>& registers) {
  return find_syscall(name)->decide(registers);
}
constexpr Action kPassed{Action::Kind::kPass};
constexpr Action kEmulated{Action::Kind::kEmulate};
constexpr Action denied(int errno_value) { return {Action::Kind::kDeny, errno_value}; }

constexpr uint64_t kRubbishAbove = 0xdeadbeef00000000;

}  // namespace

TEST_CASE("rows are complete") {
  std::set<std::string_view> names;
  for (const SyscallRow& row : syscall_rows()) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK_FALSE(row.note.empty());
    CHECK_FALSE(row.signature.result_type.empty());
    CHECK(find_syscall(row.number) == &row);
    CHECK(find_syscall(row.name) == &row);
    std::set<std::string_view> arguments;
    for (const SyscallArgument& argument : row.arguments()) {
      CHECK_FALSE(argument.type_name.empty());
      CHECK(arguments.insert(argument.name).second);
    }
    for (const Rule& rule : row.rules) CHECK(rule.condition.count > 0);
  }
  // Linux 6.18 for x86-64: 0 to 336 and 424 to 469.
  CHECK(syscall_rows().size() == 337 + 46);
  CHECK(find_syscall(337) == nullptr);
  CHECK(find_syscall(423) == nullptr);
  CHECK(find_syscall(470) == nullptr);
  CHECK(find_syscall("no_such_call") == nullptr);
  CHECK(decide_syscall(470, {}) == denied(ENOSYS));
}

TEST_CASE("a path never reaches the kernel: every row with one is answered, executed or denied") {
  for (const SyscallRow& row : syscall_rows()) {
    for (const SyscallArgument& argument : row.arguments()) {
      CAPTURE(row.name);
      if (argument.kind != ArgumentKind::kPath && argument.type_name != "DirFd") continue;
      CHECK(row.default_action.kind != Action::Kind::kPass);
      CHECK(row.rules.empty());
    }
  }
}

TEST_CASE("registers arrive at a handler as typed arguments") {
  FakeCall call;
  // The kernel drops the upper half of an int and all but 16 bits of a mode.
  const Answer answer = call_handler(
      &sys_openat, call,
      {kRubbishAbove | static_cast<uint32_t>(AT_FDCWD), 0x7fff12345678, kRubbishAbove | O_CREAT, 0x10644});
  CHECK(answer.value == 0x644);
  CHECK(call.path_address == 0x7fff12345678);
}

TEST_CASE("signatures say how arguments look") {
  const SyscallRow* row = find_syscall("newfstatat");
  REQUIRE(row->arguments().size() == 4);
  CHECK(row->arguments()[0].name == "dirfd");
  CHECK(row->arguments()[0].kind == ArgumentKind::kDescriptor);
  CHECK(row->arguments()[1].kind == ArgumentKind::kPath);
  CHECK(row->arguments()[2].type_name == "Out<struct stat>");
  CHECK(row->arguments()[2].kind == ArgumentKind::kOutput);
  CHECK(row->arguments()[3].kind == ArgumentKind::kFlags);
  CHECK(row->signature.result_type == "Status");
}

TEST_CASE("rules decide by the bits that the kernel looks at") {
  CHECK(decide("lseek", {3, 0, SEEK_SET}) == kEmulated);
  CHECK(decide("lseek", {3, 0, kRubbishAbove | SEEK_SET}) == kEmulated);
  CHECK(decide("lseek", {3, kRubbishAbove, SEEK_SET}) == kPassed);
  CHECK(decide("lseek", {3, 0, SEEK_END}) == kPassed);
  CHECK(decide("pread64", {3, 1, 1, 0}) == kEmulated);
  CHECK(decide("sendto", {3, 1, 1, 0, 0}) == kPassed);
  CHECK(decide("sendto", {3, 1, 1, 0, kRubbishAbove}) == kEmulated);
}

TEST_CASE("what must not pass does not") {
  // CVE-2017-5226, CVE-2019-10063, CVE-2023-28100: terminal input injection, with and without rubbish above.
  CHECK(decide("ioctl", {0, 0x5412}) == denied(EPERM));
  CHECK(decide("ioctl", {0, kRubbishAbove | 0x5412}) == denied(EPERM));
  CHECK(decide("ioctl", {0, 0x541c}) == denied(EPERM));
  CHECK(decide("ioctl", {0, 0x40086602}) == kEmulated);
  CHECK(decide("ioctl", {0, 0xae01}) == denied(ENOTTY));               // KVM_CREATE_VM
  CHECK(decide("ioctl", {0, 0xb703}) == denied(ENOTTY));               // NS_GET_NSTYPE
  CHECK(decide("ioctl", {0, 0x89e0}) == denied(ENOTTY));               // SIOCUNIXFILE: a path descriptor
  CHECK(decide("ioctl", {0, 0x8940}) == denied(ENOTTY));               // SIOCGIFBR loads a module
  CHECK(decide("ioctl", {0, 0x8933}) == kPassed);                      // SIOCGIFINDEX
  CHECK(decide("ioctl", {0, 0x80108906}) == kPassed);                  // SIOCGSTAMP_NEW
  CHECK(decide("close_range", {3, 0xffffffff, 2}) == denied(EINVAL));  // CLOSE_RANGE_UNSHARE
  CHECK(decide("close_range", {3, 0xffffffff, 4}) == kPassed);
  CHECK(decide("clone", {0x00800000}) == denied(EPERM));  // CLONE_UNTRACED
  CHECK(decide("clone", {0x10000000}) == denied(EPERM));  // CLONE_NEWUSER
  CHECK(decide("clone", {0x3d0f00}) == kPassed);          // pthread_create
  CHECK(decide("unshare", {0x80}) == denied(EPERM));      // CLONE_NEWTIME
  CHECK(decide("unshare", {0x600}) == kEmulated);         // CLONE_FS and CLONE_FILES
  CHECK(decide("unshare", {0x40000}) == kPassed);
  CHECK(decide("seccomp", {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER}) == denied(EBUSY));
  CHECK(decide("seccomp", {SECCOMP_SET_MODE_FILTER, kRubbishAbove | 9}) == denied(EBUSY));
  CHECK(decide("seccomp", {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC}) == kPassed);
  CHECK(decide("personality", {0x0400000}) == denied(EINVAL));  // READ_IMPLIES_EXEC
  CHECK(decide("personality", {0x0040000}) == kPassed);         // ADDR_NO_RANDOMIZE
  CHECK(decide("personality", {0xffffffff}) == kPassed);
  CHECK(decide("prctl", {35}) == denied(EPERM));           // PR_SET_MM
  CHECK(decide("prctl", {0x59616d61}) == denied(EINVAL));  // PR_SET_PTRACER
  CHECK(decide("prctl", {15}) == kPassed);                 // PR_SET_NAME
  CHECK(decide("socket", {AF_VSOCK, SOCK_STREAM, 0}) == denied(EAFNOSUPPORT));
  CHECK(decide("socket", {AF_ALG, SOCK_SEQPACKET, 0}) == denied(EAFNOSUPPORT));
  CHECK(decide("socket", {AF_NETLINK, SOCK_RAW, 0}) == kPassed);
  CHECK(decide("socket", {AF_NETLINK, SOCK_RAW, 12}) == denied(EPROTONOSUPPORT));  // NETLINK_NETFILTER
  CHECK(decide("socket", {AF_INET, 6 /* SOCK_DCCP */, 0}) == denied(EPROTONOSUPPORT));
  CHECK(decide("socket", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0}) == kPassed);
  CHECK(decide("fcntl", {3, F_SETLEASE}) == denied(EINVAL));
}

TEST_CASE("policy words") {
  CHECK(policy_word(*find_syscall("read")) == "PASS");
  CHECK(policy_word(*find_syscall("openat")) == "EMULATE");
  CHECK(policy_word(*find_syscall("execve")) == "EXEC");
  CHECK(policy_word(*find_syscall("lseek")) == "PASS_IF");
  CHECK(policy_word(*find_syscall("clone3")) == "DENY ENOSYS");
}

}  // namespace sandbox::tests
