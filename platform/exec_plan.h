// ExecPlan: an ExecImage as the bytes the loader carries out.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "platform/exec_image.h"
#include "platform/loader/loader_abi.h"

namespace sandbox::platform {

// Descriptor numbers in the workload under which the loader finds the files.
struct InstalledObjects {
  int program = -1;
  int interpreter = -1;  // when the image has one
};

// Errors: E2BIG: the plan does not fit kLoaderPlanCapacity (no image that read_elf accepted and whose
// strings are paths comes near).
Result<std::vector<std::byte>> build_exec_plan(const ExecImage& image, const InstalledObjects& installed,
                                               const std::optional<rlimit>& nofile_to_restore);

}  // namespace sandbox::platform
