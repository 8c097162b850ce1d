// SocketPeers: for which process of the workload an errand connected a socket, as SO_PEERCRED must tell.
#pragma once

#include <sys/types.h>

#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace sandbox {

// The kernel keeps in a connected AF_UNIX socket the process that called connect. For a path that is an
// Errand, gone by now; its pid is the key. Safe from any thread.
class SocketPeers {
 public:
  struct Peer {
    pid_t tgid = 0;  // as the workload sees it
    pid_t host_tgid = 0;
    std::optional<std::pair<uid_t, gid_t>> ids;  // where the sentry keeps them
  };
  void add(pid_t errand, Peer peer);
  // The number is a new process's of the workload, or nothing was connected after all.
  void remove(pid_t errand);
  std::optional<Peer> find(pid_t errand) const;

 private:
  static constexpr size_t kMaximumRemembered = 32768;  // the oldest are forgotten: they show as pid 0
  mutable std::mutex lock_;
  std::unordered_map<pid_t, Peer> peers_;  // lock_
  std::deque<pid_t> order_;                // lock_; may name entries that are gone
};

}  // namespace sandbox
