// provide_image: from the words of `--image` to what a run needs of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/image/image.h"

namespace sandbox::tools::image {

struct ProvidedImage {
  ImageConfig config;
  std::vector<std::string> trees;    // host directories, the topmost layer first, the store's base last
  std::shared_ptr<const void> held;  // while it lives the trees stay
};

// Reads, verifies, unpacks what is missing, and remembers the image in the store.
Parsed<ProvidedImage> provide_image(const std::string& reference);

// What is started, by docker's rules: the entrypoint and then `typed`, or else the image's command. An
// entrypoint that was typed, even an empty one, makes both of the image's own void.
// Failures: nothing is left to start.
Parsed<std::vector<std::string>> program_of(const ImageConfig& config,
                                            const std::optional<std::string>& entrypoint,
                                            std::vector<std::string> typed);

}  // namespace sandbox::tools::image
