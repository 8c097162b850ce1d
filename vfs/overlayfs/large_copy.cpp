// One copy, however many calls wait for it.
#include "vfs/overlayfs/large_copy.h"

#include <fcntl.h>

#include "vfs/overlayfs/copy_up.h"

namespace sandbox::vfs {

Result<std::shared_ptr<LargeCopy>> LargeCopy::create(std::shared_ptr<WorkDirectory> work, HostName source) {
  UniqueFd file = TRY(host_open(source, O_RDONLY | O_NONBLOCK));
  return std::shared_ptr<LargeCopy>(new LargeCopy(std::move(work), std::move(file)));
}

Result<void> LargeCopy::run(const std::atomic<bool>& is_cancelled) {
  std::lock_guard guard(running_);
  if (is_done()) return {};
  item_.remove();  // of one that was cancelled
  UniqueFd target = TRY(host_open(item_.host(), O_RDWR | O_CREAT | O_EXCL, 0600));
  item_.is_made();
  TRY(copy_content(source_.get(), target.get(), &is_cancelled));
  is_done_.store(true, std::memory_order_release);
  return {};
}

}  // namespace sandbox::vfs
