// Unwind tables, symbols, memory maps and code that are damaged: read as what they are, without harm.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

#include "platform/debug/demangle.h"
#include "platform/debug/disassembly.h"
#include "platform/debug/elf_image.h"
#include "platform/debug/memory_map.h"
#include "platform/debug/unwind_rule.h"

using namespace sandbox;
using namespace sandbox::platform;

namespace {

constexpr uint64_t kPlace = 0x555500000000;

std::vector<std::byte> own_file() {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> bytes(static_cast<size_t>(::lseek(file.get(), 0, SEEK_END)));
  REQUIRE(::pread(file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

// An ELF file as the kernel maps it; what lies outside is not readable.
class MappedImage final : public GuestMemory {
 public:
  explicit MappedImage(const std::vector<std::byte>& file) {
    Elf64_Ehdr elf;
    std::memcpy(&elf, file.data(), sizeof elf);
    for (int i = 0; i < elf.e_phnum; ++i) {
      Elf64_Phdr header;
      std::memcpy(&header, file.data() + elf.e_phoff + static_cast<size_t>(i) * sizeof header, sizeof header);
      if (header.p_type == PT_GNU_EH_FRAME) {
        table_begin_ = header.p_vaddr;
        table_end_ = header.p_vaddr + header.p_memsz;
      }
      if (header.p_type != PT_LOAD) continue;
      bytes_.resize(std::max<size_t>(bytes_.size(), header.p_vaddr + header.p_memsz));
      std::memcpy(bytes_.data() + header.p_vaddr, file.data() + header.p_offset, header.p_filesz);
      if (header.p_flags & PF_X) {
        code_begin_ = header.p_vaddr;
        code_end_ = header.p_vaddr + header.p_memsz;
      }
    }
  }

  Result<size_t> read_some(uint64_t address, std::span<std::byte> out) override {
    if (address < kPlace || address - kPlace >= bytes_.size()) return err(EFAULT);
    const size_t count = std::min<size_t>(out.size(), bytes_.size() - (address - kPlace));
    std::memcpy(out.data(), bytes_.data() + (address - kPlace), count);
    return count;
  }
  Result<size_t> write_some(uint64_t, std::span<const std::byte>) override { return err(EFAULT); }

  std::vector<std::byte>& bytes() { return bytes_; }
  size_t table_begin() const { return table_begin_; }
  // .eh_frame follows its header in what linkers make.
  size_t table_end() const { return std::min(bytes_.size(), table_end_ + (table_end_ - table_begin_) * 8); }
  uint64_t random_code(std::mt19937_64& source) const {
    return kPlace + code_begin_ + source() % (code_end_ - code_begin_);
  }

 private:
  std::vector<std::byte> bytes_;
  size_t table_begin_ = 0, table_end_ = 0, code_begin_ = 0, code_end_ = 0;
};

std::byte noise(std::mt19937_64& source) {
  constexpr uint8_t kTelling[] = {0,    1,    0x0a, 0x0b, 0x0e, 0x0f, 0x10,
                                  0x16, 0x1b, 0x2f, 0x3b, 0x7f, 0x80, 0xff};
  const uint64_t number = source();
  return std::byte(number % 2 ? kTelling[number / 2 % std::size(kTelling)] : number >> 32);
}

void damage(std::span<std::byte> bytes, std::mt19937_64& source) {
  const size_t changes = 1 + source() % (1 + bytes.size() / 16);
  for (size_t i = 0; i < changes; ++i) bytes[source() % bytes.size()] = noise(source);
}

}  // namespace

TEST_CASE("an honest table tells rules", "[unwind]") {
  MappedImage image(own_file());
  PagedMemory memory(image);
  auto elf = ElfImage::read(memory, kPlace);
  REQUIRE(elf);
  const UnwindTable table = elf->table_at(elf->bias_at(kPlace));
  REQUIRE(table.header != 0);
  Unwinder unwinder;
  std::mt19937_64 source(1);
  int frames = 0, nothing = 0;
  for (int i = 0; i < 2000; ++i) {
    const UnwindRule rule = unwinder.rule_at(image, table, image.random_code(source));
    if (rule.kind == UnwindRule::Kind::kFrame) {
      ++frames;
      CHECK(rule.return_offset == -8);
    } else if (rule.kind == UnwindRule::Kind::kNone) {
      ++nothing;
    }
  }
  CHECK(frames > 1900);
  CHECK(nothing < 100);
}

TEST_CASE("damaged tables do no harm", "[unwind]") {
  const MappedImage honest(own_file());
  Unwinder unwinder;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937_64 source(seed);
    MappedImage image = honest;
    const size_t begin = image.table_begin();
    auto table_bytes = std::span(image.bytes()).subspan(begin, image.table_end() - begin);
    // The header's first bytes say whether there is a table at all.
    damage(source() % 4 == 0 ? table_bytes : table_bytes.subspan(12), source);
    PagedMemory memory(image);
    auto elf = ElfImage::read(memory, kPlace);
    REQUIRE(elf);
    const UnwindTable table = elf->table_at(elf->bias_at(kPlace));
    if (table.header == 0) continue;
    for (int i = 0; i < 50; ++i) {
      const uint64_t pc = image.random_code(source);
      (void)unwinder.rule_at(image, table, pc);
      RegisterFile registers;
      for (uint64_t& one : registers) one = kPlace + source() % image.bytes().size();
      (void)unwinder.step(image, table, pc, registers);
    }
  }
}

TEST_CASE("an expression that divides the smallest number by -1, or never ends", "[unwind]") {
  // .eh_frame_hdr with one entry, a CIE, and an FDE whose CFA is an expression.
  auto rule_of = [](const std::vector<uint8_t>& expression) {
    std::vector<std::byte> file(4096);
    auto put = [&](size_t at, const auto& value) { std::memcpy(file.data() + at, &value, sizeof value); };
    Elf64_Ehdr elf{};
    std::memcpy(elf.e_ident, ELFMAG, SELFMAG);
    elf.e_ident[EI_CLASS] = ELFCLASS64;
    elf.e_machine = EM_X86_64;
    elf.e_phoff = sizeof elf;
    elf.e_phentsize = sizeof(Elf64_Phdr);
    elf.e_phnum = 2;
    put(0, elf);
    put(sizeof elf, Elf64_Phdr{PT_LOAD, PF_R | PF_X, 0, 0, 0, 4096, 4096, 4096});
    constexpr uint32_t kHeader = 0x200, kCie = 0x240, kFde = 0x280, kCode = 0x100;
    put(sizeof elf + sizeof(Elf64_Phdr),
        Elf64_Phdr{PT_GNU_EH_FRAME, PF_R, kHeader, kHeader, kHeader, 64, 64, 4});
    put(kHeader, std::array<uint8_t, 4>{1, 0x1b, 0x03, 0x3b});
    put(kHeader + 4, static_cast<int32_t>(kCie - kHeader - 4));
    put(kHeader + 8, uint32_t{1});
    put(kHeader + 12, static_cast<int32_t>(kCode - kHeader));
    put(kHeader + 16, static_cast<int32_t>(kFde - kHeader));
    // Version 1, "zR", code alignment 1, data alignment -8, return address in 16, pointers as pcrel sdata4.
    put(kCie, uint32_t{0x14});
    put(kCie + 8, std::array<uint8_t, 16>{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0});
    put(kFde, static_cast<uint32_t>(0x10 + 3 + expression.size()));
    put(kFde + 4, static_cast<uint32_t>(kFde + 4 - kCie));
    put(kFde + 8, static_cast<int32_t>(kCode) - static_cast<int32_t>(kFde + 8));
    put(kFde + 12, uint32_t{64});
    file[kFde + 16] = std::byte{0};
    file[kFde + 17] = std::byte{0x0f};  // DW_CFA_def_cfa_expression
    file[kFde + 18] = std::byte(expression.size());
    std::memcpy(file.data() + kFde + 19, expression.data(), expression.size());
    MappedImage image(file);
    PagedMemory memory(image);
    auto read = ElfImage::read(memory, kPlace);
    REQUIRE(read);
    const UnwindTable table = read->table_at(read->bias_at(kPlace));
    REQUIRE(table.header != 0);
    Unwinder unwinder;
    RegisterFile registers{};
    CHECK_FALSE(unwinder.step(image, table, kPlace + kCode + 1, registers));
    return unwinder.rule_at(image, table, kPlace + kCode + 1).kind;
  };
  using Kind = UnwindRule::Kind;
  // breg7 +16, so that it is known that the table is understood: the return address is then below it.
  CHECK(rule_of({0x77, 16}) == Kind::kFrame);
  // const8u 1<<63, const1s -1, div
  CHECK(rule_of({0x0e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x09, 0xff, 0x1b}) == Kind::kComputed);
  // skip -3
  CHECK(rule_of({0x2f, 0xfd, 0xff}) == Kind::kComputed);
  // dup for ever
  CHECK(rule_of({0x77, 0, 0x12, 0x2f, 0xfc, 0xff}) == Kind::kComputed);
}

TEST_CASE("damaged headers and symbols", "[elf]") {
  const std::vector<std::byte> file = own_file();
  Elf64_Ehdr elf;
  std::memcpy(&elf, file.data(), sizeof elf);
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937_64 source(seed);
    std::vector<std::byte> changed = file;
    const size_t sections = elf.e_shoff, sections_bytes = size_t{elf.e_shnum} * elf.e_shentsize;
    damage(std::span(changed).subspan(sections, sections_bytes), source);
    if (source() % 2)
      damage(std::span(changed).subspan(sizeof elf, elf.e_phnum * sizeof(Elf64_Phdr)), source);
    if (source() % 4 == 0) changed.resize(source() % changed.size());
    const UniqueFd copy(::memfd_create("damaged", MFD_CLOEXEC));
    REQUIRE(::write(copy.get(), changed.data(), changed.size()) == static_cast<ssize_t>(changed.size()));
    // What is mapped has the same beginning, or it would not be taken for the same file.
    MappedImage image(file);
    std::memcpy(image.bytes().data(), changed.data(), std::min<size_t>(changed.size(), 4096));
    PagedMemory memory(image);
    auto read = ElfImage::read(memory, kPlace);
    if (!read) continue;
    const uint64_t bias = read->bias_at(kPlace);
    read->load_symbols(seed % 3 == 0 ? UniqueFd() : UniqueFd(::dup(copy.get())), memory, bias);
    for (int i = 0; i < 100; ++i) (void)read->symbol_at(image.random_code(source) - kPlace);
    for (uint64_t address : {uint64_t{0}, UINT64_MAX, uint64_t{1} << 63}) (void)read->symbol_at(address);
  }
}

TEST_CASE("symbols of the file and, without one, of what the loader was given", "[elf]") {
  MappedImage image(own_file());
  PagedMemory memory(image);
  auto elf = ElfImage::read(memory, kPlace);
  REQUIRE(elf);
  elf->load_symbols(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), memory, elf->bias_at(kPlace));
  Elf64_Ehdr header;
  std::memcpy(&header, image.bytes().data(), sizeof header);
  auto start = elf->symbol_at(header.e_entry + 1);
  REQUIRE(start);
  CHECK(start->name == "_start");
  CHECK(start->offset == 1);
  // Another file is not believed.
  auto other = ElfImage::read(memory, kPlace);
  other->load_symbols(UniqueFd(::open("/bin/sh", O_RDONLY | O_CLOEXEC)), memory, other->bias_at(kPlace));
  auto found = other->symbol_at(header.e_entry + 1);
  CHECK((!found || found->name != "_start"));
}

TEST_CASE("names that cannot be demangled, or to too much", "[demangle]") {
  CHECK(demangled("_ZN3app3runEi") == "app::run(int)");
  CHECK(demangled("main") == "main");
  CHECK(demangled("_Z") == "_Z");
  // Each S_ repeats everything before it.
  std::string bomb = "_Z1fI";
  for (int i = 0; i < 40; ++i) bomb += "St4pairI";
  for (int i = 0; i < 40; ++i) bomb += i == 0 ? "iiE" : "S_S_E";
  CHECK(demangled(bomb).size() <= 4096);
  std::string doubling = "_Z1fM1AS_";
  for (char name = '0'; name <= '9'; ++name) doubling += std::string("M") + "S" + name + "_S" + name + "_";
  CHECK(demangled(doubling).size() <= 4096);
  CHECK(demangled("_Z" + std::string(2000, 'P') + "i").size() <= 4096);
  CHECK(demangled("_Z1f" + std::string(1900, 'P') + "i").size() <= 4096);
  std::mt19937_64 source(7);
  constexpr std::string_view kLetters = "_ZNSt3fooEIJLXMFTPKRiS_0123456789DpDtcvcl";
  for (int i = 0; i < 20'000; ++i) {
    std::string name = "_Z";
    const size_t size = source() % 200;
    for (size_t j = 0; j < size; ++j) name += kLetters[source() % kLetters.size()];
    CHECK(demangled(name).size() <= 4096);
  }
}

TEST_CASE("memory maps", "[map]") {
  const MemoryMap map = MemoryMap::parse(
      "1000-2000 r-xp 00000000 fe:01 12                         /bin/a b\n"
      "2000-3000 rw-p 00000000 00:00 0 \n"
      "nonsense\n"
      "5000-4000 rw-p 00000000 00:00 0 \n"
      "2000-9000 rw-p 00000000 00:00 0 \n"
      "8000-9000 rw-p 00000000 00:00 0                          [heap]");
  REQUIRE(map.mappings().size() == 3);
  CHECK(map.find(0x1fff)->name == "/bin/a b");
  CHECK(map.find(0x1000)->inode == 12);
  CHECK(map.find(0xfff) == nullptr);
  CHECK(map.find(0x3000) == nullptr);
  CHECK(map.has_code_in(0x0, 0x1001));
  CHECK_FALSE(map.has_code_in(0x2000, UINT64_MAX));
  CHECK(map.describe(0x1010) == "in /bin/a b (r-xp) at +0x10");
  CHECK(map.describe(0x9010) == "nothing is mapped there; 0x10 bytes above the end of [heap] (rw-p)");
  CHECK(map.describe(UINT64_MAX) == "nothing is mapped there");
  CHECK(MemoryMap().describe(0) == "nothing is mapped there");
}

TEST_CASE("noise as code", "[disassembly]") {
  Disassembler disassembler;
  std::mt19937_64 source(3);
  MappedImage image(own_file());
  for (int i = 0; i < 300; ++i) {
    const uint64_t address = image.random_code(source);
    auto place = std::span(image.bytes()).subspan(address - kPlace - 64, 128);
    for (std::byte& byte : place) byte = noise(source);
    const size_t count = 1 + source() % 40;
    const auto instructions = disassembler.around(image, address, count);
    CHECK(instructions.size() <= count);
    REQUIRE(std::ranges::any_of(instructions, [&](const auto& one) { return one.address == address; }));
  }
  const uint64_t end = kPlace + image.bytes().size();
  CHECK(disassembler.around(image, end - 1, 8).back().address == end - 1);
  CHECK(disassembler.around(image, end, 8).empty());
  CHECK(disassembler.around(image, kPlace, 8).front().address == kPlace);
  CHECK(disassembler.around(image, 0, 8).empty());
  CHECK(disassembler.around(image, UINT64_MAX, 8).empty());
  CHECK(disassembler.around(image, end - 1, SIZE_MAX).size() <= Disassembler::kMaxInstructions);
}
