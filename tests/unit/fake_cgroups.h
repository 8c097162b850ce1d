// FakeCgroups: a CgroupView whose hierarchies and files a test chooses.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "sandbox/cgroup_view.h"

namespace sandbox::test {

class FakeCgroups : public CgroupView {
 public:
  const std::vector<CgroupHierarchy>& hierarchies() override { return shown; }
  Result<std::vector<CgroupFile>> files(size_t hierarchy) override {
    std::vector<CgroupFile> all;
    for (const auto& [name, text] : texts[hierarchy]) all.push_back(*file(hierarchy, name));
    return all;
  }
  Result<CgroupFile> file(size_t hierarchy, std::string_view name) override {
    if (!texts[hierarchy].contains(std::string(name))) return err(ENOENT);
    return CgroupFile{std::string(name), 0644, name.ends_with(".events")};
  }
  Result<UniqueFd> open(size_t hierarchy, std::string_view name, int) override {
    std::string text = TRY(read(hierarchy, name));
    UniqueFd file(::memfd_create("group", MFD_CLOEXEC));
    if (::write(file.get(), text.data(), text.size()) < 0) return last_error();
    return file;
  }
  Result<std::string> read(size_t hierarchy, std::string_view name) override {
    if (is_gone) return err(ENODEV);
    auto found = texts[hierarchy].find(std::string(name));
    if (found == texts[hierarchy].end()) return err(ENOENT);
    return found->second;
  }

  std::vector<CgroupHierarchy> shown;
  std::map<size_t, std::map<std::string, std::string>> texts;
  bool is_gone = false;
};

inline CgroupHierarchy unified_at(std::optional<std::string> directory) {
  return {.version = CgroupHierarchy::Version::kV2, .directory = std::move(directory)};
}
inline CgroupHierarchy v1_hierarchy(int number, const std::string& controllers) {
  return {.version = CgroupHierarchy::Version::kV1,
          .number = number,
          .controllers = controllers,
          .directory = controllers};
}

}  // namespace sandbox::test
