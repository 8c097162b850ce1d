// Image: what an image's index, manifest and configuration say, read and checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/image/digest.h"
#include "tools/image/image_files.h"

namespace sandbox::tools::image {

struct Layer {
  std::string path;              // of its blob among the image's files
  std::optional<Digest> digest;  // of the blob; docker's archives have none
  std::optional<uint64_t> size;  // of the blob, where the image says it
  Digest diff_id;                // of the tar archive in it
};

// config of the OCI image configuration. Volumes, ExposedPorts, Labels, StopSignal and docker's own
// Healthcheck and OnBuild have no effect here.
struct ImageConfig {
  std::vector<std::string> environment, entrypoint, command;
  std::string user, working_directory;
};

struct Image {
  Digest id;                  // of the configuration, as docker has it
  std::vector<Layer> layers;  // the lowest first
  ImageConfig config;
};

// The image that `name` means: the OCI annotation org.opencontainers.image.ref.name, or one of docker's
// RepoTags (":latest" may be left out); empty: the only one. Of several platforms linux/amd64 is taken.
// Failures, each with what there is instead: no or several images of that name, another platform, a digest or
// size that does not fit, a form that is not known, encrypted layers.
Parsed<Image> read_image(ImageFiles& files, const ImageReference& reference);

}  // namespace sandbox::tools::image
