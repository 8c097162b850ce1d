// `run` of a bundle: create, start and, in the foreground, wait and delete.
#include <sys/socket.h>
#include <sys/wait.h>

#include "tools/messages.h"
#include "tools/oci/creation.h"
#include "tools/oci/foreground.h"

namespace sandbox::tools::oci {

using namespace nlohmann::literals;

Configured<int> command_run(const Runtime& runtime, const Arguments& arguments) {
  CreateOptions options = TRY(read_create_options(arguments));
  const std::string id = options.id;
  const bool is_detached = arguments.has("detach");
  UniqueFd console;
  if (!is_detached && options.console_socket.empty()) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
      return failure("take the container's terminal", Errno::last(), "free some descriptors");
    console = UniqueFd(ends[0]);
    options.own_console = UniqueFd(ends[1]);
  }
  ContainerRecord record = TRY(create_container(runtime, std::move(options)));
  auto started = start_container(runtime, id);
  if (!started) {
    (void)delete_container(runtime, id, Force::kYes);
    return std::unexpected(started.error());
  }
  if (is_detached) return 0;
  auto document = TRY(runtime.store.find(id, ContainerStore::Lock::kNone)).config();
  const bool has_terminal = document && document->value("/process/terminal"_json_pointer, false);
  if (!has_terminal) console.reset();
  const int exit_code = wait_in_foreground(record.pid, std::move(console));
  if (!arguments.has("keep")) {
    auto deleted = delete_container(runtime, id, Force::kYes);
    if (!deleted) report(deleted.error());
  }
  ::waitpid(record.sentry, nullptr, WNOHANG);
  return exit_code;
}

}  // namespace sandbox::tools::oci
