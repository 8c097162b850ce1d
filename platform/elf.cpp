// read_elf: the checks that fs/binfmt_elf.c makes before it maps a file, on headers that may be hostile.
#include <elf.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "platform/exec_image.h"

namespace sandbox::platform {

namespace {

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kTaskSize = 0x7ffffffff000;
constexpr uint64_t kMaxHeaderBytes = 65536;
// More than any real object asks for; an aligned reservation of that size still fits the address space.
constexpr uint64_t kMaxAlignment = uint64_t{1} << 32;

uint64_t page_start(uint64_t address) { return address & ~(kPageSize - 1); }
uint64_t page_end(uint64_t address) { return (address + kPageSize - 1) & ~(kPageSize - 1); }

// All of `size` bytes at `offset`, or `short_error` when the file ends before.
Result<void> read_exactly(int file, void* out, size_t size, uint64_t offset, int short_error) {
  auto* bytes = static_cast<char*>(out);
  while (size > 0) {
    if (offset > INT64_MAX) return err(short_error);
    ssize_t count = pread(file, bytes, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return err(EIO);
    if (count == 0) return err(short_error);
    bytes += count;
    offset += count;
    size -= count;
  }
  return {};
}

int protection_of(uint32_t flags) {
  return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

Result<std::string> read_interpreter_name(int file, const Elf64_Phdr& header) {
  if (header.p_filesz > PATH_MAX || header.p_filesz < 2) return err(ENOEXEC);
  std::string name(header.p_filesz, '\0');
  TRY(read_exactly(file, name.data(), name.size(), header.p_offset, EIO));
  if (name.back() != '\0') return err(ENOEXEC);
  return std::string(name.c_str());
}

Result<ElfSegment> check_segment(const Elf64_Phdr& header) {
  if (header.p_filesz > header.p_memsz || header.p_memsz > kTaskSize ||
      header.p_vaddr > kTaskSize - header.p_memsz) {
    return err(EINVAL);
  }
  // mmap can only place a file page at a page: both must have the same offset in it.
  if (header.p_filesz > 0 && header.p_vaddr % kPageSize != header.p_offset % kPageSize) return err(EINVAL);
  if (header.p_offset > INT64_MAX - header.p_filesz - kPageSize) return err(EINVAL);
  return ElfSegment{header.p_vaddr, header.p_filesz, header.p_memsz, header.p_offset,
                    protection_of(header.p_flags)};
}

// What one pass over the program headers fills in. Errors: EINVAL, ENOMEM, ENOEXEC (PT_INTERP), EIO.
Result<void> take_headers(ElfObject& object, const std::vector<Elf64_Phdr>& headers, const Elf64_Ehdr& elf,
                          ElfRole role) {
  uint64_t first = UINT64_MAX, end = 0;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_INTERP && role == ElfRole::kProgram && object.interpreter.empty()) {
      object.interpreter = TRY(read_interpreter_name(object.file.get(), header));
    } else if (header.p_type == PT_GNU_STACK) {
      object.wants_executable_stack = (header.p_flags & PF_X) != 0;
    } else if (header.p_type == PT_LOAD && header.p_memsz > 0) {
      ElfSegment segment = TRY(check_segment(header));
      first = std::min(first, page_start(segment.vaddr));
      end = std::max(end, page_end(segment.vaddr + segment.memory_size));
      if (std::has_single_bit(header.p_align))
        object.alignment = std::max<uint64_t>(object.alignment, header.p_align);
      if (header.p_offset <= elf.e_phoff && elf.e_phoff - header.p_offset < header.p_filesz) {
        object.phdr_vaddr = elf.e_phoff - header.p_offset + header.p_vaddr;
      }
      object.segments.push_back(segment);
    }
  }
  if (object.segments.empty()) return err(EINVAL);
  if (object.alignment > kMaxAlignment) return err(ENOMEM);
  object.first_vaddr = first;
  object.span = end - first;
  return {};
}

// The kernel's order of mapping is the file's; the plan leaves gaps unmapped, which needs ascending
// addresses. Linux accepts another order, no linker makes one.
bool is_ascending(const std::vector<ElfSegment>& segments) {
  return std::is_sorted(segments.begin(), segments.end(),
                        [](const ElfSegment& a, const ElfSegment& b) { return a.vaddr < b.vaddr; });
}

}  // namespace

Result<ElfObject> read_elf(UniqueFd file, ElfRole role) {
  const int not_elf = role == ElfRole::kProgram ? ENOEXEC : ELIBBAD;
  Elf64_Ehdr elf;
  TRY(read_exactly(file.get(), &elf, sizeof elf, 0, role == ElfRole::kProgram ? ENOEXEC : EIO));
  if (std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) return err(not_elf);
  if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN) return err(not_elf);
  if (elf.e_machine != EM_X86_64 || elf.e_ident[EI_CLASS] != ELFCLASS64) return err(not_elf);
  const uint64_t header_bytes = uint64_t{elf.e_phnum} * sizeof(Elf64_Phdr);
  if (elf.e_phentsize != sizeof(Elf64_Phdr) || header_bytes == 0 || header_bytes > kMaxHeaderBytes) {
    return err(not_elf);
  }
  std::vector<Elf64_Phdr> headers(elf.e_phnum);
  TRY(read_exactly(file.get(), headers.data(), header_bytes, elf.e_phoff, not_elf));

  ElfObject object{};
  object.file = std::move(file);
  object.placement = elf.e_type == ET_EXEC ? ElfObject::Placement::kFixed : ElfObject::Placement::kAnywhere;
  object.alignment = kPageSize;
  object.entry_vaddr = elf.e_entry;
  object.phdr_count = elf.e_phnum;
  TRY(take_headers(object, headers, elf, role));
  if (elf.e_entry >= kTaskSize || !is_ascending(object.segments)) return err(EINVAL);
  return object;
}

}  // namespace sandbox::platform
