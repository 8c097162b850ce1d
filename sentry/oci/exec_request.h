// ExecRequest: a further process of a running container, as `exec` asks the container's sentry for it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "platform/platform.h"
#include "sandbox/credentials.h"
#include "sentry/failure.h"
#include "sentry/task.h"

namespace sandbox::oci {

struct ExecRequest {
  std::string program;  // a path, or a name to look for in PATH
  std::vector<std::string> argv, environment;
  std::string cwd;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  uint64_t permitted_caps = 0, effective_caps = 0;
  mode_t umask = 022;
  NoNewPrivs no_new_privs = NoNewPrivs::kSet;
  rlimit core_limit{};

  // A list of words, and back. Nothing when the words are none of these.
  std::vector<std::string> words() const;
  static std::optional<ExecRequest> parse(const std::vector<std::string>& words);
};

// What the process needs to get ready.
struct JoinTerms {
  platform::EngineKind engine = platform::EngineKind::kNotify;
  UniqueFd reserved_socket;  // not open: the engine has none
  UniqueFd devpts;           // the container's terminals
};

// `exec`'s side of a connection to the sentry. Errors: EPIPE: it is gone.
Result<JoinTerms> ask_for_terms(const UniqueFd& socket);
// The sentry makes the process that waits at the other end of `channel` a part of the container. What it
// refuses is a failure in its words.
Configured<void> ask_to_adopt(const UniqueFd& socket, pid_t process, const UniqueFd& channel,
                              const ExecRequest& request);

}  // namespace sandbox::oci
