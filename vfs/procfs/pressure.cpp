// pressure/: the kernel's own files where it measures the workload's group, so that triggers work
// (Documentation/accounting/psi.rst); text otherwise.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "vfs/procfs/context.h"

namespace sandbox::vfs {
namespace {

constexpr const char* kResources[] = {"cpu", "io", "memory"};

class PressureFile : public Inode {
 public:
  PressureFile(Procfs& procfs, const char* name) : Inode(procfs, S_IFREG), procfs_(procfs), name_(name) {}

  // Device and number are the host's: fstat of what open gives tells them too.
  Result<Attributes> getattr() override {
    UniqueFd file = TRY(procfs_.resources().open_pressure(name_, O_PATH));
    Attributes attributes = {};
    TRY(host_status(::statx(file.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &attributes)));
    attributes.stx_mode = S_IFREG | 0666;
    attributes.stx_uid = attributes.stx_gid = 0;
    return attributes;
  }
  Result<UniqueFd> open(const Caller&, int flags) override {
    constexpr int kHarmless = O_ACCMODE | O_NONBLOCK | O_PATH;
    return procfs_.resources().open_pressure(name_, flags & kHarmless);
  }

 private:
  Procfs& procfs_;
  const char* name_;
};

}  // namespace

void add_pressure(Procfs& procfs, FixedDirectory& root) {
  FixedDirectory& directory = root.directory_at("pressure");
  for (const char* name : kResources) {
    auto own = procfs.resources().open_pressure(name, O_PATH);
    struct stat status;
    if (own && ::fstat(own->get(), &status) == 0) {
      procfs.note_native(status.st_dev, status.st_ino, fmt::format("/pressure/{}", name));
      directory.add(name, std::make_shared<PressureFile>(procfs, name));
    } else {
      directory.add(name, std::make_shared<GeneratedFile>(
                              procfs, directory.inode_for(name), 0444,
                              [&procfs, name](const Caller*) { return procfs.resources().pressure(name); }));
    }
  }
}

}  // namespace sandbox::vfs
