// LargeCopy: the content of a large file of a lower layer on its way into the upper, outside the tree lock.
#pragma once

#include <mutex>

#include "vfs/core/preparation.h"
#include "vfs/overlayfs/work_directory.h"

namespace sandbox::vfs {

// Files with more data than this are not copied while the tree waits.
inline constexpr uint64_t kLargeFile = 4u << 20;  // bytes

// Lives as long as some call waits for it; what nobody took by then is removed.
class LargeCopy final : public Preparation {
 public:
  // Tree lock held. Errors: those of opening the source.
  static Result<std::shared_ptr<LargeCopy>> create(std::shared_ptr<WorkDirectory> work, HostName source);

  Result<void> run(const std::atomic<bool>& is_cancelled) override;
  bool is_done() const { return is_done_.load(std::memory_order_acquire); }
  // The finished copy, without attributes yet. is_done() must hold.
  WorkDirectory::Item& item() { return item_; }

 private:
  LargeCopy(std::shared_ptr<WorkDirectory> work, UniqueFd source)
      : work_(std::move(work)), source_(std::move(source)), item_(*work_) {
    item_.is_gone();
  }

  const std::shared_ptr<WorkDirectory> work_;
  const UniqueFd source_;
  std::mutex running_;
  WorkDirectory::Item item_;
  std::atomic<bool> is_done_{false};
};

}  // namespace sandbox::vfs
