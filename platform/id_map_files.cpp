// The id maps of user namespaces as text.
#include "platform/id_map_files.h"

#include <fmt/format.h>

#include <sstream>

#include "platform/host_file.h"

namespace sandbox::platform {

namespace {
const char* file_name(IdKind kind) { return kind == IdKind::kUser ? "uid_map" : "gid_map"; }
}  // namespace

Result<IdMap> read_own_id_map(IdKind kind) {
  std::string text = TRY(read_host_file(fmt::format("/proc/self/{}", file_name(kind))));
  std::istringstream lines(text);
  std::vector<IdMap::Range> ranges;
  IdMap::Range range;
  while (lines >> range.inside >> range.outside >> range.count) ranges.push_back(range);
  if (!lines.eof()) return err(EINVAL);
  return IdMap(std::move(ranges));
}

std::string id_map_lines(const IdMap& wanted, const IdMap& own) {
  std::string lines;
  const IdMap possible = wanted.within(own);
  for (const IdMap::Range& range : possible.ranges())
    lines += fmt::format("{} {} {}\n", range.inside, range.outside, range.count);
  return lines;
}

Result<void> write_id_map(pid_t pid, IdKind kind, const std::string& lines) {
  return write_host_file(fmt::format("/proc/{}/{}", pid, file_name(kind)), lines);
}

}  // namespace sandbox::platform
