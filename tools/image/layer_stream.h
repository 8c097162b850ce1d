// LayerStream: a layer on its way from its blob, through decompression, to the entries of its tar archive.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <expected>
#include <memory>
#include <string>

#include "tools/image/digest.h"
#include "tools/image/image_files.h"

namespace sandbox::tools::image {

// What went wrong, in words.
template <typename T>
using Worded = std::expected<T, std::string>;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

// A reader of tar archives, plain or compressed by gzip or zstd, and of nothing else.
ArchivePtr new_tar_reader();
// "truncated gzip input"; a failed call's own words.
std::string words_of(archive* reader);
// An entry's name without "/" and "./" before it and "/" behind it; as it is otherwise.
std::string member_name(archive_entry* entry);

// Both digests are computed on the way, so that what was unpacked is what was named. Not to be moved.
class LayerStream {
 public:
  explicit LayerStream(const Blob& blob) : blob_(blob) {}
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

  // To be called first. Failures: the blob's archive has no such member; unknown formats.
  Worded<void> open();
  // At the tar archive's first entry; archive_read_next_header goes on.
  archive* tar() { return tar_.get(); }
  // Reads what is left behind the last entry.
  Worded<void> drain();
  // After drain().
  Digest blob_digest() { return blob_hash_.finish(); }
  Digest diff_id() { return tar_hash_.finish(); }

 private:
  static la_ssize_t read_blob(archive* reader, void* self, const void** data);
  static la_ssize_t read_tar(archive* reader, void* self, const void** data);
  Worded<void> find_member();

  static constexpr size_t kChunk = 256 << 10;
  const Blob& blob_;
  ArchivePtr outer_;  // the archive that the blob is a member of
  ArchivePtr plain_;  // decompresses
  ArchivePtr tar_;
  off_t position_ = 0;
  Sha256 blob_hash_, tar_hash_;
  std::unique_ptr<std::array<char, kChunk>> blob_chunk_ = std::make_unique<std::array<char, kChunk>>();
  std::unique_ptr<std::array<char, kChunk>> tar_chunk_ = std::make_unique<std::array<char, kChunk>>();
};

}  // namespace sandbox::tools::image
