// ElfImage: what a stack walk needs of an ELF object that a traced program has mapped: unwind table and
// symbols.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/debug/paged_memory.h"
#include "platform/debug/unwind_rule.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// Addresses below are the image's own, as its headers have them; in a process it lies `bias` higher.
// Everything may be damaged on purpose: what makes no sense is as if it were not there, and sizes are
// bounded.
class ElfImage {
 public:
  // The image whose first page lies at `address`. Nothing when none does. `head` is that page, which tells
  // two images apart.
  static std::optional<ElfImage> read(PagedMemory& memory, uint64_t address);

  const std::string& head() const { return head_; }
  uint64_t bias_at(uint64_t first_page) const { return first_page - first_vaddr_; }
  // Empty (header 0) when the image has none.
  UnwindTable table_at(uint64_t bias) const;

  // Takes the symbols of the file that was mapped; of another file none. Without a file those that the loader
  // needs, from `memory`, where the image lies `bias` higher.
  void load_symbols(UniqueFd file, PagedMemory& memory, uint64_t bias);

  struct Symbol {
    std::string name;
    uint64_t offset = 0;  // of the address in it
  };
  // The function that the address is in.
  std::optional<Symbol> symbol_at(uint64_t address) const;

 private:
  struct Entry {
    uint64_t address = 0, size = 0;
    uint32_t name = 0;  // in strings_[table]
    uint8_t table = 0;
    uint8_t priority = 0;  // of two at one address the higher is shown
  };
  struct DynamicTables;

  bool read_headers(PagedMemory& memory, uint64_t address);
  void read_table(PagedMemory& memory, uint64_t bias);
  bool is_mapped_from(const UniqueFd& file) const;
  void load_from_file(const UniqueFd& file);
  void load_from_memory(PagedMemory& memory, uint64_t bias);
  void add_symbols(const std::vector<std::byte>& symbols, std::string strings);
  void sort_symbols();

  std::string head_;
  uint64_t first_vaddr_ = 0, end_vaddr_ = 0;
  uint64_t header_ = 0, entries_ = 0, entries_bytes_ = 0;  // .eh_frame_hdr and its sorted table
  uint64_t dynamic_ = 0, dynamic_bytes_ = 0;
  std::vector<Entry> entries_by_address_;
  std::vector<std::string> strings_;
};

}  // namespace sandbox::platform
