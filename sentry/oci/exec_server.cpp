// Looking a program up, and letting the process that waits for it run it.
#include "sentry/oci/exec_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "sandbox/numbers.h"
#include "sentry/oci/container_control.h"
#include "sentry/program_lookup.h"

namespace sandbox::oci {

ExecServer::ExecServer(UniqueFd listener, UniqueFd devpts, Sentry& sentry, platform::Platform& platform)
    : listener_(std::move(listener)),
      devpts_(std::move(devpts)),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      sentry_(sentry),
      platform_(platform),
      thread_([this] { serve(); }) {}

ExecServer::~ExecServer() {
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void ExecServer::serve() {
  for (;;) {
    std::array<pollfd, 2> events{{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return;
    UniqueFd caller(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (caller) answer(caller);
  }
}

// Until the caller closes its end, or is silent for longer than any part of an exec takes.
void ExecServer::answer(const UniqueFd& caller) {
  constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(caller.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  for (;;) {
    auto packet = receive_packet(caller);
    if (!packet) return;
    if (packet->fields[0] == "terms") {
      if (!send_packet(caller, terms())) return;
      continue;
    }
    if (auto request = start_request_in(packet->fields[0])) {
      if (*request == StartRequest::kRelease && !platform_.release_first_task()) return;
      if (!send_packet(caller, {.fields = {packet->fields[0]}, .descriptors = {}})) return;
      continue;
    }
    auto pid = packet->fields.size() == 2 ? parse_number<pid_t>(packet->fields[1]) : std::nullopt;
    if (packet->fields[0] != "adopt" || !pid || packet->descriptors.size() != 2) return;
    auto words = words_of_memory(packet->descriptors[1]);
    auto request = words ? ExecRequest::parse(*words) : std::nullopt;
    if (!request) return;
    auto done = adopt(*pid, packet->descriptors[0], *request);
    const Packet reply = done ? Packet{.fields = {"adopted"}, .descriptors = {}} : packet_of(done.error());
    if (!send_packet(caller, reply)) return;
  }
}

Packet ExecServer::terms() const {
  const bool is_ptrace = platform_.engine() == platform::EngineKind::kPtrace;
  Packet packet{.fields = {"terms", is_ptrace ? "ptrace" : "notify"}, .descriptors = {}};
  packet.descriptors.emplace_back(::fcntl(devpts_.get(), F_DUPFD_CLOEXEC, 0));
  if (is_ptrace) packet.descriptors.emplace_back(::fcntl(platform_.reserved_socket(), F_DUPFD_CLOEXEC, 0));
  return packet;
}

Configured<void> ExecServer::adopt(pid_t process, const UniqueFd& channel, const ExecRequest& request) {
  Credentials credentials = Credentials::of(request.uid, request.gid, request.groups);
  credentials.effective_caps = request.effective_caps;
  credentials.permitted_caps = request.permitted_caps;
  vfs::Vfs& vfs = sentry_.vfs();
  const vfs::Caller setup{
      .root = vfs.root(), .cwd = vfs.root(), .credentials = credentials, .umask = request.umask};
  auto cwd = vfs.enter_directory(setup, setup.root, request.cwd, {});
  if (!cwd)
    return failure(fmt::format("enter the working directory {}", request.cwd), cwd.error(),
                   "a directory that exists inside");
  const vfs::Caller caller{
      .root = vfs.root(), .cwd = *cwd, .credentials = credentials, .umask = request.umask};
  std::string program = TRY(find_program(vfs, caller, request.program, request.environment));
  sentry_.add_first_task(process, {.fs = {.root = caller.root, .cwd = caller.cwd, .umask = request.umask},
                                   .no_new_privs = request.no_new_privs,
                                   .core_limit = request.core_limit});
  auto adopted = platform_.adopt(process, channel, program, request.argv, request.environment);
  if (adopted) return {};
  sentry_.on_thread_exit(process, 0);
  return failure("make the process a part of the container", adopted.error(),
                 "look whether the container still runs");
}

}  // namespace sandbox::oci
