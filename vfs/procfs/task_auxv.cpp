// The auxiliary vector of a program that the loader started: the kernel recorded the loader's, the stack
// holds the program's.
#include "vfs/procfs/task_auxv.h"

#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "sandbox/numbers.h"
#include "sandbox/process_stat.h"
#include "vfs/synthetic/host_file.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// fs/binfmt_elf.c puts at most this much between the vector and the argument strings (random offset,
// AT_RANDOM's bytes, platform names) ...
constexpr uint64_t kGap = 16 * 1024;
// ... and the loader moves the vector down by the strings of an interpreter line and of the program's path.
constexpr uint64_t kMoved = 132 * 1024;

std::vector<Elf64_auxv_t> parse(std::string_view bytes) {
  std::vector<Elf64_auxv_t> entries(bytes.size() / sizeof(Elf64_auxv_t));
  std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(Elf64_auxv_t));
  auto end = std::ranges::find(entries, uint64_t{AT_NULL}, &Elf64_auxv_t::a_type);
  if (end != entries.end()) entries.erase(end + 1, entries.end());
  return entries;
}

// Errors: EIO (not what proc_pid_stat(5) says).
Result<uint64_t> read_arguments_address(const TaskContext& context) {
  std::string text = TRY(context.read_host("stat"));
  auto address = parse_number<uint64_t>(stat_field(text, StatField::kArgumentsStart));
  if (!address) return err(EIO);
  return *address;
}

// A vector with the types of `recorded` in its order, and the same vdso.
bool is_vector(const Elf64_auxv_t* candidate, const std::vector<Elf64_auxv_t>& recorded) {
  for (size_t i = 0; i < recorded.size(); ++i) {
    if (candidate[i].a_type != recorded[i].a_type) return false;
    bool is_vdso = recorded[i].a_type == AT_SYSINFO_EHDR;
    if (is_vdso && candidate[i].a_un.a_val != recorded[i].a_un.a_val) return false;
  }
  return true;
}

}  // namespace

Result<std::string> read_program_auxv(const TaskContext& context) {
  std::string host = TRY(context.read_host("auxv"));
  std::vector<Elf64_auxv_t> recorded = parse(host);
  uint64_t top = TRY(read_arguments_address(context)) & ~uint64_t{7};
  size_t size = recorded.size() * sizeof(Elf64_auxv_t);
  if (recorded.empty() || recorded.back().a_type != AT_NULL || top < kGap + kMoved + size) return host;

  UniqueFd memory = TRY(open_host_file(context.host_directory.get(), "mem", O_RDONLY));
  uint64_t bottom = top - kGap - kMoved - size;
  constexpr size_t kWord = sizeof(uint64_t);
  std::vector<uint64_t> words;
  // The highest match is the vector: whatever copies a program keeps in its frames lie lower.
  for (uint64_t chunk_end = top; chunk_end > bottom;) {
    uint64_t chunk_begin = std::max(bottom, chunk_end - std::min(chunk_end, kGap));
    words.assign((chunk_end - chunk_begin) / kWord + size / kWord, 0);
    // The part above the chunk, so that a vector across the border is seen whole.
    size_t wanted = std::min<uint64_t>(words.size() * kWord, top - chunk_begin);
    ssize_t count = ::pread(memory.get(), words.data(), wanted, static_cast<off_t>(chunk_begin));
    if (count != static_cast<ssize_t>(wanted)) return host;
    for (size_t at = (chunk_end - chunk_begin) / kWord; at-- > 0;) {
      const auto* candidate = reinterpret_cast<const Elf64_auxv_t*>(&words[at]);
      if (words[at] == recorded[0].a_type && is_vector(candidate, recorded))
        return std::string(reinterpret_cast<const char*>(candidate), size);
    }
    chunk_end = chunk_begin;
  }
  return host;
}

}  // namespace sandbox::vfs
