// unpack_layer: fills a directory with one layer, verified.
#pragma once

#include "tools/image/image.h"

namespace sandbox::tools::image {

// Into the empty directory open as `directory`, in a confined process. What a layer may take at most: 32 GiB
// of content, two million entries, and of what is free on the file system nineteen parts in twenty.
// Failures, and then the directory holds what must be thrown away: the blob's or the tar archive's digest is
// not what the image says; what TreeBuilder refuses; a damaged archive; a full disk.
Parsed<void> unpack_layer(const Layer& layer, const Blob& blob, int directory);

}  // namespace sandbox::tools::image
