// Opening what is no trap, and entering it.
#include "sentry/oci/container_namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace sandbox::oci {

namespace {

using platform::OpenNamespace;

std::unexpected<RunFailure> cannot_join(const JoinedNamespace& wanted, std::string reason,
                                        std::string advice) {
  return failure(fmt::format("join the {} namespace {}", name_of(wanted.kind), wanted.path),
                 std::move(reason), std::move(advice));
}

// What has no such kind is refused; of a FIFO in its place no writer is waited for.
Configured<OpenNamespace> open_namespace(const JoinedNamespace& wanted) {
  UniqueFd fd(::open(wanted.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return cannot_join(wanted, reason_in_words(Errno::last()), "look whether its owner still runs");
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != clone_flag(wanted.kind))
    return cannot_join(wanted, "it is no namespace of that kind", "linux.namespaces of config.json");
  return OpenNamespace{wanted.kind, std::move(fd)};
}

}  // namespace

Configured<UniqueFd> enter_joined_namespaces(const std::vector<JoinedNamespace>& namespaces) {
  std::vector<OpenNamespace> opened;
  UniqueFd for_children;
  for (const JoinedNamespace& wanted : namespaces) {
    OpenNamespace found = TRY(open_namespace(wanted));
    if (wanted.kind == platform::NamespaceKind::kPid)
      for_children = std::move(found.fd);
    else
      opened.push_back(std::move(found));
  }
  platform::NamespaceKind refused;
  auto entered = platform::enter_namespaces(opened, refused);
  if (entered) return for_children;
  const auto wanted = std::ranges::find(namespaces, refused, &JoinedNamespace::kind);
  return cannot_join(*wanted, reason_in_words(entered.error()), "run it as who made the namespace");
}

}  // namespace sandbox::oci
