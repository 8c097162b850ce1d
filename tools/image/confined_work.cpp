// A child with Landlock, without privileges, and with the sentry's own filter.
#include "tools/image/confined_work.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <csignal>

#include "sandbox/unique_fd.h"
#include "sandbox/write_all.h"
#include "sentry/self_confinement.h"

namespace sandbox::tools::image {
namespace {

constexpr size_t kLongestText = size_t{64} << 20;
constexpr char kDone = '+', kFailed = '-';

// Not in Debian 12's headers.
constexpr uint64_t kAccessRefer = 1 << 13, kAccessTruncate = 1 << 14;

// Linux before 5.19 cannot allow a hard link from one directory to another: then there is no such wall.
void allow_only(int directory) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 2) return;
  landlock_ruleset_attr attributes{.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
  attributes.handled_access_fs |= kAccessRefer;
  if (version >= 3) attributes.handled_access_fs |= kAccessTruncate;
  UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return;
  constexpr uint64_t kUseless = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK;
  landlock_path_beneath_attr below{.allowed_access = attributes.handled_access_fs & ~kUseless,
                                   .parent_fd = directory};
  if (directory >= 0) ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &below, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::syscall(SYS_landlock_restrict_self, rules.get(), 0);
}

[[noreturn]] void work_confined(int directory, const std::function<WorkResult()>& work, int answer,
                                pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(1);
  // Names in archives are bytes; the reader converts none of them where the locale's are UTF-8.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  allow_only(directory);
  WorkResult result = std::unexpected<std::string>("the process that reads it cannot be confined");
  if (confine_sentry()) result = work();
  const bool is_done = result.has_value();
  if (!write_all(answer, std::string_view(is_done ? &kDone : &kFailed, 1))) ::_exit(1);
  ::_exit(write_all(answer, is_done ? *result : result.error()) ? 0 : 1);
}

}  // namespace

WorkResult confined_work(int directory, const std::function<WorkResult()>& work) {
  auto failed = [](Errno error) { return std::unexpected(reason_in_words(error)); };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(Errno::last());
  UniqueFd reading(ends[0]), writing(ends[1]);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return failed(Errno::last());
  if (child == 0) work_confined(directory, work, writing.get(), parent);
  writing.reset();
  std::string answer;
  char chunk[65536];
  while (answer.size() <= kLongestText) {
    ssize_t count = ::read(reading.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    answer.append(chunk, static_cast<size_t>(count));
  }
  reading.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || answer.empty())
    return std::unexpected<std::string>("the process that reads it died");
  const bool is_done = answer.front() == kDone;
  answer.erase(0, 1);
  if (is_done) return answer;
  return std::unexpected(answer.empty() ? "it failed without a word" : std::move(answer));
}

}  // namespace sandbox::tools::image
