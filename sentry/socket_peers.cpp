// The table of connections made by errands.
#include "sentry/socket_peers.h"

namespace sandbox {

void SocketPeers::add(pid_t errand, Peer peer) {
  std::lock_guard guard(lock_);
  peers_.insert_or_assign(errand, peer);
  order_.push_back(errand);
  if (order_.size() <= kMaximumRemembered) return;
  peers_.erase(order_.front());
  order_.pop_front();
}

void SocketPeers::remove(pid_t errand) {
  std::lock_guard guard(lock_);
  peers_.erase(errand);
}

std::optional<SocketPeers::Peer> SocketPeers::find(pid_t errand) const {
  std::lock_guard guard(lock_);
  auto found = peers_.find(errand);
  if (found == peers_.end()) return std::nullopt;
  return found->second;
}

}  // namespace sandbox
