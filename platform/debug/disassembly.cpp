// Where the instructions before an address begin is written nowhere: a place is looked for from which
// decoding arrives at it.
#include "platform/debug/disassembly.h"

#include <capstone.h>
#include <dlfcn.h>

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>

namespace sandbox::platform {

namespace {

constexpr size_t kLongest = 15;
constexpr uint64_t kPageSize = 4096;

// As much as can be read of the bytes before `address`.
std::vector<std::byte> read_before(GuestMemory& memory, uint64_t address, size_t count) {
  std::vector<std::byte> bytes(std::min<uint64_t>(count, address));
  if (memory.read_bytes(address - bytes.size(), bytes)) return bytes;
  // The page before may not be readable.
  bytes.resize(std::min<uint64_t>(address % kPageSize, bytes.size()));
  if (!memory.read_bytes(address - bytes.size(), bytes)) bytes.clear();
  return bytes;
}

std::vector<std::byte> read_from(GuestMemory& memory, uint64_t address, size_t count) {
  std::vector<std::byte> bytes(count);
  auto size = memory.read_some(address, bytes);
  bytes.resize(size ? *size : 0);
  return bytes;
}

// Loaded when first needed: its tables of all architectures would cost every start of the command a
// millisecond, and only traces disassemble.
struct Capstone {
  void* library = ::dlopen(("libcapstone.so." + std::to_string(CS_API_MAJOR)).c_str(), RTLD_NOW | RTLD_LOCAL);
  decltype(&cs_open) open = function<decltype(&cs_open)>("cs_open");
  decltype(&cs_close) close = function<decltype(&cs_close)>("cs_close");
  decltype(&cs_malloc) new_instruction = function<decltype(&cs_malloc)>("cs_malloc");
  decltype(&cs_free) free_instruction = function<decltype(&cs_free)>("cs_free");
  decltype(&cs_disasm_iter) decode = function<decltype(&cs_disasm_iter)>("cs_disasm_iter");
  bool is_usable = open && close && new_instruction && free_instruction && decode;

  static const Capstone& get() {
    static const Capstone capstone;
    return capstone;
  }

 private:
  template <typename Function>
  Function function(const char* name) const {
    return library == nullptr ? nullptr : reinterpret_cast<Function>(::dlsym(library, name));
  }
};

}  // namespace

struct Disassembler::Engine {
  const Capstone& capstone = Capstone::get();
  csh handle = 0;
  bool is_open = capstone.is_usable && capstone.open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK;
  cs_insn* instruction = is_open ? capstone.new_instruction(handle) : nullptr;
  // Most calls come from a few places, whose bytes stay the same. The key is address and bytes.
  std::unordered_map<std::string, std::vector<Instruction>> known;
  static constexpr size_t kMaxKnown = 4096;

  Engine() = default;
  ~Engine() {
    if (instruction != nullptr) capstone.free_instruction(instruction, 1);
    if (is_open) capstone.close(&handle);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The size of the instruction that `bytes` begin with, which is then in `instruction`. Nothing: they begin
  // none.
  std::optional<size_t> decode(std::span<const std::byte> bytes, uint64_t address) {
    const auto* code = reinterpret_cast<const uint8_t*>(bytes.data());
    size_t rest = bytes.size();
    if (instruction == nullptr || !capstone.decode(handle, &code, &rest, &address, instruction))
      return std::nullopt;
    return bytes.size() - rest;
  }

  // Instructions of `bytes`, which lie at `address`; at most `count`.
  void append(std::vector<Instruction>& to, std::span<const std::byte> bytes, uint64_t address,
              size_t count) {
    for (; count > 0 && !bytes.empty(); --count) {
      const size_t size = decode(bytes, address).value_or(0);
      std::string text = "(bad)";
      if (size > 0) {
        text = instruction->mnemonic;
        if (instruction->op_str[0] != '\0') (text += ' ') += instruction->op_str;
      }
      to.push_back({address, std::move(text)});
      bytes = bytes.subspan(std::max<size_t>(size, 1));
      address += std::max<size_t>(size, 1);
    }
  }

  // How many of `bytes` to leave out so that the rest is whole instructions: of all ways that of the most
  // bytes, which decoding from a wrong place soon falls in with.
  size_t first_whole(std::span<const std::byte> bytes, uint64_t address) {
    std::vector<char> arrives(bytes.size() + 1);
    arrives.back() = true;
    size_t first = bytes.size();
    for (size_t at = bytes.size(); at-- > 0;) {
      auto size = decode(bytes.subspan(at), address + at);
      arrives[at] = size && arrives[at + *size];
      if (arrives[at]) first = at;
    }
    return first;
  }
};

Disassembler::Disassembler() : engine_(std::make_unique<Engine>()) {}
Disassembler::~Disassembler() = default;

std::vector<Instruction> Disassembler::around(GuestMemory& memory, uint64_t address, size_t count) {
  count = std::clamp<size_t>(count, 1, kMaxInstructions);
  const size_t before = count / 2, after = count - before;
  const std::vector<std::byte> tail = read_from(memory, address, after * kLongest);
  if (tail.empty()) return {};
  const std::vector<std::byte> head = read_before(memory, address, before * kLongest);
  std::string key(reinterpret_cast<const char*>(&address), sizeof address);
  key.append(reinterpret_cast<const char*>(head.data()), head.size());
  key.append(reinterpret_cast<const char*>(tail.data()), tail.size());
  if (auto found = engine_->known.find(key); found != engine_->known.end()) return found->second;

  std::vector<Instruction> instructions;
  const size_t skipped = engine_->first_whole(head, address - head.size());
  engine_->append(instructions, std::span(head).subspan(skipped), address - head.size() + skipped,
                  head.size());
  if (instructions.size() > before)
    instructions.erase(instructions.begin(), instructions.end() - static_cast<std::ptrdiff_t>(before));
  engine_->append(instructions, tail, address, after);
  if (engine_->known.size() >= Engine::kMaxKnown) engine_->known.clear();
  return engine_->known.emplace(std::move(key), std::move(instructions)).first->second;
}

}  // namespace sandbox::platform
