// setns for each namespace; the user namespace gives rights that the others may need, or takes them away.
#include "sentry/oci/container_namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace sandbox::oci {

namespace {

using platform::NamespaceKind;

struct OpenedNamespace {
  const JoinedNamespace* wanted;
  UniqueFd fd;
};

std::unexpected<RunFailure> cannot_join(const JoinedNamespace& wanted, std::string reason,
                                        std::string advice) {
  return failure(fmt::format("join the {} namespace {}", name_of(wanted.kind), wanted.path),
                 std::move(reason), std::move(advice));
}

// What has no such kind is refused; of a FIFO in its place no writer is waited for.
Configured<OpenedNamespace> open_namespace(const JoinedNamespace& wanted) {
  UniqueFd fd(::open(wanted.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return cannot_join(wanted, reason_in_words(Errno::last()), "look whether its owner still runs");
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != clone_flag(wanted.kind))
    return cannot_join(wanted, "it is no namespace of that kind", "linux.namespaces of config.json");
  return OpenedNamespace{&wanted, std::move(fd)};
}

}  // namespace

Configured<void> enter_joined_namespaces(const std::vector<JoinedNamespace>& namespaces) {
  std::vector<OpenedNamespace> opened;
  for (const JoinedNamespace& wanted : namespaces) {
    auto one = open_namespace(wanted);
    if (!one) return std::unexpected(one.error());
    opened.push_back(*std::move(one));
  }
  auto is_user = [](const OpenedNamespace& one) { return one.wanted->kind == NamespaceKind::kUser; };
  // Those of the host have to be entered as the host's root, those of the user namespace's own only after it.
  std::vector<const OpenedNamespace*> later;
  for (const OpenedNamespace& one : opened) {
    if (is_user(one) || ::setns(one.fd.get(), clone_flag(one.wanted->kind)) == 0) continue;
    later.push_back(&one);
  }
  for (const OpenedNamespace& one : opened)
    if (is_user(one) && ::setns(one.fd.get(), CLONE_NEWUSER) < 0)
      return cannot_join(*one.wanted, reason_in_words(Errno::last()), "run it as who made the namespace");
  for (const OpenedNamespace* one : later)
    if (::setns(one->fd.get(), clone_flag(one->wanted->kind)) < 0)
      return cannot_join(*one->wanted, reason_in_words(Errno::last()), "run it as who made the namespace");
  return {};
}

}  // namespace sandbox::oci
