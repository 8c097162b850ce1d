// The way of a Preparation from the node that needs it, past everything in between, to who may wait for it.
#include "vfs/core/preparation.h"

#include <utility>

namespace sandbox::vfs {
namespace {

thread_local std::shared_ptr<Preparation> needed;

}  // namespace

std::unexpected<Errno> prepare_first(std::shared_ptr<Preparation> preparation) {
  needed = std::move(preparation);
  return std::unexpected(kPrepareFirst);
}

std::shared_ptr<Preparation> take_preparation() { return std::exchange(needed, nullptr); }

}  // namespace sandbox::vfs
