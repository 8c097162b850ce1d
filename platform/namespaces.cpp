// enter_sentry_namespaces: the user and mount namespace the sentry works in.
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
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

// A process that stays behind in the outer namespace, because only from there may more than one id be mapped.
// It shares this one's memory, which is much cheaper than a copy: one waits while the other works.
class Mapper {
 public:
  // Errors: of socketpair(2), mmap(2), clone(2).
  Result<void> start() {
    int ends[2];
    TRY(host_status(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)));
    mine_ = UniqueFd(ends[0]);
    UniqueFd theirs(ends[1]);
    theirs_ = theirs.get();
    stack_ =
        mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack_ == MAP_FAILED) return last_error();
    process_ = clone([](void* self) { return static_cast<Mapper*>(self)->serve(); },
                     static_cast<char*>(stack_) + kStackSize, CLONE_VM | SIGCHLD, this);
    if (process_ < 0) return last_error();
    return {};  // theirs is now open in its descriptor table only
  }
  // Errors: those of writing the maps, EIO.
  Result<void> map() {
    if (write(mine_.get(), "", 1) != 1) return err(EIO);
    char done;
    if (read(mine_.get(), &done, 1) != 1) return err(EIO);
    return outcome_;
  }
  ~Mapper() {
    // It has a copy of our end, too: closing that would not tell it.
    if (process_ > 0) {
      shutdown(mine_.get(), SHUT_RDWR);
      waitpid(process_, nullptr, 0);
    }
    if (stack_ != MAP_FAILED) munmap(stack_, kStackSize);
  }

 private:
  static constexpr size_t kStackSize = 256 * 1024;

  int serve() {
    char go;
    if (read(theirs_, &go, 1) != 1) return 1;
    outcome_ = map_ids(target_, IdKind::kUser);
    if (outcome_) outcome_ = map_ids(target_, IdKind::kGroup);
    return write(theirs_, "", 1) == 1 ? 0 : 1;
  }

  const pid_t target_ = getpid();
  UniqueFd mine_;
  int theirs_ = -1;
  void* stack_ = MAP_FAILED;
  pid_t process_ = 0;
  Result<void> outcome_;
};

}  // namespace

Result<SentryNamespaces> enter_sentry_namespaces() {
  {
    Mapper mapper;
    TRY(mapper.start());
    TRY(host_status(unshare(CLONE_NEWUSER | CLONE_NEWNS)));
    TRY(mapper.map());
  }
  TRY(host_status(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
  IdMap users = TRY(read_own_id_map(IdKind::kUser));
  IdMap groups = TRY(read_own_id_map(IdKind::kGroup));
  return SentryNamespaces{std::move(users), std::move(groups)};
}

}  // namespace sandbox::platform
