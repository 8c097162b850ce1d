// Two readers of libarchive one behind the other: one decompresses, the other knows tar.
#include "tools/image/layer_stream.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sandbox::tools::image {

ArchivePtr new_tar_reader() {
  ArchivePtr reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_empty(reader.get());
  return reader;
}

std::string words_of(archive* reader) {
  const char* words = archive_error_string(reader);
  return words == nullptr ? "it is damaged" : words;
}

std::string member_name(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  std::string_view name = raw == nullptr ? "" : raw;
  for (bool is_first = true; is_first || name.starts_with("/") || name.starts_with("./"); is_first = false) {
    while (name.starts_with('/')) name.remove_prefix(1);
    while (name.starts_with("./")) name.remove_prefix(2);
  }
  while (name.ends_with('/')) name.remove_suffix(1);
  return std::string(name == "." ? "" : name);
}

Worded<void> LayerStream::find_member() {
  outer_ = new_tar_reader();
  // The position is shared with whoever read the archive before.
  ::lseek(blob_.file->get(), 0, SEEK_SET);
  if (archive_read_open_fd(outer_.get(), blob_.file->get(), kChunk) != ARCHIVE_OK)
    return std::unexpected(words_of(outer_.get()));
  archive_entry* entry = nullptr;
  for (;;) {
    int status = archive_read_next_header(outer_.get(), &entry);
    if (status == ARCHIVE_EOF) return std::unexpected("the archive has no " + blob_.member);
    if (status < ARCHIVE_WARN) return std::unexpected(words_of(outer_.get()));
    const bool is_file = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
    if (is_file && member_name(entry) == blob_.member) return {};
  }
}

la_ssize_t LayerStream::read_blob(archive* reader, void* self, const void** data) {
  auto& stream = *static_cast<LayerStream*>(self);
  char* chunk = stream.blob_chunk_->data();
  ssize_t count;
  if (stream.outer_) {
    count = archive_read_data(stream.outer_.get(), chunk, kChunk);
    if (count < 0) archive_set_error(reader, EIO, "%s", words_of(stream.outer_.get()).c_str());
  } else {
    do {
      count = ::pread(stream.blob_.file->get(), chunk, kChunk, stream.position_);
    } while (count < 0 && errno == EINTR);
    if (count < 0) archive_set_error(reader, errno, "%s", std::strerror(errno));
  }
  if (count < 0) return ARCHIVE_FATAL;
  stream.position_ += count;
  stream.blob_hash_.update(chunk, static_cast<size_t>(count));
  *data = chunk;
  return count;
}

la_ssize_t LayerStream::read_tar(archive* reader, void* self, const void** data) {
  auto& stream = *static_cast<LayerStream*>(self);
  char* chunk = stream.tar_chunk_->data();
  ssize_t count = archive_read_data(stream.plain_.get(), chunk, kChunk);
  if (count < 0) {
    archive_set_error(reader, EIO, "%s", words_of(stream.plain_.get()).c_str());
    return ARCHIVE_FATAL;
  }
  stream.tar_hash_.update(chunk, static_cast<size_t>(count));
  *data = chunk;
  return count;
}

Worded<void> LayerStream::open() {
  if (!blob_.member.empty())
    if (auto found = find_member(); !found) return found;
  plain_.reset(archive_read_new());
  archive_read_support_filter_gzip(plain_.get());
  archive_read_support_filter_zstd(plain_.get());
  archive_read_support_format_raw(plain_.get());
  archive_read_support_format_empty(plain_.get());
  archive_entry* whole = nullptr;
  if (archive_read_open(plain_.get(), this, nullptr, read_blob, nullptr) != ARCHIVE_OK)
    return std::unexpected(words_of(plain_.get()));
  if (int status = archive_read_next_header(plain_.get(), &whole);
      status != ARCHIVE_OK && status != ARCHIVE_EOF)
    return std::unexpected(words_of(plain_.get()));
  tar_.reset(archive_read_new());
  archive_read_support_format_tar(tar_.get());
  archive_read_support_format_empty(tar_.get());
  if (archive_read_open(tar_.get(), this, nullptr, read_tar, nullptr) != ARCHIVE_OK)
    return std::unexpected(words_of(tar_.get()));
  return {};
}

Worded<void> LayerStream::drain() {
  const void* data = nullptr;
  la_ssize_t count;
  while ((count = read_tar(tar_.get(), this, &data)) > 0) {
  }
  if (count < 0) return std::unexpected(words_of(tar_.get()));
  while ((count = read_blob(plain_.get(), this, &data)) > 0) {
  }
  if (count < 0) return std::unexpected(words_of(plain_.get()));
  return {};
}

}  // namespace sandbox::tools::image
