// The tracer's decoder: from registers and a fake memory to strace's text and to JSON.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>
#include <map>
#include <set>
#include <string>

#include "fake_memory.h"
#include "sentry/trace/decoder.h"
#include "sentry/trace/json.h"
#include "sentry/trace/text.h"

namespace sandbox::trace {
namespace {

using sandbox::test::FakeMemory;
constexpr size_t kMapped = 8192;

class FakeNames final : public DescriptorNames {
 public:
  std::string describe(int descriptor) override { return names[descriptor]; }
  std::string working_directory() override { return "/home"; }
  std::map<int, std::string> names;
};

struct Tracee {
  FakeMemory memory{kMapped};
  Decoder decoder;
  DescriptorNames* names = nullptr;

  uint64_t text(const std::string& string, size_t at) {
    std::memcpy(memory.data() + at, string.c_str(), string.size() + 1);
    return FakeMemory::kStart + at;
  }
  std::string call(uint32_t number, const std::array<uint64_t, 6>& registers, int64_t result) {
    return to_text(decoded(number, registers, result));
  }
  DecodedCall decoded(uint32_t number, const std::array<uint64_t, 6>& registers, int64_t result) {
    DecodedCall call = decoder.entry(number, registers, {memory, names});
    decoder.exit(call, result, {memory, names});
    return call;
  }
};

constexpr uint64_t kCwd = static_cast<uint64_t>(AT_FDCWD);
constexpr uint64_t kEnd = FakeMemory::kStart + kMapped;

}  // namespace

TEST_CASE("a line looks as strace's does") {
  Tracee t;
  const uint64_t path = t.text("/etc/passwd", 0);
  CHECK(t.call(SYS_openat, {kCwd, path, O_RDONLY | O_CLOEXEC}, 3) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
  CHECK(t.call(SYS_openat, {kCwd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644}, -ENOENT) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such file or "
        "directory)");
  CHECK(t.call(SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0},
               0x7f0000000000) ==
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000");
  CHECK(t.call(SYS_read, {3, path, 4096}, 4) == "read(3, \"/etc\", 4096) = 4");
  CHECK(t.call(SYS_read, {3, path, 4096}, -EISDIR) == "read(3, 0x10000, 4096) = -1 EISDIR (Is a directory)");
  CHECK(t.call(SYS_lseek, {3, 0, 99}, -EINVAL) ==
        "lseek(3, 0, 0x63 /* SEEK_??? */) = -1 EINVAL (Invalid argument)");
  CHECK(t.call(470, {1, 2, 3, 4, 5, 6}, -ENOSYS) ==
        "syscall_0x1d6(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)");
}

TEST_CASE("a call's line is printed in two parts around what it waits for") {
  Tracee t;
  const uint64_t buffer = t.text("hello", 0);
  DecodedCall call = t.decoder.entry(SYS_read, {0, buffer, 5}, {t.memory, nullptr});
  std::string line;
  append_entry(line, call);
  CHECK(line == "read(0, ");
  const size_t printed = printed_arguments(call);
  CHECK(printed == 1);
  t.decoder.exit(call, 5, {t.memory, nullptr});
  append_rest(line, call, printed);
  CHECK(line == "read(0, \"hello\", 5) = 5");

  call = t.decoder.entry(SYS_close, {3}, {t.memory, nullptr});
  line.clear();
  append_entry(line, call);
  CHECK(line == "close(3)");
  t.decoder.exit(call, 0, {t.memory, nullptr});
  append_rest(line, call, printed_arguments(call));
  CHECK(line == "close(3) = 0");
  CHECK(to_text(t.decoder.entry(SYS_exit_group, {1}, {t.memory, nullptr})) == "exit_group(1) = ?");
}

TEST_CASE("strings are escaped, cut, and never read past their mapping") {
  Tracee t;
  const uint64_t path = t.text(
      "a\tb\n\x1b[31m\x01"
      "7\"\\\xff",
      0);
  CHECK(t.call(SYS_unlink, {path}, 0) == "unlink(\"a\\tb\\n\\33[31m\\0017\\\"\\\\\\377\") = 0");
  const uint64_t longer = t.text(std::string(40, 'x'), 100);
  CHECK(t.call(SYS_memfd_create, {longer, MFD_CLOEXEC}, 4) ==
        "memfd_create(\"" + std::string(32, 'x') + "\"..., MFD_CLOEXEC) = 4");
  CHECK(t.call(SYS_write, {1, longer, 40}, 40) == "write(1, \"" + std::string(32, 'x') + "\"..., 40) = 40");
  CHECK(t.call(SYS_unlink, {longer}, 0) == "unlink(\"" + std::string(40, 'x') + "\") = 0");
  // No terminator before the mapping ends; beyond it; the kernel's half.
  std::memset(t.memory.data() + kMapped - 8, 'z', 8);
  CHECK(t.call(SYS_unlink, {kEnd - 8}, -EFAULT) == "unlink(0x11ff8) = -1 EFAULT (Bad address)");
  CHECK(t.call(SYS_unlink, {kEnd}, -EFAULT) == "unlink(0x12000) = -1 EFAULT (Bad address)");
  CHECK(t.call(SYS_unlink, {0}, -EFAULT) == "unlink(NULL) = -1 EFAULT (Bad address)");
  CHECK(t.call(SYS_unlink, {0xffffffff81000000}, -EFAULT) ==
        "unlink(0xffffffff81000000) = -1 EFAULT (Bad address)");
  CHECK(t.call(SYS_write, {1, kEnd - 8, 100}, 8) == "write(1, 0x11ff8, 100) = 8");
  CHECK(t.call(SYS_write, {1, kEnd - 8, 8}, 8) == "write(1, \"zzzzzzzz\", 8) = 8");
}

TEST_CASE("hostile vectors cost no more than the limits") {
  Tracee t;
  const uint64_t buffer = t.text("hello, world", 0);
  t.memory.put(iovec{reinterpret_cast<void*>(buffer), 5}, 256);
  t.memory.put(iovec{reinterpret_cast<void*>(buffer), SIZE_MAX}, 272);
  CHECK(t.call(SYS_writev, {1, FakeMemory::kStart + 256, 2}, -EINVAL) ==
        "writev(1, [{iov_base=\"hello\", iov_len=5}, {iov_base=\"hello, "
        "world\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\"..., "
        "iov_len=18446744073709551615}], 2) = -1 EINVAL (Invalid argument)");
  // What a read filled: no more than its result over all vectors.
  CHECK(
      t.call(SYS_readv, {1, FakeMemory::kStart + 256, 2}, 7) ==
      "readv(1, [{iov_base=\"hello\", iov_len=5}, {iov_base=\"he\", iov_len=18446744073709551615}], 2) = 7");
  const std::string huge = t.call(SYS_writev, {1, FakeMemory::kStart + 256, UINT64_MAX}, -EINVAL);
  CHECK(huge.ends_with(", ...], 18446744073709551615) = -1 EINVAL (Invalid argument)"));
  CHECK(huge.size() < 4096);
}

TEST_CASE("structures print briefly as strace's, and wholly in JSON") {
  Tracee t;
  const uint64_t path = t.text("/x", 0);
  struct stat status{};
  status.st_mode = S_IFREG | S_ISUID | 0755;
  status.st_size = 1234;
  t.memory.put(status, 512);
  DecodedCall call =
      t.decoded(SYS_newfstatat, {kCwd, path, FakeMemory::kStart + 512, AT_SYMLINK_NOFOLLOW}, 0);
  CHECK(to_text(call) ==
        "newfstatat(AT_FDCWD, \"/x\", {st_mode=S_IFREG|S_ISUID|0755, st_size=1234, ...}, "
        "AT_SYMLINK_NOFOLLOW) = 0");
  CHECK(find_value(call, "statbuf.st_size")->as_integer() == 1234);
  CHECK(find_value(call, "statbuf.nothing") == nullptr);
  CHECK(to_json(call.arguments[2]).starts_with("{\"st_dev\":0,\"st_ino\":0,\"st_mode\":35309,"));
  CHECK(to_json(call.arguments[3]) == "{\"value\":256,\"names\":[\"AT_SYMLINK_NOFOLLOW\"]}");
  CHECK(to_json(call.arguments[0]) == "{\"fd\":-100}");
}

TEST_CASE("descriptors carry what they refer to") {
  Tracee t;
  FakeNames names;
  names.names[3] = "/tmp/<a>\n";
  t.names = &names;
  const uint64_t path = t.text("x", 0);
  CHECK(t.call(SYS_openat, {kCwd, path, O_PATH}, 3) ==
        "openat(AT_FDCWD</home>, \"x\", O_RDONLY|O_PATH) = 3</tmp/\\74a\\76\\n>");
  CHECK(t.call(SYS_close, {4}, -EBADF) == "close(4) = -1 EBADF (Bad file descriptor)");
}

TEST_CASE("every argument and result of every call has a decoder") {
  for (const SyscallRow& row : syscall_rows()) {
    CAPTURE(row.name);
    CAPTURE(row.signature.text);
    CHECK(decodes(row.signature.result_type));
    for (const SyscallArgument& argument : row.arguments()) {
      CAPTURE(argument.type_name);
      CHECK(decodes(argument.type_name));
    }
  }
}

TEST_CASE("hostile arguments of every call end in printable text") {
  Tracee t;
  uint64_t state = 1;
  const auto random = [&] {
    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 16;
  };
  // Memory that points into itself, at the kernel, at nothing, with lengths from small to absurd.
  for (size_t at = 0; at + 8 <= kMapped; at += 8) {
    const uint64_t words[] = {
        FakeMemory::kStart + random() % kMapped, random() % 64, random(), ~uint64_t{0}, 0,
        0xffffffff81000000 + random() % 4096};
    t.memory.put(words[random() % std::size(words)], at);
  }
  const int64_t results[] = {0, 1, 100, INT64_MAX, -EINTR, -EFAULT, -516};
  size_t longest = 0;
  for (const SyscallRow& row : syscall_rows()) {
    for (int round = 0; round < 40; ++round) {
      std::array<uint64_t, 6> registers;
      for (uint64_t& value : registers) {
        const uint64_t values[] = {FakeMemory::kStart + random() % kMapped,
                                   kEnd - random() % 16,
                                   random() % 256,
                                   uint64_t{1} << (random() % 64),
                                   random(),
                                   ~uint64_t{0},
                                   0};
        value = values[random() % std::size(values)];
      }
      const DecodedCall call = t.decoded(row.number, registers, results[random() % std::size(results)]);
      std::string text = to_text(call);
      for (const Value& argument : call.arguments) text += to_json(argument);
      text += to_json(call.result->value) + to_json(call.result->remarks);
      longest = std::max(longest, text.size());
      const bool is_clean =
          std::ranges::none_of(text, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; });
      if (!is_clean) {
        CAPTURE(row.name);
        CAPTURE(text);
        CHECK(is_clean);
      }
    }
  }
  CHECK(longest < 1 << 20);
}

// Memory of which only the promised ranges may be looked at.
class PromisedMemory final : public GuestMemory {
 public:
  explicit PromisedMemory(const platform::OutputRanges& ranges) : ranges_(ranges) {}
  Result<size_t> read_some(uint64_t address, std::span<std::byte> out) override {
    has_strayed_ |= std::ranges::none_of(ranges_, [&](const platform::OutputRange& range) {
      return address >= range.address && address + out.size() <= range.address + range.size;
    });
    // A pointer that somebody follows leads elsewhere.
    std::ranges::fill(out, std::byte{0x41});
    return out.size();
  }
  Result<size_t> write_some(uint64_t, std::span<const std::byte>) override { return err(EFAULT); }
  bool has_strayed() const { return has_strayed_; }

 private:
  const platform::OutputRanges& ranges_;
  bool has_strayed_ = false;
};

TEST_CASE("what a call writes is read within what was promised at its entry") {
  const Decoder decoder;
  FakeMemory memory(kMapped);
  size_t promised = 0;
  for (const SyscallRow& row : syscall_rows()) {
    for (const int64_t result : {0, 1, 7, 1 << 20}) {
      // Large counts, and addresses that are told apart.
      std::array<uint64_t, 6> registers;
      for (size_t i = 0; i < registers.size(); ++i) registers[i] = 0x100000 * (i + 1);
      DecodedCall call = decoder.entry(row.number, registers, {memory});
      const auto ranges = decoder.outputs(call);
      if (!ranges) continue;
      promised += (*ranges)[0].size != 0;
      PromisedMemory written(*ranges);
      decoder.exit(call, result, {written});
      INFO(row.name << " " << result);
      CHECK_FALSE(written.has_strayed());
    }
  }
  CHECK(promised > 100);
  DecodedCall read = decoder.entry(SYS_read, {3, 0x1000, 4096}, {memory});
  CHECK((*decoder.outputs(read))[0].address == 0x1000);
  CHECK((*decoder.outputs(read))[0].size == 32);
  // More than is copied, and what is known only when it has been read.
  CHECK(!Decoder({.string_bytes = 4096}).outputs(read));
  CHECK(!decoder.outputs(decoder.entry(SYS_recvmsg, {3, 0x1000, 0}, {memory})));
  CHECK(!decoder.outputs(decoder.entry(SYS_getdents64, {3, 0x1000, 4096}, {memory})));
  CHECK(decoder.outputs(decoder.entry(SYS_close, {3}, {memory})));
}

TEST_CASE("control messages with lengths that lie") {
  Tracee t;
  const auto header = [&](uint64_t length, int level, int type, size_t at) {
    t.memory.put(length, at);
    t.memory.put(level, at + 8);
    t.memory.put(type, at + 12);
  };
  msghdr message{};
  message.msg_control = reinterpret_cast<void*>(FakeMemory::kStart + 1024);
  message.msg_controllen = 32;
  t.memory.put(message, 0);
  const auto sent = [&] { return t.call(SYS_sendmsg, {3, FakeMemory::kStart, 0}, 0); };
  header(20, SOL_SOCKET, SCM_RIGHTS, 1024);
  t.memory.put(7, 1040);
  CHECK(sent() ==
        "sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=NULL, msg_iovlen=0, msg_control=[{cmsg_len=20, "
        "cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[7]}], msg_controllen=32, msg_flags=0}, 0) = "
        "0");
  header(UINT64_MAX - 3, SOL_SOCKET, SCM_RIGHTS, 1024);
  CHECK(sent().find("cmsg_data=[7, 0, 0, 0]}], msg_controllen=32") != std::string::npos);
  header(3, SOL_SOCKET, SCM_RIGHTS, 1024);
  CHECK(sent().find("cmsg_type=SCM_RIGHTS}], msg_controllen=32") != std::string::npos);
}

TEST_CASE("output of a call that failed, and what a signal leaves behind") {
  Tracee t;
  t.memory.put(timespec{1, 2}, 0);
  t.memory.put(timespec{0, 5}, 64);
  const std::array<uint64_t, 6> sleep = {FakeMemory::kStart, FakeMemory::kStart + 64};
  CHECK(t.call(SYS_nanosleep, sleep, 0) == "nanosleep({tv_sec=1, tv_nsec=2}, 0x10040) = 0");
  CHECK(t.call(SYS_nanosleep, sleep, -516) ==
        "nanosleep({tv_sec=1, tv_nsec=2}, {tv_sec=0, tv_nsec=5}) = ? ERESTART_RESTARTBLOCK (Interrupted by "
        "signal)");
  CHECK(t.call(SYS_read, {0, FakeMemory::kStart, 5}, -512) ==
        "read(0, 0x10000, 5) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
  CHECK(t.call(SYS_wait4, {~uint64_t{0}, FakeMemory::kStart, 1, 0}, 0) ==
        "wait4(-1, 0x10000, WNOHANG, NULL) = 0");
  t.memory.put(0x8b, 0);
  CHECK(t.call(SYS_wait4, {~uint64_t{0}, FakeMemory::kStart, 0, 0}, 9) ==
        "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], 0, NULL) = 9");
}

TEST_CASE("JSON keeps bytes, lengths and large numbers") {
  CHECK(to_json(Value::string("a\n\"\x01")) == "\"a\\u000a\\\"\\u0001\"");
  CHECK(to_json(Value::string("\xff\x00z")) == "{\"hex\":\"ff\"}");
  CHECK(to_json(Value::natural(UINT64_MAX)) == "\"0xffffffffffffffff\"");
  CHECK(to_json(Value::integer(-5)) == "-5");
  CHECK(to_json(Value::address(0)) == "null");
  Tracee t;
  const uint64_t text = t.text(std::string(40, 'y'), 0);
  CHECK(to_json(t.decoded(SYS_write, {1, text, 40}, 40).arguments[1]) ==
        "{\"text\":\"" + std::string(32, 'y') + "\",\"length\":40}");
}

TEST_CASE("filters ask registers and values by name") {
  const SyscallRow& row = *find_syscall("openat");
  CHECK(register_argument(row, {0xffffffff, 0, 0x1234567800000041}, "flags") == 0x41);
  CHECK(register_argument(row, {0xffffffff, 0, 0x41}, "dirfd") == -1);
  CHECK_FALSE(register_argument(row, {}, "nothing"));
  CHECK(find_constant("O_CREAT") == O_CREAT);
  CHECK(find_constant("ENOENT") == ENOENT);
  CHECK_FALSE(find_constant("NO_SUCH_NAME"));
}

}  // namespace sandbox::trace
