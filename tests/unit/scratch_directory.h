// ScratchDirectory: a directory on a tmpfs that is removed with all below it when the test ends.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "sandbox/unique_fd.h"

namespace sandbox::test {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char name[] = "/dev/shm/sandbox-unit-XXXXXX";
    path_ = mkdtemp(name);
    chmod(name, 0755);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& below) const { return path_ + "/" + below; }
  UniqueFd open(const std::string& below = "") const {
    return UniqueFd(::open((path_ + "/" + below).c_str(), O_PATH | O_CLOEXEC));
  }
  void write(const std::string& below, const std::string& text) const {
    std::ofstream(*this / below) << text;
  }
  std::string read(const std::string& below) const {
    std::ifstream file(*this / below);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void make_directory(const std::string& below) const { std::filesystem::create_directories(*this / below); }
  bool exists(const std::string& below) const {
    struct stat status;
    return lstat((*this / below).c_str(), &status) == 0;
  }
  struct stat status(const std::string& below) const {
    struct stat status{};
    lstat((*this / below).c_str(), &status);
    return status;
  }

 private:
  std::string path_;
};

}  // namespace sandbox::test
