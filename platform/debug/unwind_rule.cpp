// libunwind with memory and registers of our own making: to learn a rule it unwinds one frame whose registers
// are marks, on a stack whose words tell their address.
#include "platform/debug/unwind_rule.h"

#include <libunwind.h>

#include <csetjmp>
#include <csignal>
#include <cstring>
#include <optional>

#include "platform/debug/paged_memory.h"

// libunwind's own search of a sorted table, which its header leaves out and other tracers use as well.
extern "C" int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t* info,
                                                  unw_proc_info_t* procedure, int needs_unwind_info,
                                                  void* argument);

namespace sandbox::platform {

namespace {

// No address of a program looks like these: bits 47 to 63 of one are equal.
constexpr uint64_t kTagMask = uint64_t{0xff} << 56;
constexpr uint64_t kMarkTag = uint64_t{0x5a} << 56, kWordTag = uint64_t{0x66} << 56;
constexpr uint64_t kTagChange = kMarkTag ^ kWordTag;
constexpr uint64_t kMiddle = uint64_t{1} << 39;  // room for offsets below a mark

constexpr uint64_t mark_of(size_t number) { return kMarkTag | (uint64_t{number} << 40) | kMiddle; }
constexpr bool is_marked(uint64_t value) { return (value & kTagMask) == kMarkTag; }
// What the made-up stack holds at an address, and back.
constexpr uint64_t word_at(uint64_t address) { return address ^ kTagChange; }
constexpr std::optional<uint64_t> address_of_word(uint64_t word) {
  if ((word & kTagMask) != kWordTag) return std::nullopt;
  return word ^ kTagChange;
}
std::optional<int32_t> distance(uint64_t to, uint64_t from) {
  const auto difference = static_cast<int64_t>(to - from);
  if (difference < INT32_MIN || difference > INT32_MAX) return std::nullopt;
  return static_cast<int32_t>(difference);
}

// A table that an honest compiler wrote takes a few hundred.
constexpr int kMaxReads = 20'000;

struct Walk {
  PagedMemory memory;
  const UnwindTable& table;
  const RegisterFile& registers;
  bool is_made_up;  // the stack is
  int reads_left = kMaxReads;
  bool has_found_table = false;
};

int read_memory(unw_addr_space_t, unw_word_t address, unw_word_t* value, int is_write, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  if (is_write || walk.reads_left-- <= 0) return -UNW_EINVAL;
  if (walk.is_made_up && is_marked(address)) {
    *value = word_at(address);
    return 0;
  }
  return walk.memory.read(address, std::as_writable_bytes(std::span(value, 1))) ? 0 : -UNW_EINVAL;
}

int read_register(unw_addr_space_t, unw_regnum_t number, unw_word_t* value, int is_write, void* argument) {
  const auto& walk = *static_cast<Walk*>(argument);
  if (is_write) return -UNW_EREADONLYREG;
  if (number < 0 || static_cast<size_t>(number) >= walk.registers.size()) return -UNW_EBADREG;
  *value = walk.registers[static_cast<size_t>(number)];
  return 0;
}

int find_table(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* procedure, int needs_unwind_info,
               void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  unw_dyn_info_t info{};
  info.start_ip = walk.table.begin;
  info.end_ip = walk.table.end;
  info.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  info.u.rti.segbase = walk.table.header;
  info.u.rti.table_data = walk.table.entries;
  info.u.rti.table_len = walk.table.entries_bytes / sizeof(unw_word_t);
  const int result =
      UNW_OBJ(dwarf_search_unwind_table)(space, ip, &info, procedure, needs_unwind_info, argument);
  walk.has_found_table |= result == 0;
  return result;
}

void put_table(unw_addr_space_t, unw_proc_info_t*, void*) {}
int no_dynamic_code(unw_addr_space_t, unw_word_t*, void*) { return -UNW_ENOINFO; }
int no_floating_point(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) { return -UNW_EINVAL; }
int no_resumption(unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; }
int no_name(unw_addr_space_t, unw_word_t, char*, size_t, unw_word_t*, void*) { return -UNW_ENOINFO; }

// An expression of the table may divide the smallest number by -1, which libunwind lets the processor trap.
class TrapGuard {
 public:
  TrapGuard() {
    struct sigaction action{};
    action.sa_handler = [](int signal) {
      if (back_ != nullptr) siglongjmp(*back_, 1);
      ::signal(signal, SIG_DFL);  // not libunwind's fault: it happens again when this returns
    };
    ::sigaction(SIGFPE, &action, &before_);
  }
  ~TrapGuard() {
    back_ = nullptr;
    ::sigaction(SIGFPE, &before_, nullptr);
  }
  TrapGuard(const TrapGuard&) = delete;
  TrapGuard& operator=(const TrapGuard&) = delete;

  void set_way_back(sigjmp_buf* back) { back_ = back; }

 private:
  static thread_local sigjmp_buf* back_;
  struct sigaction before_;
};
thread_local sigjmp_buf* TrapGuard::back_ = nullptr;

// One step; libunwind's own answer. After a trap -UNW_EINVAL, and what libunwind had allocated for it is
// lost.
int guarded_step(unw_cursor_t& cursor) {
  TrapGuard guard;
  sigjmp_buf back;
  if (sigsetjmp(back, 1) != 0) return -UNW_EINVAL;
  guard.set_way_back(&back);
  return unw_step(&cursor);
}

// What a step from marks to the caller's registers says.
UnwindRule rule_from(const RegisterFile& caller) {
  UnwindRule rule{.kind = UnwindRule::Kind::kComputed};
  const uint64_t top = caller[kRsp];
  if (!is_marked(top)) return rule;
  const size_t base = (top >> 40) & 0xffff;
  if (base >= kRip) return rule;
  auto size = distance(top, mark_of(base));
  auto return_place = address_of_word(caller[kRip]);
  auto return_offset = return_place ? distance(*return_place, top) : std::nullopt;
  if (!size || !return_offset) return rule;
  rule.base = static_cast<uint8_t>(base);
  rule.size = *size;
  rule.return_offset = *return_offset;
  for (uint8_t number : kPreserved) {
    if (caller[number] == mark_of(number)) continue;
    auto place = address_of_word(caller[number]);
    auto offset = place ? distance(*place, top) : std::nullopt;
    if (!offset) return rule;
    rule.saved[rule.saved_count++] = {number, *offset};
  }
  rule.kind = UnwindRule::Kind::kFrame;
  return rule;
}

}  // namespace

struct Unwinder::State {
  unw_accessors_t accessors{.find_proc_info = find_table,
                            .put_unwind_info = put_table,
                            .get_dyn_info_list_addr = no_dynamic_code,
                            .access_mem = read_memory,
                            .access_reg = read_register,
                            .access_fpreg = no_floating_point,
                            .resume = no_resumption,
                            .get_proc_name = no_name};
  unw_addr_space_t space = unw_create_addr_space(&accessors, 0);

  // Without libunwind's cache, whose keys are addresses of one process and whose lock is eight system calls.
  State() {
    if (space != nullptr) unw_set_caching_policy(space, UNW_CACHE_NONE);
  }
  ~State() {
    if (space != nullptr) unw_destroy_addr_space(space);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // libunwind's answer to one step, and the registers then.
  int step(Walk& walk, RegisterFile& caller) {
    unw_cursor_t cursor;
    if (space == nullptr || unw_init_remote(&cursor, space, &walk) != 0) return -UNW_EINVAL;
    const int result = guarded_step(cursor);
    if (result <= 0) return result;
    caller = walk.registers;
    for (uint8_t number : kPreserved)
      if (unw_get_reg(&cursor, number, &caller[number]) != 0) return -UNW_EINVAL;
    for (size_t number : {kRsp, kRip})
      if (unw_get_reg(&cursor, static_cast<int>(number), &caller[number]) != 0) return -UNW_EINVAL;
    return result;
  }
};

Unwinder::Unwinder() : state_(std::make_unique<State>()) {}
Unwinder::~Unwinder() = default;

UnwindRule Unwinder::rule_at(GuestMemory& memory, const UnwindTable& table, uint64_t pc) {
  RegisterFile marks, caller{};
  for (size_t number = 0; number < marks.size(); ++number) marks[number] = mark_of(number);
  marks[kRip] = pc;
  Walk walk{PagedMemory(memory), table, marks, true};
  const int result = state_->step(walk, caller);
  if (!walk.has_found_table) return {};
  if (result == 0) return {.kind = UnwindRule::Kind::kOutermost};
  // An expression that fails on marks may do well on real registers.
  if (result < 0) return {.kind = UnwindRule::Kind::kComputed};
  return rule_from(caller);
}

bool Unwinder::step(GuestMemory& memory, const UnwindTable& table, uint64_t pc, RegisterFile& registers) {
  RegisterFile before = registers, caller{};
  before[kRip] = pc;
  Walk walk{PagedMemory(memory), table, before, false};
  if (state_->step(walk, caller) <= 0 || !walk.has_found_table) return false;
  registers = caller;
  return true;
}

}  // namespace sandbox::platform
