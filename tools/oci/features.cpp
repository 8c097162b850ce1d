// `features`: what this runtime supports, from the tables that decide it (runtime-spec features.md).
#include <fmt/format.h>

#include "tools/json_text.h"
#include "tools/oci/runtime.h"
#include "tools/seccomp_profile.h"

namespace sandbox::tools::oci {

Configured<int> command_features(const Runtime&, const Arguments&) {
  using Json = nlohmann::ordered_json;
  const Json seccomp{{"enabled", true},
                     {"actions", seccomp_action_names()},
                     {"operators", seccomp_operator_names()},
                     {"archs", seccomp_architecture_names()},
                     {"knownFlags", seccomp_flag_names()},
                     {"supportedFlags", seccomp_flag_names()}};
  const Json linux_part{
      {"namespaces", namespace_names()},
      {"capabilities", capability_names()},
      {"cgroup", {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}}},
      {"seccomp", seccomp},
      {"apparmor", {{"enabled", false}}},
      {"selinux", {{"enabled", false}}},
      {"intelRdt", {{"enabled", false}}},
      {"mountExtensions", {{"idmap", {{"enabled", true}}}}}};
  const Json document{{"ociVersionMin", "1.0.0"},
                      {"ociVersionMax", "1.3.0"},
                      {"hooks", {"prestart", "createRuntime", "createContainer", "poststart", "poststop"}},
                      {"mountOptions", mount_option_names()},
                      {"linux", linux_part}};
  fmt::print("{}\n", json_document(document));
  return 0;
}

}  // namespace sandbox::tools::oci
