// Waiting for descriptors: poll, select, epoll, eventfd, inotify, fanotify.
#include <linux/fanotify.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>

#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kPollEvents[] = {NAME(POLLIN),     NAME(POLLPRI),    NAME(POLLOUT),    NAME(POLLERR),
                                NAME(POLLHUP),    NAME(POLLNVAL),   NAME(POLLRDNORM), NAME(POLLRDBAND),
                                NAME(POLLWRNORM), NAME(POLLWRBAND), NAME(POLLMSG),    NAME(POLLREMOVE),
                                NAME(POLLRDHUP)};
constexpr Name kEpollEvents[] = {
    NAME(EPOLLIN),     NAME(EPOLLPRI),       NAME(EPOLLOUT),    NAME(EPOLLRDNORM),  NAME(EPOLLRDBAND),
    NAME(EPOLLWRNORM), NAME(EPOLLWRBAND),    NAME(EPOLLMSG),    NAME(EPOLLERR),     NAME(EPOLLHUP),
    NAME(EPOLLRDHUP),  NAME(EPOLLEXCLUSIVE), NAME(EPOLLWAKEUP), NAME(EPOLLONESHOT), NAME(EPOLLET)};
constexpr Name kEpollOperations[] = {NAME(EPOLL_CTL_ADD), NAME(EPOLL_CTL_MOD), NAME(EPOLL_CTL_DEL)};
constexpr Name kEpollFlags[] = {NAME(EPOLL_CLOEXEC)};
constexpr Name kEventFdFlags[] = {NAME(EFD_SEMAPHORE), NAME(EFD_CLOEXEC), NAME(EFD_NONBLOCK)};
constexpr Name kInotifyFlags[] = {NAME(IN_CLOEXEC), NAME(IN_NONBLOCK)};
constexpr Name kInotifyMask[] = {
    NAME(IN_ACCESS),        NAME(IN_MODIFY),      NAME(IN_ATTRIB),      NAME(IN_CLOSE_WRITE),
    NAME(IN_CLOSE_NOWRITE), NAME(IN_OPEN),        NAME(IN_MOVED_FROM),  NAME(IN_MOVED_TO),
    NAME(IN_CREATE),        NAME(IN_DELETE),      NAME(IN_DELETE_SELF), NAME(IN_MOVE_SELF),
    NAME(IN_UNMOUNT),       NAME(IN_Q_OVERFLOW),  NAME(IN_IGNORED),     NAME(IN_ONLYDIR),
    NAME(IN_DONT_FOLLOW),   NAME(IN_EXCL_UNLINK), NAME(IN_MASK_CREATE), NAME(IN_MASK_ADD),
    NAME(IN_ISDIR),         NAME(IN_ONESHOT)};
constexpr Name kFanotifyFlags[] = {NAME(FAN_CLOEXEC),           NAME(FAN_NONBLOCK),
                                   NAME(FAN_CLASS_CONTENT),     NAME(FAN_CLASS_PRE_CONTENT),
                                   NAME(FAN_UNLIMITED_QUEUE),   NAME(FAN_UNLIMITED_MARKS),
                                   NAME(FAN_ENABLE_AUDIT),      NAME(FAN_REPORT_PIDFD),
                                   NAME(FAN_REPORT_TID),        NAME(FAN_REPORT_FID),
                                   NAME(FAN_REPORT_DIR_FID),    NAME(FAN_REPORT_NAME),
                                   NAME(FAN_REPORT_TARGET_FID), {"FAN_REPORT_FD_ERROR", 0x2000},
                                   {"FAN_REPORT_MNT", 0x4000}};
constexpr Name kFanotifyMarkFlags[] = {NAME(FAN_MARK_ADD),
                                       NAME(FAN_MARK_REMOVE),
                                       NAME(FAN_MARK_DONT_FOLLOW),
                                       NAME(FAN_MARK_ONLYDIR),
                                       NAME(FAN_MARK_MOUNT),
                                       NAME(FAN_MARK_IGNORED_MASK),
                                       NAME(FAN_MARK_IGNORED_SURV_MODIFY),
                                       NAME(FAN_MARK_FLUSH),
                                       NAME(FAN_MARK_FILESYSTEM),
                                       NAME(FAN_MARK_EVICTABLE),
                                       NAME(FAN_MARK_IGNORE),
                                       {"FAN_MARK_MNTNS", 0x110}};
constexpr Name kFanotifyMask[] = {NAME(FAN_ACCESS),
                                  NAME(FAN_MODIFY),
                                  NAME(FAN_ATTRIB),
                                  NAME(FAN_CLOSE_WRITE),
                                  NAME(FAN_CLOSE_NOWRITE),
                                  NAME(FAN_OPEN),
                                  NAME(FAN_MOVED_FROM),
                                  NAME(FAN_MOVED_TO),
                                  NAME(FAN_CREATE),
                                  NAME(FAN_DELETE),
                                  NAME(FAN_DELETE_SELF),
                                  NAME(FAN_MOVE_SELF),
                                  NAME(FAN_OPEN_EXEC),
                                  NAME(FAN_Q_OVERFLOW),
                                  NAME(FAN_FS_ERROR),
                                  NAME(FAN_OPEN_PERM),
                                  NAME(FAN_ACCESS_PERM),
                                  NAME(FAN_OPEN_EXEC_PERM),
                                  {"FAN_PRE_ACCESS", 0x100000},
                                  {"FAN_MNT_ATTACH", 0x1000000},
                                  {"FAN_MNT_DETACH", 0x2000000},
                                  NAME(FAN_EVENT_ON_CHILD),
                                  NAME(FAN_RENAME),
                                  NAME(FAN_ONDIR)};

// ---- poll ----
struct PollEntries {
  std::vector<pollfd> entries;
  bool is_cut = false;
};

std::optional<PollEntries> read_poll_set(Scope& scope, uint64_t address, uint64_t count) {
  // More than are shown: after the call the ready ones may be anywhere.
  constexpr size_t kMostRead = 1024;
  PollEntries set;
  set.entries.resize(std::min<uint64_t>(count, scope.is_exit() ? kMostRead : scope.options().array_elements));
  const size_t readable =
      scope.read_some(address, std::as_writable_bytes(std::span(set.entries))) / sizeof(pollfd);
  if (readable == 0 && count != 0) return std::nullopt;
  set.entries.resize(readable);
  set.is_cut = readable < count;
  return set;
}

Value show_poll_set(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit() && scope.result() == 0) {
    scope.remark({}, Value::word("Timeout"));
    return {};
  }
  if (source.number == 0) return scope.is_exit() ? Value{} : Value::address(0);
  const auto set = read_poll_set(scope, source.number, scope.argument_after());
  if (!set) return scope.is_exit() ? Value{} : Value::address(source.number);
  Value array = Value::array();
  for (const pollfd& entry : set->entries) {
    if (scope.is_exit() && entry.revents == 0) continue;
    if (array.members.size() == scope.options().array_elements) {
      array.is_cut = true;
      break;
    }
    Value part = Value::structure();
    part.add("fd", scope.descriptor(entry.fd));
    const auto events = static_cast<uint16_t>(scope.is_exit() ? entry.revents : entry.events);
    if (scope.is_exit() || entry.fd >= 0)
      part.add(scope.is_exit() ? "revents" : "events", flags_value(events, kPollEvents, "POLL???"));
    array.add(std::move(part));
  }
  array.is_cut |= set->is_cut && !scope.is_exit();
  if (!scope.is_exit()) return array;
  scope.remark({}, std::move(array));
  return {};
}

// ---- select ----
std::optional<Value> descriptor_set(Scope& scope, uint64_t address, int64_t count) {
  constexpr int64_t kMost = 1 << 16, kBits = 64;
  count = std::clamp<int64_t>(count, 0, kMost);
  std::vector<uint64_t> words(static_cast<size_t>((count + kBits - 1) / kBits));
  if (!scope.read(address, std::as_writable_bytes(std::span(words)))) return std::nullopt;
  Value set;
  set.kind = Value::Kind::kSet;
  for (int64_t i = 0; i < count; ++i)
    if ((words[static_cast<size_t>(i / kBits)] >> (i % kBits)) & 1)
      set.add(scope.descriptor(static_cast<int>(i)));
  return set;
}

// Before the call in its place, after it (the ready ones) among the remarks.
Value show_descriptor_set(Scope& scope, const Type&, const Source& source) {
  static constexpr const char* kNames[] = {"", "in", "out", "except"};
  if (source.number == 0) return scope.is_exit() ? Value{} : Value::address(0);
  if (scope.is_exit() && scope.result() == 0) return {};
  auto set = descriptor_set(scope, source.number, static_cast<int>(scope.argument(0)));
  if (!scope.is_exit()) return set ? std::move(*set) : Value::address(source.number);
  size_t index = 1;
  while (index < 3 && scope.argument(index) != source.number) ++index;
  if (set && !set->members.empty()) scope.remark(kNames[index], std::move(*set));
  return {};
}

// ---- epoll ----
Value event_value(const epoll_event& event) {
  Value data = Value::structure();
  data.add("u32", Value::natural(event.data.u32));
  data.add("u64", Value::natural(event.data.u64));
  Value value = Value::structure();
  value.add("events", flags_value(event.events, kEpollEvents, "EPOLL???"));
  value.add("data", std::move(data));
  return value;
}

Value show_epoll_event(Scope&, const Type&, const Source& source) {
  epoll_event event;
  std::memcpy(&event, source.bytes.data(), sizeof event);
  return event_value(event);
}

Value show_epoll_change(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0 || scope.argument(1) == EPOLL_CTL_DEL) return Value::address(source.number);
  const auto event = scope.read<epoll_event>(source.number);
  return event ? event_value(*event) : Value::address(source.number);
}

constexpr Type kTypes[] = {
    {"PollSet", show_poll_set, 0, kPollEvents},
    {"DescriptorSet", show_descriptor_set},
    {"struct epoll_event", show_epoll_event, sizeof(epoll_event), kEpollEvents},
    {"EpollEventPtr", show_epoll_change},
    {"EpollOperation", show_choice, 4, kEpollOperations, "EPOLL_CTL_???"},
    {"EpollFlags", show_flags, 4, kEpollFlags, "EPOLL_???"},
    {"EventFdFlags", show_flags, 4, kEventFdFlags, "EFD_???"},
    {"InotifyFlags", show_flags, 4, kInotifyFlags, "IN_???"},
    {"InotifyMask", show_flags, 4, kInotifyMask, "IN_???"},
    {"FanotifyFlags", show_flags, 4, kFanotifyFlags, "FAN_???"},
    {"FanotifyMarkFlags", show_flags, 4, kFanotifyMarkFlags, "FAN_MARK_???"},
    {"FanotifyMask", show_flags, 8, kFanotifyMask, "FAN_???"},
};

}  // namespace

Family poll_family() { return {kTypes}; }

}  // namespace sandbox::trace
