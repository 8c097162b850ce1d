// Headers from memory, symbols from the file or from what the dynamic loader was given.
#include "platform/debug/elf_image.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace sandbox::platform {

namespace {

constexpr size_t kHeadBytes = 4096;
constexpr size_t kMaxSections = 4096, kMaxDynamicEntries = 256;
constexpr size_t kMaxSymbols = 2 << 20;
constexpr size_t kMaxStringBytes = 128 << 20;
// What one symbol's name may be; the longest real ones are of templates.
constexpr size_t kMaxName = 4096;
constexpr uint64_t kMaxEntriesBytes = uint64_t{1} << 30;

// As in <dwarf.h>, which belongs to another package: how .eh_frame_hdr says its numbers.
constexpr uint8_t kSignedWord = 0x0b, kFromHere = 0x10, kFromHeader = 0x30, kUnsignedWord = 0x03;

// All of `out`, or false.
bool read_file(int file, uint64_t offset, void* out, size_t size) {
  if (offset > INT64_MAX - size) return false;
  return ::pread(file, out, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

bool is_function(const Elf64_Sym& symbol) {
  const auto type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
         (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

uint8_t priority_of(const Elf64_Sym& symbol) {
  const bool is_typed = ELF64_ST_TYPE(symbol.st_info) != STT_NOTYPE;
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  return static_cast<uint8_t>((is_typed ? 4 : 0) + (binding == STB_GLOBAL ? 2 : binding == STB_WEAK ? 1 : 0));
}

}  // namespace

std::optional<ElfImage> ElfImage::read(PagedMemory& memory, uint64_t address) {
  ElfImage image;
  if (!image.read_headers(memory, address)) return std::nullopt;
  image.read_table(memory, image.bias_at(address));
  return image;
}

bool ElfImage::read_headers(PagedMemory& memory, uint64_t address) {
  head_.resize(kHeadBytes);
  if (!memory.read(address, std::as_writable_bytes(std::span(head_)))) return false;
  Elf64_Ehdr elf;
  std::memcpy(&elf, head_.data(), sizeof elf);
  if (std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
      elf.e_machine != EM_X86_64 || elf.e_phentsize != sizeof(Elf64_Phdr)) {
    return false;
  }
  const size_t bytes = size_t{elf.e_phnum} * sizeof(Elf64_Phdr);
  if (elf.e_phoff > kHeadBytes || bytes > kHeadBytes - elf.e_phoff) return false;
  std::vector<Elf64_Phdr> headers(elf.e_phnum);
  std::memcpy(headers.data(), head_.data() + elf.e_phoff, bytes);
  bool has_first = false;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_LOAD) {
      if (!has_first) first_vaddr_ = header.p_vaddr - header.p_offset;
      has_first = true;
      end_vaddr_ = std::max(end_vaddr_, header.p_vaddr + header.p_memsz);
    } else if (header.p_type == PT_GNU_EH_FRAME) {
      header_ = header.p_vaddr;
    } else if (header.p_type == PT_DYNAMIC) {
      dynamic_ = header.p_vaddr;
      dynamic_bytes_ = header.p_memsz;
    }
  }
  return has_first && end_vaddr_ > first_vaddr_;
}

// Only the form that every linker writes: a sorted table of pairs of 4-byte distances from the header.
void ElfImage::read_table(PagedMemory& memory, uint64_t bias) {
  struct {
    uint8_t version, pointer_encoding, count_encoding, entry_encoding;
    int32_t frame;
    uint32_t count;
  } header;
  static_assert(sizeof header == 12);
  const bool is_known =
      header_ != 0 && memory.read(bias + header_, std::as_writable_bytes(std::span(&header, 1))) &&
      header.version == 1 && header.pointer_encoding == (kFromHere | kSignedWord) &&
      header.count_encoding == kUnsignedWord && header.entry_encoding == (kFromHeader | kSignedWord);
  if (!is_known) {
    header_ = 0;
    return;
  }
  entries_ = header_ + sizeof header;
  entries_bytes_ = std::min(uint64_t{header.count} * 8, kMaxEntriesBytes);
}

UnwindTable ElfImage::table_at(uint64_t bias) const {
  if (header_ == 0) return {};
  return {.begin = bias + first_vaddr_,
          .end = bias + end_vaddr_,
          .header = bias + header_,
          .entries = bias + entries_,
          .entries_bytes = entries_bytes_};
}

void ElfImage::load_symbols(UniqueFd file, PagedMemory& memory, uint64_t bias) {
  if (file && is_mapped_from(file)) {
    load_from_file(file);
  } else {
    load_from_memory(memory, bias);
  }
  sort_symbols();
}

// Names may have been exchanged since it was mapped, and file systems in layers tell other numbers in maps
// than in stat: what it begins with decides.
bool ElfImage::is_mapped_from(const UniqueFd& file) const {
  struct stat attributes;
  if (::fstat(file.get(), &attributes) != 0 || !S_ISREG(attributes.st_mode)) return false;
  std::string begin(std::min<uint64_t>(head_.size(), static_cast<uint64_t>(attributes.st_size)), '\0');
  return begin.size() >= sizeof(Elf64_Ehdr) && read_file(file.get(), 0, begin.data(), begin.size()) &&
         head_.starts_with(begin);
}

void ElfImage::load_from_file(const UniqueFd& file) {
  struct stat attributes;
  Elf64_Ehdr elf;
  std::memcpy(&elf, head_.data(), sizeof elf);
  if (::fstat(file.get(), &attributes) != 0 || elf.e_shentsize != sizeof(Elf64_Shdr) ||
      elf.e_shnum > kMaxSections)
    return;
  const auto file_size = static_cast<uint64_t>(attributes.st_size);
  std::vector<Elf64_Shdr> sections(elf.e_shnum);
  if (!read_file(file.get(), elf.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr))) return;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) continue;
    if (section.sh_link >= sections.size() || section.sh_size > file_size) continue;
    const Elf64_Shdr& names = sections[section.sh_link];
    if (names.sh_size > std::min<uint64_t>(file_size, kMaxStringBytes)) continue;
    std::vector<std::byte> symbols(std::min<uint64_t>(section.sh_size, kMaxSymbols * sizeof(Elf64_Sym)));
    std::string strings(names.sh_size, '\0');
    if (read_file(file.get(), section.sh_offset, symbols.data(), symbols.size()) &&
        read_file(file.get(), names.sh_offset, strings.data(), strings.size())) {
      add_symbols(symbols, std::move(strings));
    }
  }
}

// What PT_DYNAMIC points to. The loader has made addresses of some of its offsets.
struct ElfImage::DynamicTables {
  uint64_t symbols = 0, strings = 0, strings_bytes = 0, hash = 0, gnu_hash = 0;

  DynamicTables(PagedMemory& memory, const ElfImage& image, uint64_t bias) {
    const uint64_t count = std::min<uint64_t>(image.dynamic_bytes_ / sizeof(Elf64_Dyn), kMaxDynamicEntries);
    auto place = [&](uint64_t value) { return value < image.end_vaddr_ ? bias + value : value; };
    for (uint64_t i = 0; i < count; ++i) {
      auto entry = memory.read<Elf64_Dyn>(bias + image.dynamic_ + i * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL) return;
      if (entry->d_tag == DT_SYMTAB) symbols = place(entry->d_un.d_ptr);
      if (entry->d_tag == DT_STRTAB) strings = place(entry->d_un.d_ptr);
      if (entry->d_tag == DT_STRSZ) strings_bytes = entry->d_un.d_val;
      if (entry->d_tag == DT_HASH) hash = place(entry->d_un.d_ptr);
      if (entry->d_tag == DT_GNU_HASH) gnu_hash = place(entry->d_un.d_ptr);
    }
  }

  // No table says how many symbols there are; the hash tables imply it.
  uint64_t symbol_count(PagedMemory& memory) const {
    if (hash != 0) {
      auto count = memory.read<uint32_t>(hash + sizeof(uint32_t));
      return count ? *count : 0;
    }
    struct Head {
      uint32_t buckets, first, bloom_words, shift;
    };
    auto head = gnu_hash != 0 ? memory.read<Head>(gnu_hash) : std::nullopt;
    if (!head || head->buckets > kMaxSymbols) return 0;
    const uint64_t buckets = gnu_hash + sizeof(Head) + uint64_t{head->bloom_words} * sizeof(uint64_t);
    uint32_t last = 0;
    for (uint32_t i = 0; i < head->buckets; ++i) {
      auto bucket = memory.read<uint32_t>(buckets + uint64_t{i} * sizeof(uint32_t));
      if (!bucket) return 0;
      last = std::max(last, *bucket);
    }
    if (last < head->first) return head->first;
    // The chain of the last bucket ends with an odd number.
    const uint64_t chains = buckets + uint64_t{head->buckets} * sizeof(uint32_t);
    for (; last < kMaxSymbols; ++last) {
      auto link = memory.read<uint32_t>(chains + uint64_t{last - head->first} * sizeof(uint32_t));
      if (!link || *link % 2 == 1) return uint64_t{last} + 1;
    }
    return last;
  }
};

void ElfImage::load_from_memory(PagedMemory& memory, uint64_t bias) {
  const DynamicTables tables(memory, *this, bias);
  if (tables.symbols == 0 || tables.strings == 0 || tables.strings_bytes > kMaxStringBytes) return;
  const uint64_t count = std::min<uint64_t>(tables.symbol_count(memory), kMaxSymbols);
  // What is not mapped is not there, however large the headers say it is.
  std::vector<std::byte> symbols;
  std::string strings;
  auto append = [&](auto& bytes, uint64_t address, uint64_t size) {
    constexpr uint64_t kPiece = 4096;
    std::array<std::byte, kPiece> piece;
    for (uint64_t done = 0; done < size; done += kPiece) {
      const auto part = std::span(piece).first(std::min(kPiece, size - done));
      if (!memory.read(address + done, part)) return;
      const auto* begin =
          reinterpret_cast<const typename std::remove_reference_t<decltype(bytes)>::value_type*>(part.data());
      bytes.insert(bytes.end(), begin, begin + part.size());
    }
  };
  append(symbols, tables.symbols, count * sizeof(Elf64_Sym));
  append(strings, tables.strings, tables.strings_bytes);
  add_symbols(symbols, std::move(strings));
}

void ElfImage::add_symbols(const std::vector<std::byte>& symbols, std::string strings) {
  const auto table = static_cast<uint8_t>(strings_.size());
  const size_t size = strings.size();
  strings_.push_back(std::move(strings));
  for (size_t at = 0; at + sizeof(Elf64_Sym) <= symbols.size(); at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol;
    std::memcpy(&symbol, symbols.data() + at, sizeof symbol);
    if (!is_function(symbol) || symbol.st_name >= size || entries_by_address_.size() >= kMaxSymbols) continue;
    entries_by_address_.push_back(
        {symbol.st_value, symbol.st_size, symbol.st_name, table, priority_of(symbol)});
  }
}

void ElfImage::sort_symbols() {
  std::ranges::sort(entries_by_address_, [](const Entry& left, const Entry& right) {
    return left.address != right.address ? left.address < right.address : left.priority < right.priority;
  });
}

std::optional<ElfImage::Symbol> ElfImage::symbol_at(uint64_t address) const {
  auto above = std::ranges::upper_bound(entries_by_address_, address, {}, &Entry::address);
  if (above == entries_by_address_.begin()) return std::nullopt;
  const Entry& entry = *std::prev(above);
  const uint64_t offset = address - entry.address;
  // Functions written in assembler may have no size: they reach to the next one.
  if (entry.size != 0 && offset >= entry.size) return std::nullopt;
  const char* name = strings_[entry.table].c_str() + entry.name;
  const size_t length = ::strnlen(name, std::min(kMaxName, strings_[entry.table].size() - entry.name));
  if (length == 0) return std::nullopt;
  return Symbol{std::string(name, length), offset};
}

}  // namespace sandbox::platform
