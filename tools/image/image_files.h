// ImageFiles: the files that an image is kept in, in a directory or in an archive.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "sandbox/unique_fd.h"
#include "tools/image/image_reference.h"

namespace sandbox::tools::image {

// What a layer is read from.
struct Blob {
  std::shared_ptr<UniqueFd> file;  // open for reading, at any position
  std::string member;              // of the archive `file`; empty: the file itself
  uint64_t size = 0;               // bytes
};

class ImageFiles {
 public:
  // No text of an image is larger: index, manifest, configuration.
  static constexpr uint64_t kLargestText = 4 << 20;  // bytes

  virtual ~ImageFiles() = default;
  // The whole of a small file. Failures: it is missing, larger than kLargestText, or no regular file.
  virtual Parsed<std::string> text(const std::string& path) = 0;
  virtual Parsed<Blob> blob(const std::string& path) = 0;
  virtual bool has(const std::string& path) = 0;

  // Failures: the path is not what the reference says; an archive that is none.
  static Parsed<std::unique_ptr<ImageFiles>> open(const ImageReference& reference);
};

}  // namespace sandbox::tools::image
