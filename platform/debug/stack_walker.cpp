// By the tables of each image where it has some, by frame pointers where not.
#include "platform/debug/stack_walker.h"

#include <fmt/format.h>
#include <ucontext.h>

#include <cstddef>

#include "platform/debug/demangle.h"
#include "platform/process_memory.h"

namespace sandbox::platform {

namespace {

constexpr uint64_t kUserCode = 0x33;  // the code segment of 64-bit programs
// A library that took the place of another is noticed after this long even when nobody saw the munmap.
constexpr auto kMapAge = std::chrono::milliseconds(100);
// A frame without a table is not larger than this: a register that is no frame pointer leads astray.
constexpr uint64_t kMaxGuessedFrame = 1 << 20;
// Signal handlers on stacks of their own, and goroutines: the stack pointer may go down so often.
constexpr int kMaxStackChanges = 16;

RegisterFile register_file_of(const user_regs_struct& registers) {
  return {registers.rax, registers.rdx, registers.rcx, registers.rbx, registers.rsi, registers.rdi,
          registers.rbp, registers.rsp, registers.r8,  registers.r9,  registers.r10, registers.r11,
          registers.r12, registers.r13, registers.r14, registers.r15, registers.rip};
}

// mov $15, %rax; syscall: where the kernel lets a signal's handler return to.
bool is_signal_return(PagedMemory& pages, uint64_t pc) {
  constexpr std::array<uint8_t, 9> kCode = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
  auto code = pages.read<std::array<uint8_t, kCode.size()>>(pc);
  return code && *code == kCode;
}

}  // namespace

// ---- what is known of processes ----

StackWalker::Process& StackWalker::process_of(pid_t process) { return processes_[process]; }

void StackWalker::inherit(pid_t parent, pid_t child) {
  auto found = processes_.find(parent);
  if (found == processes_.end()) return;
  Process copy = found->second;
  processes_.insert_or_assign(child, std::move(copy));
}

void StackWalker::forget(pid_t process) { processes_.erase(process); }

void StackWalker::note_unmapped(pid_t process, uint64_t begin, uint64_t bytes) {
  auto found = processes_.find(process);
  if (found == processes_.end() || found->second.is_stale) return;
  const uint64_t end = begin + bytes < begin ? UINT64_MAX : begin + bytes;
  found->second.is_stale = found->second.map.has_code_in(begin, end);
}

void StackWalker::read_map(Process& process, pid_t tid) {
  process.map = files_.memory_map_of(tid);
  process.images.clear();
  process.read_at = std::chrono::steady_clock::now();
  process.is_stale = false;
}

std::string StackWalker::describe(pid_t process, pid_t tid, uint64_t address) {
  Process& known = process_of(process);
  read_map(known, tid);
  return known.map.describe(address);
}

// Null when no code is mapped there. A library may have been loaded since the map was read.
const Mapping* StackWalker::code_at(Walk& walk, uint64_t address) {
  for (;;) {
    const Mapping* mapping = walk.process.map.find(address);
    if (mapping != nullptr && mapping->is_executable) return mapping;
    if (walk.has_map_been_read) return nullptr;
    walk.has_map_been_read = true;
    read_map(walk.process, walk.tid);
  }
}

// ---- what is known of images ----

// The image that `mapping` is a part of begins where the same file's offset 0 is mapped, before it.
StackWalker::Located StackWalker::image_of(Walk& walk, const Mapping& mapping) {
  auto [found, is_new] = walk.process.images.try_emplace(mapping.begin);
  Located& located = found->second;
  if (!is_new) return located;
  const Mapping* first = nullptr;
  for (const Mapping& candidate : walk.process.map.mappings()) {
    if (candidate.begin > mapping.begin) break;
    if (candidate.offset == 0 && candidate.inode == mapping.inode && candidate.device == mapping.device &&
        candidate.name == mapping.name) {
      first = &candidate;
    }
  }
  // Code that a program made itself has no headers, unless it is the kernel's own ([vdso]).
  if (first == nullptr || mapping.name.empty()) return located;
  auto elf = ElfImage::read(walk.pages, first->begin);
  if (!elf) return located;
  located.bias = elf->bias_at(first->begin);
  if (images_.size() >= kMaxImages) images_.clear();
  std::string key = fmt::format("{}:{}:{}:{}", mapping.device, mapping.inode, mapping.name, elf->head());
  auto [image, is_unknown] = images_.try_emplace(std::move(key));
  if (is_unknown) image->second = std::make_shared<Image>(*std::move(elf));
  located.image = image->second;
  return located;
}

FramePtr StackWalker::name_of(Walk& walk, const Mapping& mapping, const Located& located, uint64_t address) {
  auto frame = std::make_shared<Frame>();
  frame->file = mapping.name;
  frame->address = address;
  if (!located.image) return frame;
  Image& image = *located.image;
  if (!image.has_symbols) {
    image.has_symbols = true;
    UniqueFd file = mapping.is_file() ? files_.open_mapped(walk.tid, mapping) : UniqueFd();
    image.elf.load_symbols(std::move(file), walk.pages, located.bias);
  }
  frame->address = address - located.bias;
  // A return address may be that of the next function when a call is the last thing that one does.
  const uint64_t looked_up = frame->address - (walk.is_exact ? 0 : 1);
  if (auto symbol = image.elf.symbol_at(looked_up)) {
    frame->symbol = demangled(symbol->name);
    frame->offset = symbol->offset + (frame->address - looked_up);
  }
  return frame;
}

const StackWalker::Place& StackWalker::place_of(Walk& walk, const Mapping& mapping, const Located& located,
                                                uint64_t pc) {
  const uint64_t address = walk.registers[kRip];
  const uint64_t key = (address - located.bias) * 2 + (walk.is_exact ? 0 : 1);
  if (auto found = located.image->places.find(key); found != located.image->places.end())
    return found->second;
  if (++places_ >= kMaxPlaces) {
    for (auto& [name, image] : images_) image->places.clear();
    located.image->places.clear();
    places_ = 0;
  }
  Place place;
  place.frame = name_of(walk, mapping, located, address);
  place.is_signal_return = is_signal_return(walk.pages, address);
  const UnwindTable table = located.image->elf.table_at(located.bias);
  if (!place.is_signal_return && table.header != 0) place.rule = unwinder_.rule_at(walk.memory, table, pc);
  return located.image->places.insert_or_assign(key, std::move(place)).first->second;
}

// ---- walking ----

std::vector<FramePtr> StackWalker::walk(pid_t process_id, pid_t tid, const user_regs_struct& registers) {
  std::vector<FramePtr> frames;
  if (registers.cs != kUserCode) return frames;
  ProcessMemory memory(tid);
  Walk walk{process_of(process_id), tid, memory, PagedMemory(memory), register_file_of(registers)};
  if (walk.process.is_stale || std::chrono::steady_clock::now() - walk.process.read_at > kMapAge) {
    read_map(walk.process, tid);
    walk.has_map_been_read = true;
  }
  for (int stack_changes = 0; frames.size() < kMaxDepth;) {
    const uint64_t stack = walk.registers[kRsp];
    Step step = Step::kUnknown;
    const Mapping* mapping = code_at(walk, walk.registers[kRip]);
    FramePtr frame = append_frame(walk, mapping, step);
    frames.push_back(std::move(frame));
    if (step == Step::kUnknown) step = step_by_guess(walk, frames.size() == 1);
    if (step != Step::kFound || walk.registers[kRip] == 0) break;
    // Damaged tables may lead in circles.
    if (walk.registers[kRsp] <= stack && ++stack_changes > kMaxStackChanges) break;
  }
  return frames;
}

// The frame at the walk's registers; as far as tables know the way, the registers are then its caller's.
FramePtr StackWalker::append_frame(Walk& walk, const Mapping* mapping, Step& step) {
  const uint64_t address = walk.registers[kRip];
  if (mapping == nullptr) return std::make_shared<Frame>(Frame{.address = address});
  const Located located = image_of(walk, *mapping);
  if (!located.image) {
    if (is_signal_return(walk.pages, address)) step = step_out_of_signal(walk);
    return std::make_shared<Frame>(Frame{.file = mapping->name, .address = address});
  }
  const uint64_t pc = address - (walk.is_exact ? 0 : 1);
  const Place& place = place_of(walk, *mapping, located, pc);
  FramePtr frame = place.frame;
  step = place.is_signal_return ? step_out_of_signal(walk)
                                : step_by_rule(walk, place, located.image->elf.table_at(located.bias), pc);
  return frame;
}

StackWalker::Step StackWalker::step_by_rule(Walk& walk, const Place& place, const UnwindTable& table,
                                            uint64_t pc) {
  const UnwindRule& rule = place.rule;
  switch (rule.kind) {
    case UnwindRule::Kind::kNone:
      return Step::kUnknown;
    case UnwindRule::Kind::kOutermost:
      return Step::kOutermost;
    case UnwindRule::Kind::kComputed:
      if (!unwinder_.step(walk.memory, table, pc, walk.registers)) return Step::kUnknown;
      walk.is_exact = false;
      return Step::kFound;
    case UnwindRule::Kind::kFrame:
      break;
  }
  const uint64_t top = walk.registers[rule.base] + static_cast<int64_t>(rule.size);
  auto caller = walk.pages.read<uint64_t>(top + static_cast<int64_t>(rule.return_offset));
  if (!caller) return Step::kOutermost;
  for (const auto& saved : std::span(rule.saved).first(rule.saved_count)) {
    auto value = walk.pages.read<uint64_t>(top + static_cast<int64_t>(saved.offset));
    if (value) walk.registers[saved.register_number] = *value;
  }
  walk.registers[kRsp] = top;
  walk.registers[kRip] = *caller;
  walk.is_exact = false;
  return Step::kFound;
}

// At the handler's return the stack pointer is at the ucontext_t that the kernel left there.
StackWalker::Step StackWalker::step_out_of_signal(Walk& walk) {
  auto saved = walk.pages.read<mcontext_t>(walk.registers[kRsp] + offsetof(ucontext_t, uc_mcontext));
  if (!saved) return Step::kOutermost;
  constexpr std::array kOrder = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                 REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                 REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  for (size_t i = 0; i < kOrder.size(); ++i)
    walk.registers[i] = static_cast<uint64_t>(saved->gregs[kOrder[i]]);
  walk.is_exact = true;
  return Step::kFound;
}

// Code without a table: made at run time, Go's, or written in assembler. A function that has just been
// entered, or never makes a frame, has its return address on top of the stack; others where the frame pointer
// says.
StackWalker::Step StackWalker::step_by_guess(Walk& walk, bool is_innermost) {
  const uint64_t stack = walk.registers[kRsp], frame = walk.registers[kRbp];
  const bool is_nowhere = is_innermost && code_at(walk, walk.registers[kRip]) == nullptr;
  if (is_innermost) {
    auto top = walk.pages.read<uint64_t>(stack);
    auto pointed = walk.pages.read<uint64_t>(frame + 8);
    const bool is_the_same = top && pointed && *top == *pointed && frame + 8 != stack;
    if (top && !is_the_same && is_return_address(walk, *top)) {
      walk.registers[kRsp] = stack + 8;
      walk.registers[kRip] = *top;
      walk.is_exact = false;
      return Step::kFound;
    }
  }
  if (is_nowhere || frame < stack || frame - stack > kMaxGuessedFrame || frame % 8 != 0)
    return Step::kOutermost;
  auto caller_frame = walk.pages.read<uint64_t>(frame);
  auto caller = walk.pages.read<uint64_t>(frame + 8);
  if (!caller_frame || !caller || !is_return_address(walk, *caller)) return Step::kOutermost;
  walk.registers[kRbp] = *caller_frame;
  walk.registers[kRsp] = frame + 16;
  walk.registers[kRip] = *caller;
  walk.is_exact = false;
  return Step::kFound;
}

// Whether a call instruction ends there.
bool StackWalker::is_return_address(Walk& walk, uint64_t address) {
  constexpr uint64_t kLongestCall = 7;
  if (address < kLongestCall || code_at(walk, address) == nullptr) return false;
  auto bytes = walk.pages.read<std::array<uint8_t, kLongestCall>>(address - kLongestCall);
  if (!bytes) return false;
  const auto& code = *bytes;
  if (code[2] == 0xe8) return true;  // call rel32
  // call r/m64, which is 0xff with 2 in the middle of the next byte, by its length with register, memory,
  // offset.
  for (size_t length : {2, 3, 4, 6, 7}) {
    const size_t at = kLongestCall - length;
    if (code[at] == 0xff && (code[at + 1] >> 3 & 7) == 2) return true;
  }
  return false;
}

}  // namespace sandbox::platform
