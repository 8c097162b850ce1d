// Temporary names of the upper layer and how they end.
#include "vfs/overlayfs/work_directory.h"

#include <cstdio>

namespace sandbox::vfs {
namespace {

Result<std::vector<std::string>> names_in(int directory) {
  std::vector<std::string> names;
  TRY(host_list(directory, [&](const char* name, uint64_t, uint8_t) {
    names.emplace_back(name);
    return true;
  }));
  return names;
}

}  // namespace

Result<void> remove_host_tree(HostName name) {
  if (unlinkat(name.directory, name.name, 0) == 0) return {};
  if (errno != EISDIR && errno != EPERM) return last_error();
  // Depth first with a stack of our own: the depth is whatever somebody made.
  struct Level {
    UniqueFd directory;
    std::vector<std::string> names;
  };
  std::vector<Level> levels;
  UniqueFd top = TRY(host_open(name, O_PATH | O_DIRECTORY));
  std::vector<std::string> names = TRY(names_in(top.get()));
  levels.push_back({std::move(top), std::move(names)});
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.names.empty()) {
      levels.pop_back();
      HostName finished = name;
      if (!levels.empty()) finished = {levels.back().directory.get(), levels.back().names.back().c_str()};
      TRY(host_status(unlinkat(finished.directory, finished.name, AT_REMOVEDIR)));
      if (!levels.empty()) levels.back().names.pop_back();
      continue;
    }
    HostName entry{level.directory.get(), level.names.back().c_str()};
    if (unlinkat(entry.directory, entry.name, 0) == 0) {
      level.names.pop_back();
      continue;
    }
    UniqueFd below = TRY(host_open(entry, O_PATH | O_DIRECTORY));
    std::vector<std::string> below_names = TRY(names_in(below.get()));
    levels.push_back({std::move(below), std::move(below_names)});
  }
  return {};
}

Result<void> WorkDirectory::clear() {
  for (const std::string& name : TRY(names_in(directory_.get()))) {
    TRY(remove_host_tree({directory_.get(), name.c_str()}));
  }
  return {};
}

WorkDirectory::Item::Item(WorkDirectory& work) : work_(work) {
  snprintf(name_, sizeof name_, "#%llx", static_cast<unsigned long long>(work.next_.fetch_add(1)));
}

WorkDirectory::Item::~Item() { remove(); }

void WorkDirectory::Item::remove() {
  // What cannot be removed is found by the next start.
  if (is_present_) (void)remove_host_tree(host());
  is_present_ = false;
}

Result<void> WorkDirectory::Item::move_to(HostName target, unsigned flags) {
  TRY(host_status(renameat2(work_.descriptor(), name_, target.directory, target.name, flags)));
  is_present_ = (flags & RENAME_EXCHANGE) != 0;
  return {};
}

Result<void> WorkDirectory::Item::take(HostName source) {
  TRY(host_status(renameat2(source.directory, source.name, work_.descriptor(), name_, 0)));
  is_present_ = true;
  return {};
}

}  // namespace sandbox::vfs
