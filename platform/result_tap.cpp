// The BPF program, and reading what it notes.
#include "platform/result_tap.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "platform/quiet_thread.h"

namespace sandbox::platform {

namespace {

constexpr size_t kPageSize = 4096;
// Fixed by the kernel: PROC_PID_INIT_INO, PROC_USER_INIT_INO.
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC, kFirstUserNamespace = 0xEFFFFFFD;

Result<void> check_namespace(const char* kind, ino_t first) {
  struct stat space;
  TRY(host_status(stat(fmt::format("/proc/self/ns/{}", kind).c_str(), &space)));
  if (space.st_ino != first) return err(EXDEV);
  return {};
}

// Asked before anything is loaded: a trace without its results needs another filter.
bool may_load_programs() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  const auto has = [&](unsigned capability) {
    return (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  };
  return has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON));
}

bpf_attr no_attributes() {
  bpf_attr attributes;
  // All of the union: bytes that a command does not know must be zero.
  std::memset(&attributes, 0, sizeof attributes);
  return attributes;
}

Result<UniqueFd> call_bpf(bpf_cmd command, bpf_attr& attributes) {
  const int fd =
      TRY(host_result(static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes))));
  return UniqueFd(fd);
}

Result<UniqueFd> make_map(bpf_map_type type, uint32_t key_size, uint32_t value_size, uint32_t entries,
                          uint32_t flags) {
  bpf_attr attributes = no_attributes();
  attributes.map_type = type;
  attributes.key_size = key_size;
  attributes.value_size = value_size;
  attributes.max_entries = entries;
  attributes.map_flags = flags;
  return call_bpf(BPF_MAP_CREATE, attributes);
}

// ---- instructions, named as in the kernel's include/linux/filter.h ----

constexpr bpf_insn instruction(int code, int to, int from, int offset, int number) {
  return {.code = static_cast<uint8_t>(code),
          .dst_reg = static_cast<uint8_t>(to & 15),
          .src_reg = static_cast<uint8_t>(from & 15),
          .off = static_cast<int16_t>(offset),
          .imm = number};
}
constexpr bpf_insn move(int to, int from) { return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
constexpr bpf_insn move_low_half(int to, int from) {
  return instruction(BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn set(int to, int number) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number);
}
constexpr bpf_insn add(int to, int number) {
  return instruction(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, number);
}
constexpr bpf_insn add_from(int to, int from) {
  return instruction(BPF_ALU64 | BPF_ADD | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn subtract(int to, int from) {
  return instruction(BPF_ALU64 | BPF_SUB | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn mask(int to, int number) {
  return instruction(BPF_ALU64 | BPF_AND | BPF_K, to, 0, 0, number);
}
constexpr bpf_insn load_from(int size, int to, int from, int offset) {
  return instruction(BPF_LDX | size | BPF_MEM, to, from, offset, 0);
}
constexpr bpf_insn store(int size, int to, int offset, int from) {
  return instruction(BPF_STX | size | BPF_MEM, to, from, offset, 0);
}
constexpr bpf_insn call(int helper) { return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
// Over `distance` instructions.
constexpr bpf_insn jump_if_equal(int value, int number, int distance = 0) {
  return instruction(BPF_JMP | BPF_JEQ | BPF_K, value, 0, distance, number);
}
constexpr bpf_insn jump_unless_equal(int value, int number, int distance = 0) {
  return instruction(BPF_JMP | BPF_JNE | BPF_K, value, 0, distance, number);
}
constexpr bpf_insn jump_if_more(int value, int number, int distance = 0) {
  return instruction(BPF_JMP | BPF_JGT | BPF_K, value, 0, distance, number);
}
constexpr bpf_insn jump_if_same(int left, int right, int distance) {
  return instruction(BPF_JMP | BPF_JEQ | BPF_X, left, right, distance, 0);
}
constexpr bpf_insn jump_unless_more(int left, int right, int distance) {
  return instruction(BPF_JMP | BPF_JLE | BPF_X, left, right, distance, 0);
}
constexpr bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

}  // namespace

Result<void> ResultTap::load() {
  enum { kR0, kR1, kR2, kR3, kR4, kR6 = 6, kR7, kR8, kR9, kStack = 10 };
  constexpr int kKey = -40, kFirstPart = -32, kRecord = -24;  // on the stack
  constexpr auto kLargest = static_cast<int>(OutputRange::kLargest);
  std::vector<bpf_insn> program;
  std::vector<size_t> jumps;  // which lead to where they meet next
  const auto add_all = [&](std::initializer_list<bpf_insn> instructions) {
    program.insert(program.end(), instructions);
  };
  const auto add_jump = [&](bpf_insn jump) {
    jumps.push_back(program.size());
    program.push_back(jump);
  };
  const auto meet = [&] {
    for (size_t jump : jumps) program[jump].off = static_cast<int16_t>(program.size() - jump - 1);
    jumps.clear();
  };
  // A map's descriptor is a number of 64 bits, in two instructions.
  const auto map_fd = [](int to, const UniqueFd& map) {
    return instruction(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map.get());
  };
  const bpf_insn second_half = instruction(0, 0, 0, 0, 0);

  add_all({move(kR6, kR1),  // the tracepoint's arguments: registers, result
           call(BPF_FUNC_get_current_pid_tgid),
           move_low_half(kR7, kR0),
           move(kR1, kR7),
           mask(kR1, kPlaces - 1),
           store(BPF_W, kStack, kKey, kR1),
           map_fd(kR1, places_map_),
           second_half,
           move(kR2, kStack),
           add(kR2, kKey),
           call(BPF_FUNC_map_lookup_elem),
           jump_unless_equal(kR0, 0, 1),
           leave(),
           move(kR8, kR0),
           load_from(BPF_W, kR1, kR8, offsetof(Place, tid)),
           jump_if_same(kR1, kR7, 2),
           set(kR0, 0),
           leave(),
           load_from(BPF_W, kR1, kR8, offsetof(Place, is_asked)),
           jump_unless_equal(kR1, 0, 2),
           set(kR0, 0),
           leave(),
           set(kR1, 0),
           store(BPF_W, kR8, offsetof(Place, is_asked), kR1),
           store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, tid)), kR7),
           load_from(BPF_DW, kR1, kR6, 8),
           store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, result)), kR1)});
  for (size_t i = 0; i < kRanges; ++i) {
    const int address = static_cast<int>(offsetof(Place, address) + i * sizeof(uint64_t));
    const int size = static_cast<int>(offsetof(Place, size) + i * sizeof(uint32_t));
    const int copied = static_cast<int>(offsetof(Place, copied) + i * sizeof(uint32_t));
    const int bytes = static_cast<int>(offsetof(Place, bytes)) + static_cast<int>(i) * kLargest;
    add_all({load_from(BPF_W, kR9, kR8, size)});
    add_jump(jump_if_equal(kR9, 0));
    add_jump(jump_if_more(kR9, kLargest));
    // A copy fails as a whole, so the next page is one of its own.
    add_all({load_from(BPF_DW, kR3, kR8, address), move(kR1, kR3), mask(kR1, kPageSize - 1),
             set(kR2, kPageSize), subtract(kR2, kR1), jump_unless_more(kR2, kR9, 1), move(kR2, kR9)});
    add_jump(jump_if_more(kR2, kLargest));
    add_all({store(BPF_DW, kStack, kFirstPart, kR2), move(kR1, kR8), add(kR1, bytes),
             call(BPF_FUNC_probe_read_user)});
    add_jump(jump_unless_equal(kR0, 0));
    add_all({load_from(BPF_DW, kR4, kStack, kFirstPart)});
    add_jump(jump_if_more(kR4, kLargest));
    add_all({store(BPF_W, kR8, copied, kR4), subtract(kR9, kR4)});
    add_jump(jump_if_equal(kR9, 0));
    add_jump(jump_if_more(kR9, kLargest));
    add_all({load_from(BPF_DW, kR3, kR8, address), add_from(kR3, kR4), move(kR2, kR9), move(kR1, kR8),
             add_from(kR1, kR4), add(kR1, bytes), call(BPF_FUNC_probe_read_user)});
    add_jump(jump_unless_equal(kR0, 0));
    add_all({load_from(BPF_W, kR1, kR8, size), store(BPF_W, kR8, copied, kR1)});
    meet();
  }
  add_all({call(BPF_FUNC_ktime_get_ns),
           store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, time_ns)), kR0),
           map_fd(kR1, ring_map_), second_half, move(kR2, kStack), add(kR2, kRecord),
           set(kR3, sizeof(Record)), set(kR4, BPF_RB_NO_WAKEUP), call(BPF_FUNC_ringbuf_output), set(kR0, 0),
           leave()});
  bpf_attr attributes = no_attributes();
  attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  attributes.insns = reinterpret_cast<uint64_t>(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  // The kernel lets only programs that may be had under its own licence read a process's memory: this one
  // may.
  attributes.license = reinterpret_cast<uint64_t>("Dual MIT/GPL");
  program_ = TRY(call_bpf(BPF_PROG_LOAD, attributes));
  return {};
}

Result<void> ResultTap::open() {
  places_map_ = TRY(make_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(Place), kPlaces, BPF_F_MMAPABLE));
  ring_map_ = TRY(make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, kRingBytes, 0));
  TRY(map());
  TRY(load());
  bpf_attr attributes = no_attributes();
  attributes.raw_tracepoint.name = reinterpret_cast<uint64_t>("sys_exit");
  attributes.raw_tracepoint.prog_fd = static_cast<uint32_t>(program_.get());
  link_ = TRY(call_bpf(BPF_RAW_TRACEPOINT_OPEN, attributes));
  is_open_ = true;
  return {};
}

Result<void> ResultTap::map() {
  const auto map_pages = [](const UniqueFd& fd, size_t bytes, int protection, off_t offset) -> Result<void*> {
    void* address = mmap(nullptr, bytes, protection, MAP_SHARED, fd.get(), offset);
    if (address == MAP_FAILED) return last_error();
    return address;
  };
  places_ =
      static_cast<Place*>(TRY(map_pages(places_map_, kPlaces * sizeof(Place), PROT_READ | PROT_WRITE, 0)));
  consumer_ = static_cast<std::byte*>(TRY(map_pages(ring_map_, kPageSize, PROT_READ | PROT_WRITE, 0)));
  // The records are there twice in a row, so that none is cut in two.
  producer_ = static_cast<const std::byte*>(
      TRY(map_pages(ring_map_, kPageSize + 2 * kRingBytes, PROT_READ, kPageSize)));
  return {};
}

Result<std::unique_ptr<ResultTap>> ResultTap::create() {
  TRY(check_namespace("pid", kFirstPidNamespace));
  TRY(check_namespace("user", kFirstUserNamespace));
  if (!may_load_programs()) return err(EPERM);
  return std::unique_ptr<ResultTap>(new ResultTap);
}

ResultTap::~ResultTap() {
  if (opener_.joinable()) opener_.join();
  if (places_ != nullptr) munmap(places_, kPlaces * sizeof(Place));
  if (consumer_ != nullptr) munmap(consumer_, kPageSize);
  if (producer_ != nullptr) munmap(const_cast<std::byte*>(producer_), kPageSize + 2 * kRingBytes);
}

bool ResultTap::ask(pid_t tid, const OutputRanges& outputs) {
  if (!is_open_) {
    // What cannot be opened leaves every call its stop.
    if (++questions_ == kQuestionsBeforeOpening) {
      opener_ = std::jthread([this] {
        block_all_signals();
        (void)open();
      });
    }
    return false;
  }
  const uint32_t number = static_cast<uint32_t>(tid) % kPlaces;
  if (waiting_[number] != 0 && waiting_[number] != tid) return false;
  waiting_[number] = tid;
  Place& place = places_[number];
  place.tid = static_cast<uint32_t>(tid);
  for (size_t i = 0; i < kRanges; ++i) {
    place.address[i] = outputs[i].address;
    place.size[i] = outputs[i].size;
    place.copied[i] = 0;
  }
  std::atomic_ref(place.is_asked).store(1);
  return true;
}

void ResultTap::drop(pid_t tid) {
  const uint32_t number = static_cast<uint32_t>(tid) % kPlaces;
  if (waiting_[number] != tid) return;
  waiting_[number] = 0;
  std::atomic_ref(places_[number].is_asked).store(0);
}

std::optional<ResultTap::Noted> ResultTap::next() {
  if (!is_open_) return std::nullopt;
  auto& reader = *reinterpret_cast<unsigned long*>(consumer_);
  auto& writer = *reinterpret_cast<unsigned long*>(const_cast<std::byte*>(producer_));
  const unsigned long position = reader;
  if (position >= std::atomic_ref(writer).load(std::memory_order_acquire)) return std::nullopt;
  const std::byte* header = producer_ + kPageSize + position % kRingBytes;
  const std::atomic_ref length(*reinterpret_cast<uint32_t*>(const_cast<std::byte*>(header)));
  // Its writer has been interrupted between two instructions; those behind it wait, as order counts.
  while ((length.load(std::memory_order_acquire) & BPF_RINGBUF_BUSY_BIT) != 0) sched_yield();
  Record record;
  std::memcpy(&record, header + BPF_RINGBUF_HDR_SZ, sizeof record);
  std::atomic_ref(reader).store(position + BPF_RINGBUF_HDR_SZ + sizeof record, std::memory_order_release);
  Noted noted{static_cast<pid_t>(record.tid), record.result, record.time_ns, {}};
  const uint32_t number = static_cast<uint32_t>(record.tid) % kPlaces;
  if (waiting_[number] != noted.tid) return noted;
  waiting_[number] = 0;
  const Place& place = places_[number];
  for (size_t i = 0; i < kRanges; ++i)
    noted.outputs[i] = {place.address[i],
                        std::span(place.bytes[i]).first(std::min(place.copied[i], OutputRange::kLargest))};
  return noted;
}

}  // namespace sandbox::platform
