// connect(2) to a socket whose name is a file of the sandbox, and getsockopt(2) where it tells who connected.
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <csignal>
#include <tuple>

#include "sentry/acting_ids.h"
#include "sentry/calls/handlers.h"
#include "sentry/errand.h"
#include "sentry/parked_calls.h"
#include "sentry/socket_address.h"
#include "sentry/socket_peers.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace sandbox {

namespace {

// A connection-oriented connect: it may wait for room in the listener's queue, and the kernel keeps the ids
// and the process of whoever makes it for the other side to ask. So an errand makes it, with the caller's
// ids; SocketPeers knows for which process it was.
struct Connection {
  UniqueFd socket;
  UniqueFd target;
  ActingIds ids;
  SocketPeers::Peer peer;
  SocketPeers& peers;
};

SyscallResult connect_for(Connection& connection) {
  UnixAddress address = address_of_descriptor(connection.target.get());
  Errand errand;
  connection.ids.add_to(errand);
  // After the ids: changing them takes it back. A sentry that is killed leaves nobody waiting.
  errand.add(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  errand.add(SYS_connect, connection.socket.get(), &address.address, address.length);
  // Known before the other side can accept and ask.
  auto remember = [&](pid_t pid) { connection.peers.add(pid, connection.peer); };
  Errand::Outcome outcome = TRY(errand.run_interruptibly(remember));
  if (outcome.failed_step == errand.step_count()) return 0;
  connection.peers.remove(outcome.pid);
  if (outcome.failed_step + 1 < errand.step_count()) return err(EACCES);
  return err(static_cast<int>(-outcome.result));
}

Result<Reply> write_option(Call& call, OutBytes value, InOut<int> length_pointer,
                           std::span<const std::byte> bytes) {
  int length = TRY(call.memory().read(length_pointer));
  if (length < 0) return err(EINVAL);
  bytes = bytes.first(std::min<size_t>(bytes.size(), static_cast<size_t>(length)));
  TRY(call.memory().write_bytes(value.address, bytes));
  TRY(call.memory().write(length_pointer, static_cast<int>(bytes.size())));
  return 0;
}

Result<Reply> tell_peer_pidfd(Call& call, const SocketPeers::Peer& peer, OutBytes value, InOut<int> length) {
  UniqueFd pidfd(TRY(host_result(static_cast<int>(::syscall(SYS_pidfd_open, peer.host_tgid, 0)))));
  TaskPtr task = call.sentry().tasks().find(peer.host_tgid);
  if (!task || task->inside_ids(call.sentry().host_proc()).tgid != peer.tgid) return err(ESRCH);
  int number = TRY(call.intercepted().install(pidfd.get(), CloseOnExec::kYes));
  return write_option(call, value, length, std::as_bytes(std::span(&number, 1)));
}

}  // namespace

SyscallResult sys_connect(Call& call, Fd sockfd, InSockaddr pointer, Length length) {
  UniqueFd socket = TRY(call.descriptor(sockfd));
  SocketKind kind = TRY(socket_kind(socket.get()));
  SocketAddress address = TRY(SocketAddress::read(call.memory(), pointer.cast<const void>(), length));
  // See SocketAddress: no path of the workload's choice leads to anything in its empty root.
  if (kind.domain != AF_UNIX || !address.is_path()) return Reply::run_natively();

  const std::string& path = address.path();
  UniqueFd target = TRY(call.vfs().connectable(call.caller(), TRY(call.base(kCwd, path)), path));
  if (kind.type == SOCK_DGRAM) {
    // Never waits, and nobody is told who did it.
    UnixAddress where = address_of_descriptor(target.get());
    TRY(host_status(::connect(socket.get(), reinterpret_cast<sockaddr*>(&where.address), where.length)));
    return 0;
  }
  Sentry& sentry = call.sentry();
  ActingIds ids = TRY(ActingIds::of(call));
  SocketPeers::Peer peer{call.task().inside_ids(sentry.host_proc()).tgid, call.task().host_tgid(), {}};
  if (call.task().own_ids() != nullptr) peer.ids = {call.credentials().euid, call.credentials().egid};
  auto connection = std::make_shared<Connection>(std::move(socket), std::move(target), std::move(ids), peer,
                                                 sentry.socket_peers());
  return sentry.parked_calls().run(call, [connection] { return connect_for(*connection); });
}

// Only SO_PEERCRED and SO_PEERPIDFD come here.
SyscallResult sys_getsockopt(Call& call, Fd sockfd, SocketLevel, SocketOption option, OutOption value,
                             InOut<int> length) {
  UniqueFd socket = TRY(call.descriptor(sockfd));
  ucred credentials{};
  socklen_t size = sizeof credentials;
  TRY(host_status(::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size)));
  auto peer = call.sentry().socket_peers().find(credentials.pid);
  // The kernel's own answer is right for every other peer; the call only writes to the caller's memory.
  if (!peer) return Reply::run_natively();
  if (option == SO_PEERPIDFD) return tell_peer_pidfd(call, *peer, value, length);
  ucred shown{peer->tgid, call.sentry().uid_map().to_inside(credentials.uid),
              call.sentry().gid_map().to_inside(credentials.gid)};
  if (peer->ids) std::tie(shown.uid, shown.gid) = *peer->ids;
  return write_option(call, value, length, std::as_bytes(std::span(&shown, 1)));
}

}  // namespace sandbox
