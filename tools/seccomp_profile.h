// Seccomp profiles as JSON, in the form of an OCI configuration's linux.seccomp.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "platform/seccomp_profile.h"
#include "tools/run_options.h"

namespace sandbox::tools {

// `doing` opens the error's message: "use the seccomp profile app.json". Members that the specification does
// not have are refused where they would change what the profile means.
Parsed<platform::SeccompProfile> parse_seccomp_profile(const nlohmann::ordered_json& document,
                                                       const std::string& doing);
// Also ready to be installed.
Parsed<std::shared_ptr<const platform::SeccompFilter>> compile_seccomp_profile(
    const nlohmann::ordered_json& document, const std::string& doing);
Parsed<std::shared_ptr<const platform::SeccompFilter>> read_seccomp_filter(const std::string& path);

// The words of the specification that are understood.
std::vector<std::string> seccomp_action_names();
std::vector<std::string> seccomp_operator_names();
std::vector<std::string> seccomp_architecture_names();
std::vector<std::string> seccomp_flag_names();

// The JSON in a file. Errors: it cannot be read, is no JSON, or no object.
Parsed<nlohmann::ordered_json> read_json_object(const std::string& path, const std::string& doing);

}  // namespace sandbox::tools
