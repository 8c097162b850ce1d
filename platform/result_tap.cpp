// The BPF program, and reading what it notes.
#include "platform/result_tap.h"

#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

#include "platform/quiet_thread.h"

namespace sandbox::platform {

namespace {

constexpr size_t kPageSize = 4096;
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, fixed by the kernel

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
constexpr bpf_insn jump_if_zero(int value, int distance) {
  return instruction(BPF_JMP | BPF_JEQ | BPF_K, value, 0, distance, 0);
}
constexpr bpf_insn jump_unless_equal(int left, int right, int distance) {
  return instruction(BPF_JMP | BPF_JNE | BPF_X, left, right, distance, 0);
}
constexpr bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

}  // namespace

Result<void> ResultTap::load() {
  enum { kR0, kR1, kR2, kR3, kR4, kR6 = 6, kR7, kStack = 10 };
  constexpr int kKey = -32, kRecord = -24;  // on the stack
  // A map's descriptor is a number of 64 bits, in two instructions.
  const auto map_fd = [](int to, const UniqueFd& map) {
    return instruction(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map.get());
  };
  const bpf_insn second_half = instruction(0, 0, 0, 0, 0);
  std::array program = {
      move(kR6, kR1),  // the tracepoint's arguments: registers, result
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
      jump_if_zero(kR0, 18),
      load_from(BPF_W, kR1, kR0, offsetof(Place, tid)),
      jump_unless_equal(kR1, kR7, 16),
      load_from(BPF_W, kR1, kR0, offsetof(Place, is_asked)),
      jump_if_zero(kR1, 14),
      set(kR1, 0),
      store(BPF_W, kR0, offsetof(Place, is_asked), kR1),
      store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, tid)), kR7),
      load_from(BPF_DW, kR1, kR6, 8),
      store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, result)), kR1),
      call(BPF_FUNC_ktime_get_ns),
      store(BPF_DW, kStack, kRecord + static_cast<int>(offsetof(Record, time_ns)), kR0),
      map_fd(kR1, ring_map_),
      second_half,
      move(kR2, kStack),
      add(kR2, kRecord),
      set(kR3, sizeof(Record)),
      set(kR4, BPF_RB_NO_WAKEUP),
      call(BPF_FUNC_ringbuf_output),
      set(kR0, 0),
      leave(),
  };
  bpf_attr attributes = no_attributes();
  attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  attributes.insns = reinterpret_cast<uint64_t>(program.data());
  attributes.insn_cnt = program.size();
  attributes.license = reinterpret_cast<uint64_t>("Apache-2.0");
  program_ = TRY(call_bpf(BPF_PROG_LOAD, attributes));
  return {};
}

void ResultTap::open() {
  block_all_signals();
  bpf_attr attributes = no_attributes();
  attributes.raw_tracepoint.name = reinterpret_cast<uint64_t>("sys_exit");
  attributes.raw_tracepoint.prog_fd = static_cast<uint32_t>(program_.get());
  auto link = call_bpf(BPF_RAW_TRACEPOINT_OPEN, attributes);
  if (!link) return;
  link_ = *std::move(link);
  is_open_ = true;
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
  struct stat space;
  TRY(host_status(stat("/proc/self/ns/pid", &space)));
  if (space.st_ino != kFirstPidNamespace) return err(EXDEV);
  std::unique_ptr<ResultTap> tap(new ResultTap);
  tap->places_map_ =
      TRY(make_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(Place), kPlaces, BPF_F_MMAPABLE));
  tap->ring_map_ = TRY(make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, kRingBytes, 0));
  TRY(tap->map());
  TRY(tap->load());
  return tap;
}

ResultTap::~ResultTap() {
  if (places_ != nullptr) munmap(places_, kPlaces * sizeof(Place));
  if (consumer_ != nullptr) munmap(consumer_, kPageSize);
  if (producer_ != nullptr) munmap(const_cast<std::byte*>(producer_), kPageSize + 2 * kRingBytes);
}

bool ResultTap::ask(pid_t tid) {
  if (!is_open_) {
    if (++questions_ == kQuestionsBeforeOpening) opener_ = std::jthread([this] { open(); });
    return false;
  }
  Place& place = places_[static_cast<uint32_t>(tid) % kPlaces];
  std::atomic_ref asked(place.is_asked);
  const auto number = static_cast<uint32_t>(tid);
  if (place.tid != number && asked.load() != 0) return false;
  place.tid = number;
  asked.store(1);
  return true;
}

void ResultTap::drop(pid_t tid) {
  Place& place = places_[static_cast<uint32_t>(tid) % kPlaces];
  if (place.tid == static_cast<uint32_t>(tid)) std::atomic_ref(place.is_asked).store(0);
}

std::optional<ResultTap::Noted> ResultTap::next() {
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
  return Noted{static_cast<pid_t>(record.tid), record.result, record.time_ns};
}

}  // namespace sandbox::platform
