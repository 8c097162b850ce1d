// The words of a request, and the runtime's side of asking.
#include "sentry/oci/exec_request.h"

#include <fcntl.h>

#include "sandbox/numbers.h"
#include "sentry/oci/packet.h"

namespace sandbox::oci {

namespace {

// Takes words off the front; is false once they were not what they should be.
class WordReader {
 public:
  explicit WordReader(const std::vector<std::string>& words) : words_(words) {}
  explicit operator bool() const { return is_good_; }
  std::string text() {
    is_good_ &= next_ < words_.size();
    return is_good_ ? words_[next_++] : std::string();
  }
  template <typename Number>
  Number number() {
    auto number = parse_number<Number>(text());
    is_good_ &= number.has_value();
    return number.value_or(0);
  }
  std::vector<std::string> list() {
    std::vector<std::string> words;
    for (size_t count = number<size_t>(); is_good_ && count > 0; --count) words.push_back(text());
    return words;
  }

 private:
  const std::vector<std::string>& words_;
  size_t next_ = 0;
  bool is_good_ = true;
};

void append_list(std::vector<std::string>& words, const std::vector<std::string>& list) {
  words.push_back(std::to_string(list.size()));
  words.insert(words.end(), list.begin(), list.end());
}

}  // namespace

std::vector<std::string> ExecRequest::words() const {
  std::vector<std::string> words{program,
                                 cwd,
                                 std::to_string(uid),
                                 std::to_string(gid),
                                 std::to_string(permitted_caps),
                                 std::to_string(effective_caps),
                                 std::to_string(umask),
                                 std::to_string(static_cast<int>(no_new_privs)),
                                 std::to_string(core_limit.rlim_cur),
                                 std::to_string(core_limit.rlim_max)};
  std::vector<std::string> numbers;
  for (gid_t group : groups) numbers.push_back(std::to_string(group));
  append_list(words, numbers);
  append_list(words, argv);
  append_list(words, environment);
  return words;
}

std::optional<ExecRequest> ExecRequest::parse(const std::vector<std::string>& words) {
  WordReader reader(words);
  ExecRequest request;
  request.program = reader.text();
  request.cwd = reader.text();
  request.uid = reader.number<uid_t>();
  request.gid = reader.number<gid_t>();
  request.permitted_caps = reader.number<uint64_t>();
  request.effective_caps = reader.number<uint64_t>();
  request.umask = reader.number<mode_t>();
  request.no_new_privs = reader.number<int>() == 0 ? NoNewPrivs::kUnset : NoNewPrivs::kSet;
  request.core_limit.rlim_cur = reader.number<rlim_t>();
  request.core_limit.rlim_max = reader.number<rlim_t>();
  for (const std::string& number : reader.list())
    request.groups.push_back(parse_number<gid_t>(number).value_or(0));
  request.argv = reader.list();
  request.environment = reader.list();
  if (!reader) return std::nullopt;
  return request;
}

Result<JoinTerms> ask_for_terms(const UniqueFd& socket) {
  TRY(send_packet(socket, {.fields = {"terms"}, .descriptors = {}}));
  Packet answer = TRY(receive_packet(socket));
  if (answer.fields.size() != 2 || answer.fields[0] != "terms" || answer.descriptors.empty())
    return err(EPIPE);
  JoinTerms terms;
  terms.devpts = std::move(answer.descriptors[0]);
  if (answer.fields[1] == "ptrace") {
    if (answer.descriptors.size() != 2) return err(EPIPE);
    terms.engine = platform::EngineKind::kPtrace;
    terms.reserved_socket = std::move(answer.descriptors[1]);
  }
  return terms;
}

Configured<void> ask_to_adopt(const UniqueFd& socket, pid_t process, const UniqueFd& channel,
                              const ExecRequest& request) {
  const auto is_gone = [](Errno error) {
    return failure("reach the container's sentry", error, "look whether the container still runs");
  };
  auto memory = words_in_memory(request.words());
  if (!memory) return is_gone(memory.error());
  Packet packet{.fields = {"adopt", std::to_string(process)}, .descriptors = {}};
  packet.descriptors.emplace_back(::fcntl(channel.get(), F_DUPFD_CLOEXEC, 0));
  packet.descriptors.push_back(*std::move(memory));
  if (auto sent = send_packet(socket, packet); !sent) return is_gone(sent.error());
  auto answer = receive_packet(socket);
  if (!answer) return is_gone(answer.error());
  if (answer->fields[0] == "adopted") return {};
  return std::unexpected(failure_in(*answer));
}

}  // namespace sandbox::oci
