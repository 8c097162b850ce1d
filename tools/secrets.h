// Secrets: what `sandbox run` hides of the host when the host's own / is the sandbox's.
#pragma once

#include <string>
#include <vector>

#include "tools/run_options.h"

namespace sandbox::tools {

// The paths to mask, in the form of SandboxConfig::masked_paths: those of the table in secrets.cpp that
// exist, free of symbolic links. For an ordinary user these are in the own home; for root, who could read
// all of them, in every home of /etc/passwd, and some files of the system that only root can read.
// Where one of `binds` shows a masked path at a second place, that place is masked too.
// `shown` are the operands of --show: each reveals what lies at or below it. Fails when one of them, or
// the destination of a bind, lies inside a masked directory and so cannot be shown alone.
Parsed<std::vector<std::string>> secrets_to_mask(const std::vector<std::string>& shown,
                                                 const std::vector<BindMount>& binds);

// Variables of the environment that carry a credential or a way to one; --env NAME passes one on.
const std::vector<std::string>& secret_variables();

}  // namespace sandbox::tools
