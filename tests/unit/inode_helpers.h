// Short forms of Inode calls for tests of file systems that are used without a Vfs.
#pragma once

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "vfs/core/filesystem.h"

namespace sandbox::test {

using namespace sandbox::vfs;

inline const Credentials kRoot{.effective_caps = ~uint64_t{0}};
inline Caller caller() { return Caller{{}, {}, kRoot}; }

template <typename T>
T must(Result<T> result) {
  if (!result) FAIL("unexpected " << result.error().name());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
template <typename T>
int error_of(const Result<T>& result) {
  return result ? 0 : result.error().value();
}

// Walks "a/b/c" without symbolic links.
inline Result<InodePtr> find(const InodePtr& root, const std::string& path) {
  InodePtr at = root;
  for (size_t begin = 0; begin < path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    at = TRY(at->lookup(std::string_view(path).substr(begin, end - begin)));
    begin = end + 1;
  }
  return at;
}
inline std::string read_all(int fd) {
  std::string text(65536, '\0');
  ssize_t length = pread(fd, text.data(), text.size(), 0);
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return text;
}
inline std::string content(const InodePtr& file) {
  UniqueFd fd = must(file->open(caller(), O_RDONLY));
  return read_all(fd.get());
}
inline std::vector<std::string> names(const InodePtr& directory) {
  std::vector<std::string> result;
  for (const DirectoryEntry& entry : must(directory->list(caller()))) result.push_back(entry.name);
  std::sort(result.begin(), result.end());
  return result;
}
inline NewNode node(mode_t mode) { return NewNode{.mode = mode, .uid = getuid(), .gid = getgid()}; }
inline dev_t device_of(const Attributes& attributes) {
  return makedev(attributes.stx_dev_major, attributes.stx_dev_minor);
}

}  // namespace sandbox::test
