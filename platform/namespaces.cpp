// enter_sentry_namespaces: the user and mount namespace the sentry works in.
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdlib>
#include <sstream>

#include "platform/host_file.h"
#include "platform/id_map_files.h"
#include "platform/platform.h"

namespace sandbox::platform {

namespace {

// The ranges that /etc/subuid or /etc/subgid grants the user (subuid(5)); lines name a login or a number.
std::vector<IdMap::Range> granted_ranges(const char* path, uid_t user) {
  std::vector<IdMap::Range> ranges;
  auto text = read_host_file(path);
  if (!text) return ranges;
  const passwd* entry = getpwuid(user);
  const std::string login = entry != nullptr ? entry->pw_name : "";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    unsigned start = 0, count = 0;
    size_t colon = line.find(':');
    if (colon == std::string::npos || std::sscanf(line.c_str() + colon, ":%u:%u", &start, &count) != 2)
      continue;
    std::string owner = line.substr(0, colon);
    if ((owner == login || owner == std::to_string(user)) && count > 0)
      ranges.push_back({start, start, count});
  }
  return ranges;
}

// Runs newuidmap or newgidmap; false when it is missing or refuses.
bool run_map_tool(const char* tool, pid_t target, uint32_t own_id, const std::vector<IdMap::Range>& granted) {
  std::vector<std::string> words{tool, std::to_string(target), std::to_string(own_id), std::to_string(own_id),
                                 "1"};
  for (const IdMap::Range& range : granted) {
    for (uint32_t number : {range.inside, range.outside, range.count})
      words.push_back(std::to_string(number));
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDERR_FILENO);
    execvp(tool, argv.data());
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Every id this namespace has, under the same number.
Result<void> map_all(pid_t target, IdKind kind) {
  IdMap own = TRY(read_own_id_map(kind));
  return write_id_map(target, kind, id_map_lines(IdMap::identity(), own));
}

// Only the caller's own id. A group map without privilege needs setgroups given up first (CVE-2014-8989).
Result<void> map_single(pid_t target, IdKind kind) {
  if (kind == IdKind::kGroup) TRY(write_host_file(fmt::format("/proc/{}/setgroups", target), "deny"));
  uint32_t id = kind == IdKind::kUser ? geteuid() : getegid();
  // Everybody else's files show as kOverflowId: whoever has that id must not look like their owner.
  uint32_t inside = id == IdMap::kOverflowId ? id - 1 : id;
  return write_id_map(target, kind, fmt::format("{} {} 1\n", inside, id));
}

// Runs in the namespace that is the parent of `target`'s. The widest map that is granted.
Result<void> map_ids(pid_t target, IdKind kind) {
  if (geteuid() == 0 && map_all(target, kind)) return {};
  auto granted = granted_ranges(kind == IdKind::kUser ? "/etc/subuid" : "/etc/subgid", geteuid());
  const char* tool = kind == IdKind::kUser ? "newuidmap" : "newgidmap";
  uint32_t own_id = kind == IdKind::kUser ? geteuid() : getegid();
  if (!granted.empty() && run_map_tool(tool, target, own_id, granted)) return {};
  return map_single(target, kind);
}

int errno_of(const Result<void>& result) { return result ? 0 : result.error().value(); }

// A process that stays behind in the outer namespace, because only from there may more than one id be mapped.
[[noreturn]] void serve_mapping(int channel, pid_t target) {
  char go;
  if (read(channel, &go, 1) != 1) _exit(1);
  auto result = map_ids(target, IdKind::kUser);
  if (result) result = map_ids(target, IdKind::kGroup);
  int error = errno_of(result);
  _exit(write(channel, &error, sizeof error) == sizeof error ? 0 : 1);
}

Result<void> unshare_and_map(int channel) {
  TRY(host_status(unshare(CLONE_NEWUSER | CLONE_NEWNS)));
  int error = EIO;
  if (write(channel, "", 1) != 1 || read(channel, &error, sizeof error) != sizeof error) return err(EIO);
  if (error != 0) return err(error);
  return {};
}

}  // namespace

Result<SentryNamespaces> enter_sentry_namespaces() {
  int ends[2];
  TRY(host_status(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)));
  UniqueFd mine(ends[0]), theirs(ends[1]);
  const pid_t self = getpid();
  pid_t mapper = fork();
  if (mapper < 0) return last_error();
  if (mapper == 0) {
    mine.reset();
    serve_mapping(theirs.get(), self);
  }
  theirs.reset();
  auto entered = unshare_and_map(mine.get());
  mine.reset();
  waitpid(mapper, nullptr, 0);
  if (!entered) return std::unexpected(entered.error());
  TRY(host_status(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
  IdMap users = TRY(read_own_id_map(IdKind::kUser));
  IdMap groups = TRY(read_own_id_map(IdKind::kGroup));
  return SentryNamespaces{std::move(users), std::move(groups)};
}

}  // namespace sandbox::platform
