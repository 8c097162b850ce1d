// Copying and sending of datagrams (net/unix/af_unix.c: unix_dgram_sendmsg; net/core/scm.c).
#include "sentry/outgoing_message.h"

#include <linux/capability.h>
#include <sys/syscall.h>

#include <cstring>

#include "sentry/errand.h"
#include "sentry/sentry.h"

namespace sandbox {

namespace {

constexpr size_t kMaximumControl = 256 * 1024;  // net.core.optmem_max is less
constexpr size_t kMaximumPassed = 253;          // SCM_MAX_FD

// scm_check_creds: one may claim any of one's own ids, and others with the capability.
Result<void> check_claimed(Call& call, const ucred& claimed) {
  const Credentials& own = call.credentials();
  bool is_own_pid = claimed.pid == call.task().inside_ids(call.sentry().host_proc()).tgid;
  bool is_own_uid = claimed.uid == own.uid || claimed.uid == own.euid || claimed.uid == own.suid;
  bool is_own_gid = claimed.gid == own.gid || claimed.gid == own.egid || claimed.gid == own.sgid;
  bool may = (is_own_pid || own.has_capability(CAP_SYS_ADMIN)) &&
             (is_own_uid || own.has_capability(CAP_SETUID)) && (is_own_gid || own.has_capability(CAP_SETGID));
  if (!may) return err(EPERM);
  return {};
}

}  // namespace

Result<OutgoingMessage> OutgoingMessage::read(Call& call, int socket, const Source& source) {
  OutgoingMessage message(TRY(ActingIds::of(call)));
  TRY(message.read_control(call, source));
  TRY(message.read_data(call, socket, source));
  message.address_ = source.address;
  const std::string& path = source.address.path();
  if (source.address.is_path())
    message.target_ = TRY(call.vfs().connectable(call.caller(), TRY(call.base(kCwd, path)), path));
  return message;
}

Result<void> OutgoingMessage::read_data(Call& call, int socket, const Source& source) {
  int limit = 0;
  socklen_t size = sizeof limit;
  TRY(host_status(::getsockopt(socket, SOL_SOCKET, SO_SNDBUF, &limit, &size)));
  size_t total = 0;
  for (const iovec& vector : source.data) {
    if (static_cast<ssize_t>(vector.iov_len) < 0) return err(EINVAL);
    total += vector.iov_len;
    if (total > static_cast<size_t>(limit)) return err(EMSGSIZE);
  }
  data_.resize(total);
  auto rest = std::as_writable_bytes(std::span(data_));
  for (const iovec& vector : source.data) {
    TRY(call.memory().read_bytes(reinterpret_cast<uint64_t>(vector.iov_base), rest.first(vector.iov_len)));
    rest = rest.subspan(vector.iov_len);
  }
  return {};
}

Result<void> OutgoingMessage::read_control(Call& call, const Source& source) {
  if (source.control_size > kMaximumControl) return err(ENOBUFS);
  auto control = TRY(call.memory().read_array(source.control, source.control_size));
  for (size_t at = 0; at + sizeof(cmsghdr) <= control.size();) {
    cmsghdr item;
    std::memcpy(&item, control.data() + at, sizeof item);
    if (item.cmsg_len < sizeof item || item.cmsg_len > control.size() - at) return err(EINVAL);
    const std::byte* payload = control.data() + at + CMSG_LEN(0);
    size_t length = item.cmsg_len - CMSG_LEN(0);
    at += CMSG_ALIGN(item.cmsg_len);
    if (item.cmsg_level != SOL_SOCKET) continue;
    if (item.cmsg_type == SCM_CREDENTIALS) {
      ucred claimed;
      if (length != sizeof claimed) return err(EINVAL);
      std::memcpy(&claimed, payload, sizeof claimed);
      // Not sent on: the kernel adds the sender's own, and takes pids only of its own namespace.
      TRY(check_claimed(call, claimed));
      continue;
    }
    if (item.cmsg_type != SCM_RIGHTS) return err(EINVAL);
    std::vector<int> numbers(length / sizeof(int));
    std::memcpy(numbers.data(), payload, numbers.size() * sizeof(int));
    if (passed_.size() + numbers.size() > kMaximumPassed) return err(EINVAL);
    for (int number : numbers) passed_.push_back(TRY(call.descriptor(Fd{{number}})));
  }
  return {};
}

Result<int64_t> OutgoingMessage::send(int socket, int flags, Waiting waiting) const {
  UnixAddress target = address_of_descriptor(target_.get());
  sockaddr_storage other = address_.bytes();
  iovec vector{const_cast<char*>(data_.data()), data_.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (address_.length() != 0) {
    header.msg_name = target_ ? static_cast<void*>(&target.address) : &other;
    header.msg_namelen = target_ ? target.length : address_.length();
  }
  std::vector<int> numbers;
  for (const UniqueFd& fd : passed_) numbers.push_back(fd.get());
  size_t size = numbers.size() * sizeof(int);
  std::vector<std::byte> control(numbers.empty() ? 0 : CMSG_SPACE(size));
  if (!control.empty()) {
    cmsghdr item{.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    std::memcpy(control.data(), &item, sizeof item);
    std::memcpy(control.data() + CMSG_LEN(0), numbers.data(), size);
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  // A broken pipe's signal is for the caller; a datagram socket raises none.
  flags |= MSG_NOSIGNAL;
  if (waiting == Waiting::kNo) flags |= MSG_DONTWAIT;
  if (ids_.are_own()) return host_result(::sendmsg(socket, &header, flags));

  Errand errand;
  ids_.add_to(errand);
  errand.add(SYS_sendmsg, socket, &header, flags);
  Errand::Outcome outcome =
      waiting == Waiting::kNo ? TRY(errand.run_briefly()) : TRY(errand.run_interruptibly([](pid_t) {}));
  if (outcome.failed_step == errand.step_count()) return outcome.result;
  if (outcome.failed_step + 1 < errand.step_count()) return err(EACCES);
  return err(static_cast<int>(-outcome.result));
}

}  // namespace sandbox
