// From a blob to a tree, in one pass.
#include "tools/image/unpack.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "sentry/failure.h"
#include "tools/image/confined_work.h"
#include "tools/image/tree_builder.h"
#include "tools/messages.h"

namespace sandbox::tools::image {
namespace {

constexpr uint64_t kMostContent = uint64_t{32} << 30;  // bytes
constexpr uint64_t kMostEntries = 2'000'000;

LayerLimits limits_for(int directory) {
  LayerLimits limits{.content_bytes = kMostContent, .entries = kMostEntries};
  struct statvfs status{};
  if (::fstatvfs(directory, &status) != 0) return limits;
  auto most_of = [](uint64_t free) { return free - free / 20; };
  limits.content_bytes = std::min(limits.content_bytes, most_of(status.f_bavail * status.f_frsize));
  // Some file systems have no fixed number of files.
  if (status.f_files != 0) limits.entries = std::min<uint64_t>(limits.entries, most_of(status.f_favail));
  return limits;
}

Worded<void> unpack(LayerStream& stream, TreeBuilder& builder) {
  TRY(stream.open());
  archive_entry* entry = nullptr;
  for (;;) {
    int status = archive_read_next_header(stream.tar(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return std::unexpected(words_of(stream.tar()));
    TRY(builder.add(stream.tar(), entry));
  }
  TRY(builder.finish());
  return stream.drain();
}

WorkResult unpack_verified(const Layer& layer, const Blob& blob, int directory, const LayerLimits& limits) {
  const bool is_root = ::geteuid() == 0;
  TreeBuilder builder(directory,
                      is_root ? TreeBuilder::Ownership::kNative : TreeBuilder::Ownership::kRecorded, limits);
  LayerStream stream(blob);
  TRY(unpack(stream, builder));
  if (Digest found = stream.blob_digest(); layer.digest && found != *layer.digest)
    return std::unexpected(fmt::format("it is not what its digest says: its own is {}", found.text()));
  if (Digest found = stream.diff_id(); found != layer.diff_id)
    return std::unexpected(
        fmt::format("its tar archive is not the {} that the configuration names: its own digest is {}",
                    layer.diff_id.text(), found.text()));
  return "";
}

}  // namespace

Parsed<void> unpack_layer(const Layer& layer, const Blob& blob, int directory) {
  const std::string doing = fmt::format("unpack the layer {}", printable(layer.path));
  if (layer.size && *layer.size != blob.size)
    return failure(doing, fmt::format("it has {} bytes, and its descriptor says {}", blob.size, *layer.size),
                   "make the image anew: it is damaged");
  const LayerLimits limits = limits_for(directory);
  auto unpacked = confined_work(directory, [&] { return unpack_verified(layer, blob, directory, limits); });
  if (unpacked) return {};
  return failure(doing, printable(unpacked.error()),
                 "make the image anew if it is damaged; look who made it if it is hostile; "
                 "`sandbox image prune` makes room");
}

}  // namespace sandbox::tools::image
