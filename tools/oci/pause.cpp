// `pause` and `resume`: every process of a container stops, and goes on.
#include "sentry/cgroup/freezer.h"
#include "tools/oci/runtime.h"

namespace sandbox::tools::oci {

namespace {

Configured<int> change(const Runtime& runtime, const Arguments& arguments, bool (*is_right)(Status),
                       const char* doing,
                       Configured<void> (*act)(const cgroup::CgroupDirectories&, const std::string&)) {
  std::string id = TRY(container_id(arguments));
  ContainerDirectory directory = TRY(runtime.store.find(id, ContainerStore::Lock::kExclusive));
  ContainerRecord record = TRY(directory.record());
  if (const Status status = status_of(record); !is_right(status))
    return failure(fmt::format("{} the container {}", doing, id), fmt::format("it is {}", name_of(status)),
                   "sandbox state");
  TRY(act(ContainerGroups::at(record.group_path).directories(), id));
  return 0;
}

}  // namespace

Configured<int> command_pause(const Runtime& runtime, const Arguments& arguments) {
  auto can_stop = [](Status status) { return status == Status::kCreated || status == Status::kRunning; };
  return change(runtime, arguments, can_stop, "pause", cgroup::freeze);
}

Configured<int> command_resume(const Runtime& runtime, const Arguments& arguments) {
  return change(
      runtime, arguments, [](Status status) { return status == Status::kPaused; }, "resume", cgroup::thaw);
}

}  // namespace sandbox::tools::oci
