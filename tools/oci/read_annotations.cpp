// Annotations that choose how the sandbox works. None makes it weaker: whoever made the image may have
// written them.
#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

namespace {

constexpr std::string_view kPrefix = "dev.sandbox.";

void read_platform(const JsonNode& node, Bundle& bundle) {
  const std::string value = node.text();
  if (value == "notify")
    bundle.engine = platform::EngineKind::kNotify;
  else if (value == "ptrace")
    bundle.engine = platform::EngineKind::kPtrace;
  else if (value != "auto")
    node.fail(fmt::format("`{}` is no platform", value), "auto, notify or ptrace");
}

void read_overlay(const JsonNode& node, Bundle& bundle) {
  const std::string value = node.text();
  if (value == "memory")
    bundle.overlay = SandboxConfig::Overlay::kMemory;
  else if (value != "none")
    node.fail(fmt::format("`{}` is no place for the changes of the root", value), "none or memory");
}

void read_file_access(const JsonNode& node, Bundle& bundle) {
  const std::string value = node.text();
  if (value == "exclusive")
    bundle.root_access = ContainerConfig::RootAccess::kExclusive;
  else if (value != "shared")
    node.fail(fmt::format("`{}` is no access to the root", value), "shared or exclusive");
}

}  // namespace

void read_annotations(const JsonNode& node, Bundle& bundle) {
  bundle.annotations = node.text_map();
  for (const auto& [key, value] : bundle.annotations) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    if (name == "platform")
      read_platform(node[key.c_str()], bundle);
    else if (name == "overlay")
      read_overlay(node[key.c_str()], bundle);
    else if (name == "file-access")
      read_file_access(node[key.c_str()], bundle);
    else
      node[key.c_str()].fail("there is no such choice",
                             "dev.sandbox.platform, dev.sandbox.overlay or dev.sandbox.file-access");
  }
}

}  // namespace sandbox::tools::oci
