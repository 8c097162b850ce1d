// Parsing of /proc/TID/status.
#include "sentry/task_status.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "sandbox/numbers.h"
#include "sandbox/unique_fd.h"

namespace sandbox {

namespace {

std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

template <typename Number>
Number last_number(std::string_view rest) {
  Number value = 0;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest))
    value = parse_number<Number>(word).value_or(0);
  return value;
}

}  // namespace

TaskStatus parse_task_status(std::string_view text) {
  TaskStatus status;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view key = line.substr(0, colon);
    std::string_view rest = line.substr(colon + 1);
    if (key == "Uid") {
      for (uint32_t& id : status.uids) id = parse_number<uint32_t>(next_word(rest)).value_or(0);
    } else if (key == "Gid") {
      for (uint32_t& id : status.gids) id = parse_number<uint32_t>(next_word(rest)).value_or(0);
    } else if (key == "Groups") {
      for (auto word = next_word(rest); !word.empty(); word = next_word(rest))
        status.groups.push_back(parse_number<uint32_t>(word).value_or(0));
    } else if (key == "CapEff") {
      status.effective_caps = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "CapPrm") {
      status.permitted_caps = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "PPid") {
      status.parent = parse_number<pid_t>(next_word(rest)).value_or(0);
    } else if (key == "Tgid") {
      status.tgid = parse_number<pid_t>(next_word(rest)).value_or(0);
    } else if (key == "NSpid") {
      status.inside_tid = last_number<pid_t>(rest);
    } else if (key == "NStgid") {
      status.inside_tgid = last_number<pid_t>(rest);
    } else if (key == "State") {
      std::string_view state = next_word(rest);
      if (!state.empty()) status.state = state[0];
    } else if (key == "SigPnd") {
      status.pending_signals = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "ShdPnd") {
      status.pending_group_signals = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "SigBlk") {
      status.blocked_signals = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "SigCgt") {
      status.caught_signals = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    } else if (key == "SigIgn") {
      status.ignored_signals = parse_number<uint64_t>(next_word(rest), 16).value_or(0);
    }
  }
  return status;
}

Result<TaskStatus> read_task_status(int host_proc, pid_t host_tid) {
  std::string path = fmt::format("{}/status", host_tid);
  UniqueFd file(::openat(host_proc, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return err(ESRCH);
  // Only Groups can make it longer, up to 65536 of them.
  std::string text(4096, '\0');
  size_t length = 0;
  // A file of one record is cut only by the buffer's end.
  for (bool is_cut = true; is_cut;) {
    if (length == text.size()) text.resize(text.size() * 2);
    ssize_t count = ::read(file.get(), text.data() + length, text.size() - length);
    if (count < 0) return err(ESRCH);
    length += count;
    is_cut = length == text.size();
  }
  return parse_task_status(std::string_view(text).substr(0, length));
}

Credentials credentials_in(const TaskStatus& status, const IdMap& uids, const IdMap& gids) {
  Credentials credentials;
  credentials.uid = uids.to_inside(status.uids[0]);
  credentials.euid = uids.to_inside(status.uids[1]);
  credentials.suid = uids.to_inside(status.uids[2]);
  credentials.fsuid = uids.to_inside(status.uids[3]);
  credentials.gid = gids.to_inside(status.gids[0]);
  credentials.egid = gids.to_inside(status.gids[1]);
  credentials.sgid = gids.to_inside(status.gids[2]);
  credentials.fsgid = gids.to_inside(status.gids[3]);
  for (uint32_t group : status.groups) credentials.groups.push_back(gids.to_inside(group));
  std::ranges::sort(credentials.groups);
  credentials.effective_caps = status.effective_caps;
  credentials.permitted_caps = status.permitted_caps;
  return credentials;
}

}  // namespace sandbox
