// Attributes and descriptors of the host's own files.
#include "vfs/synthetic/native_file.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace sandbox::vfs {

Result<Attributes> NativeFile::getattr() {
  UniqueFd file = TRY(opener_(O_PATH));
  Attributes attributes = {};
  TRY(host_status(::statx(file.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &attributes)));
  attributes.stx_mode = static_cast<uint16_t>(S_IFREG | permissions_);
  attributes.stx_uid = attributes.stx_gid = 0;
  return attributes;
}

Result<UniqueFd> NativeFile::open(const Caller&, int flags) {
  constexpr int kHarmless = O_ACCMODE | O_NONBLOCK | O_PATH;
  return opener_(flags & kHarmless);
}

}  // namespace sandbox::vfs
