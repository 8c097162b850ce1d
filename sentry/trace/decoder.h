// Decoder: a system call's registers and memory as named values, driven by the syscall table's signatures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "platform/call_observer.h"
#include "sandbox/errno.h"
#include "sandbox/guest_memory.h"
#include "sandbox/syscall_table.h"
#include "sentry/trace/descriptor_names.h"
#include "sentry/trace/value.h"

namespace sandbox::trace {

struct DecoderOptions {
  size_t string_bytes = 32;          // of a buffer or string; paths are always whole (PATH_MAX)
  size_t array_elements = 32;        // of an array; the rest is "..."
  size_t bytes_per_call = 64 << 10;  // read from the traced program at most, for one stop
};

// The thread that makes the call, while it is stopped.
struct Target {
  GuestMemory& memory;
  DescriptorNames* names = nullptr;  // null: descriptors are numbers
};

struct DecodedResult {
  Value value;                 // of a success
  std::optional<Errno> error;  // of a failure; also the kernel's own ERESTART numbers, 512 to 530
  Value remarks;       // what the call found besides: "(Timeout)", "(in [3], left {...})"; often absent
  int64_t number = 0;  // the register as it is
};

struct DecodedCall {
  uint32_t number = 0;
  const SyscallRow* row = nullptr;  // null: no call of Linux has this number; its arguments are the registers
  std::array<uint64_t, 6> registers{};
  std::vector<Value> arguments;         // one each argument of the row, named; kAbsent ones are not printed
  std::optional<DecodedResult> result;  // until exit(): none. Of exit and exit_group: never

  // Made as 32-bit programs do (int 0x80), where numbers mean other calls: there is no row, and the arguments
  // are their registers.
  bool is_foreign() const { return platform::is_foreign_call(number); }
  // As the caller gave it.
  uint32_t plain_number() const { return is_foreign() ? number & ~platform::kForeignMarkBits : number; }
};

// Immutable after construction, so that any number of threads may share one.
class Decoder {
 public:
  explicit Decoder(const DecoderOptions& options = {});
  ~Decoder();

  // At the call's entry (or, when there is no stop there, at its exit, just before exit()): everything that
  // the call reads. What it writes stays kPending. Each pointer is read once; what cannot be read is an
  // address.
  DecodedCall entry(uint32_t number, const std::array<uint64_t, 6>& registers, Target target) const;
  // At its exit, with the result register: fills in what the call wrote, and the result. Output of a call
  // that failed is shown as its address.
  void exit(DecodedCall& call, int64_t result, Target target) const;
  // The memory that exit() reads for what entry() gave, at most, unless the call fails; nothing when that
  // cannot be told yet, or is more than fits.
  std::optional<platform::OutputRanges> outputs(const DecodedCall& call) const;

 private:
  struct Plan;
  DecoderOptions options_;
  std::unique_ptr<const Plan> plan_;
};

// The argument called `name`, cut and extended as the kernel looks at it, without reading memory: what a
// filter asks first. Nothing when the row has no such argument.
std::optional<int64_t> register_argument(const SyscallRow& row, const std::array<uint64_t, 6>& registers,
                                         std::string_view name);
// "flags", "how.flags", "addr.sin_port", "iov.0.iov_len": the value there, null when this call has none.
const Value* find_value(const DecodedCall& call, std::string_view path);
// "O_CREAT" or "ENOENT" as a number, from every table the decoder has. Nothing when no table has the name.
std::optional<int64_t> find_constant(std::string_view name);
// Whether a type of syscalls.def ("OpenFlags", "Out<struct stat>") has a decoder of its own.
bool decodes(std::string_view type_name);

}  // namespace sandbox::trace
