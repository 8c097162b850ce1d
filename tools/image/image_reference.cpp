// Taking `--image` apart.
#include "tools/image/image_reference.h"

#include <fmt/format.h>
#include <unistd.h>

#include "sentry/failure.h"
#include "tools/messages.h"

namespace sandbox::tools::image {
namespace {

constexpr const char* kForms = "--image oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]";

}  // namespace

Parsed<ImageReference> parse_image_reference(const std::string& text) {
  using Transport = ImageReference::Transport;
  constexpr std::pair<std::string_view, Transport> kTransports[] = {
      {"oci:", Transport::kOciLayout},
      {"oci-archive:", Transport::kOciArchive},
      {"docker-archive:", Transport::kDockerArchive},
  };
  const std::string doing = fmt::format("use the image {}", printable(text));
  for (const auto& [prefix, transport] : kTransports) {
    if (!text.starts_with(prefix)) continue;
    const std::string rest = text.substr(prefix.size());
    if (rest.empty() || rest.find('\0') != rest.npos) break;
    for (size_t end = rest.size(); end != 0 && end != rest.npos; end = rest.rfind(':', end - 1)) {
      std::string path = rest.substr(0, end);
      if (::access(path.c_str(), F_OK) != 0) continue;
      return ImageReference{transport, path, end == rest.size() ? "" : rest.substr(end + 1)};
    }
    return failure(doing, Errno(ENOENT),
                   "correct the path, or make one: skopeo copy docker://debian oci:debian");
  }
  return failure(doing, "it begins with none of oci:, oci-archive: and docker-archive:", kForms);
}

}  // namespace sandbox::tools::image
