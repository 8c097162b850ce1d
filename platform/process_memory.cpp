// Copies between the sentry and a workload thread.
#include "platform/process_memory.h"

#include <sys/uio.h>

#include <algorithm>

namespace sandbox::platform {

namespace {

constexpr uint64_t kPageSize = 4096;

// process_vm_* fail as a whole when one iovec's first page is bad but stop early at a later one, at the
// granularity of an iovec: a transfer that crosses into a bad page is repeated up to that page.
template <typename Transfer>
Result<size_t> transfer_some(uint64_t address, std::byte* local, size_t size, Transfer transfer) {
  if (size == 0) return size_t{0};
  ssize_t count = transfer(iovec{local, size}, iovec{reinterpret_cast<void*>(address), size});
  if (count > 0) return static_cast<size_t>(count);
  if (count < 0 && errno == EFAULT) {
    size_t in_page = std::min<size_t>(size, kPageSize - address % kPageSize);
    if (in_page < size) {
      count = transfer(iovec{local, in_page}, iovec{reinterpret_cast<void*>(address), in_page});
      if (count > 0) return static_cast<size_t>(count);
    }
  }
  if (count < 0 && errno != EFAULT) return err(ESRCH);
  return err(EFAULT);
}

}  // namespace

Result<size_t> ProcessMemory::read_some(uint64_t address, std::span<std::byte> out) {
  return transfer_some(address, out.data(), out.size(), [this](iovec local, iovec remote) {
    return process_vm_readv(host_tid_, &local, 1, &remote, 1, 0);
  });
}

Result<size_t> ProcessMemory::write_some(uint64_t address, std::span<const std::byte> in) {
  auto* bytes = const_cast<std::byte*>(in.data());  // iovec has no const; the call only reads it
  return transfer_some(address, bytes, in.size(), [this](iovec local, iovec remote) {
    return process_vm_writev(host_tid_, &local, 1, &remote, 1, 0);
  });
}

}  // namespace sandbox::platform
