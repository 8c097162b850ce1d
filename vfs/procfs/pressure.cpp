// pressure/: the kernel's own files where it measures the workload's group, so that triggers work
// (Documentation/accounting/psi.rst); text otherwise.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/native_file.h"

namespace sandbox::vfs {
namespace {

constexpr const char* kResources[] = {"cpu", "io", "memory"};

}  // namespace

void add_pressure(Procfs& procfs, FixedDirectory& root) {
  FixedDirectory& directory = root.directory_at("pressure");
  for (const char* name : kResources) {
    auto own = procfs.resources().open_pressure(name, O_PATH);
    struct stat status;
    if (own && ::fstat(own->get(), &status) == 0) {
      procfs.note_native(status.st_dev, status.st_ino, fmt::format("/pressure/{}", name));
      directory.add(name, std::make_shared<NativeFile>(procfs, 0666, [&procfs, name](int flags) {
                      return procfs.resources().open_pressure(name, flags);
                    }));
    } else {
      directory.add(name, std::make_shared<GeneratedFile>(
                              procfs, directory.inode_for(name), 0444,
                              [&procfs, name](const Caller*) { return procfs.resources().pressure(name); }));
    }
  }
}

}  // namespace sandbox::vfs
