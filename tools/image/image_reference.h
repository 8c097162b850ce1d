// ImageReference: which image of which file, as `--image` names it.
#pragma once

#include <string>

#include "tools/run_options.h"

namespace sandbox::tools::image {

struct ImageReference {
  enum class Transport {
    kOciLayout,      // a directory (OCI image layout)
    kOciArchive,     // the same in a tar file
    kDockerArchive,  // what `docker save` writes
  } transport;
  std::string path;  // of the host
  std::string name;  // a tag; empty: the only image there
};

// oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME[:TAG]]. A path with colons in it is
// understood: of the beginnings that end before a colon, or at the end, the longest that exists is meant.
Parsed<ImageReference> parse_image_reference(const std::string& text);

}  // namespace sandbox::tools::image
