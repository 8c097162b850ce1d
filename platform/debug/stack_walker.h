// StackWalker: the call chains of threads of other processes.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/debug/elf_image.h"
#include "platform/debug/memory_map.h"
#include "platform/debug/unwind_rule.h"
#include "sandbox/guest_memory.h"
#include "sandbox/unique_fd.h"

namespace sandbox::platform {

// What must be known of a process besides its memory and registers.
class MappedFiles {
 public:
  virtual ~MappedFiles() = default;
  // The thread's map, with the names that the program sees. Empty when it is gone.
  virtual MemoryMap memory_map_of(pid_t tid) = 0;
  // The file behind a mapping, for reading; none when it cannot be had or is no regular file. It may be
  // another file that now has the name: the walker looks.
  virtual UniqueFd open_mapped(pid_t tid, const Mapping& mapping) = 0;
};

// One function of a chain. Names are the traced program's bytes: not yet escaped.
struct Frame {
  std::string file;      // as the memory map names it; empty for memory without a name
  std::string symbol;    // demangled; empty when not known
  uint64_t offset = 0;   // in the symbol
  uint64_t address = 0;  // as the file's headers have it; in memory when there is no image
};
using FramePtr = std::shared_ptr<const Frame>;

// What a table says for an address of an image, and the name of the place, are worked out once and kept by
// image and address, for all processes; then a stack costs little more than reading its memory. One thread at
// a time.
class StackWalker {
 public:
  // `files` outlives it.
  explicit StackWalker(MappedFiles& files) : files_(files) {}

  // Innermost first, at most kMaxDepth. `tid` is a thread of the process that is stopped, or waits in a call
  // whose registers these are. Empty for 32-bit code.
  std::vector<FramePtr> walk(pid_t process, pid_t tid, const user_regs_struct& registers);
  static constexpr size_t kMaxDepth = 256;

  // The address in words: what is mapped there.
  std::string describe(pid_t process, pid_t tid, uint64_t address);

  // A child runs with a copy of its parent's memory, or with the same.
  void inherit(pid_t parent, pid_t child);
  // It executes another program or is gone.
  void forget(pid_t process);
  // It unmapped, replaced or moved this memory.
  void note_unmapped(pid_t process, uint64_t begin, uint64_t bytes);

 private:
  struct Place {
    UnwindRule rule;
    FramePtr frame;
    bool is_signal_return = false;
  };
  struct Image {
    ElfImage elf;
    bool has_symbols = false;
    std::unordered_map<uint64_t, Place> places;  // by address in the image
  };
  struct Located {
    std::shared_ptr<Image> image;  // null: none there
    uint64_t bias = 0;
  };
  struct Process {
    MemoryMap map;
    std::unordered_map<uint64_t, Located> images;  // by where a mapping begins
    std::chrono::steady_clock::time_point read_at{};
    bool is_stale = true;
  };
  // One walk.
  struct Walk {
    Process& process;
    pid_t tid;
    GuestMemory& memory;
    PagedMemory pages;
    RegisterFile registers;
    bool is_exact = true;  // the instruction pointer is not a return address
    bool has_map_been_read = false;
  };
  // How a frame's caller was found.
  enum class Step { kFound, kOutermost, kUnknown };

  Process& process_of(pid_t process);
  void read_map(Process& process, pid_t tid);
  const Mapping* code_at(Walk& walk, uint64_t address);
  Located image_of(Walk& walk, const Mapping& mapping);
  const Place& place_of(Walk& walk, const Mapping& mapping, const Located& located, uint64_t pc);
  FramePtr name_of(Walk& walk, const Mapping& mapping, const Located& located, uint64_t address);
  FramePtr append_frame(Walk& walk, const Mapping* mapping, Step& step);
  Step step_by_rule(Walk& walk, const Place& place, const UnwindTable& table, uint64_t pc);
  Step step_out_of_signal(Walk& walk);
  Step step_by_guess(Walk& walk, bool is_innermost);
  bool is_return_address(Walk& walk, uint64_t address);

  // Beyond these everything is forgotten and learnt anew.
  static constexpr size_t kMaxImages = 512, kMaxPlaces = 500'000;

  MappedFiles& files_;
  Unwinder unwinder_;
  std::unordered_map<pid_t, Process> processes_;
  std::unordered_map<std::string, std::shared_ptr<Image>> images_;
  size_t places_ = 0;
};

}  // namespace sandbox::platform
