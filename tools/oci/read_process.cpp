// The process part of config.json, which `exec --process` reads as well.
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include <algorithm>

#include "sentry/oci/resource_limits.h"
#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

namespace {

constexpr Word<unsigned> kPolicies[] = {
    {"SCHED_OTHER", SCHED_NORMAL},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
    {"SCHED_ISO", 4},
};
constexpr Word<uint64_t> kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};
// linux/ioprio.h is no C++.
constexpr int kIoClassShift = 13;
constexpr Word<int> kIoClasses[] = {
    {"IOPRIO_CLASS_BE", 2},
    {"IOPRIO_CLASS_RT", 1},
    {"IOPRIO_CLASS_IDLE", 3},
};

// A name that this kernel does not have cannot be given; runtimes leave it out.
uint64_t read_capability_set(const JsonNode& node) {
  uint64_t set = 0;
  for (const JsonNode& item : node.items()) {
    const std::string name = item.text();
    auto number = capability_number(name);
    if (number)
      set |= uint64_t{1} << *number;
    else if (name.starts_with("CAP_"))
      item.warn(fmt::format("`{}` is not known here, and not given", name));
    else
      item.fail(fmt::format("`{}` is no capability", name));
  }
  return set;
}

std::vector<platform::ResourceLimit> read_limits(const JsonNode& node) {
  std::vector<platform::ResourceLimit> limits;
  for (const JsonNode& item : node.items()) {
    const std::string name = item["type"].text();
    auto resource = resource_number(name);
    platform::ResourceLimit limit{resource.value_or(0),
                                  {item["soft"].unsigned_number(), item["hard"].unsigned_number()}};
    if (!resource) item["type"].fail(fmt::format("`{}` is no resource limit", name));
    if (limit.limit.rlim_cur > limit.limit.rlim_max) item.fail("the soft limit is above the hard one");
    if (std::ranges::find(limits, limit.resource, &platform::ResourceLimit::resource) != limits.end())
      item.fail(fmt::format("{} is there twice", name));
    limits.push_back(limit);
  }
  return limits;
}

Scheduler read_scheduler(const JsonNode& node) {
  Scheduler scheduler{.policy = choose(node["policy"], kPolicies)};
  for (const JsonNode& flag : node["flags"].items()) scheduler.flags |= choose(flag, kSchedulerFlags);
  scheduler.nice = static_cast<int>(node["nice"] ? node["nice"].number_between(-20, 19) : 0);
  scheduler.priority = static_cast<int>(node["priority"] ? node["priority"].number_between(0, 99) : 0);
  scheduler.runtime = node["runtime"].unsigned_number();
  scheduler.deadline = node["deadline"].unsigned_number();
  scheduler.period = node["period"].unsigned_number();
  return scheduler;
}

uint32_t read_id(const JsonNode& node) {
  return node ? static_cast<uint32_t>(node.number_between(0, UINT32_MAX - 1)) : 0;
}

void read_console(const JsonNode& size, Process& process) {
  if (!size || !process.has_terminal) return;
  process.console_height = static_cast<unsigned short>(size["height"].number_between(0, UINT16_MAX));
  process.console_width = static_cast<unsigned short>(size["width"].number_between(0, UINT16_MAX));
}

}  // namespace

std::vector<std::string> capability_names() {
  std::vector<std::string> names;
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    char* name = ::cap_to_name(number);
    std::string text = name ? name : "";
    ::cap_free(name);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
    names.push_back(std::move(text));
  }
  return names;
}

std::optional<int> capability_number(const std::string& name) {
  static const std::vector<std::string> names = capability_names();
  auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

Process read_process(const JsonNode& node) {
  Process process;
  process.args = node["args"].texts();
  process.env = node["env"].texts();
  process.cwd = node["cwd"].text();
  if (node && process.args.empty()) node["args"].fail("there is no program in it");
  if (node && !process.cwd.starts_with('/')) node["cwd"].fail("it is no absolute path");
  for (const std::string& variable : process.env)
    if (variable.find('=') == variable.npos || variable.starts_with('='))
      node["env"].fail(fmt::format("`{}` is no NAME=VALUE", variable));

  const JsonNode user = node["user"];
  process.user.uid = read_id(user["uid"]);
  process.user.gid = read_id(user["gid"]);
  for (const JsonNode& group : user["additionalGids"].items()) process.user.groups.push_back(read_id(group));
  if (user["umask"]) process.umask = static_cast<mode_t>(user["umask"].number_between(0, 0777));

  const JsonNode capabilities = node["capabilities"];
  process.capabilities = {.bounding = read_capability_set(capabilities["bounding"]),
                          .permitted = read_capability_set(capabilities["permitted"]),
                          .effective = read_capability_set(capabilities["effective"]),
                          .inheritable = read_capability_set(capabilities["inheritable"]),
                          .ambient = read_capability_set(capabilities["ambient"])};
  process.limits = read_limits(node["rlimits"]);
  process.has_terminal = node["terminal"].is_true();
  read_console(node["consoleSize"], process);
  if (node["oomScoreAdj"])
    process.oom_score_adj = static_cast<int>(node["oomScoreAdj"].number_between(-1000, 1000));
  if (const JsonNode priority = node["ioPriority"])
    process.io_priority = choose(priority["class"], kIoClasses) << kIoClassShift |
                          static_cast<int>(priority["priority"].number_between(0, 7));
  if (node["scheduler"]) process.scheduler = read_scheduler(node["scheduler"]);
  // No process here gains any; this is what it is told.
  process.no_new_privs = node["noNewPrivileges"].is_true() ? NoNewPrivs::kSet : NoNewPrivs::kUnset;
  process.initial_cpus = read_number_list(node["execCPUAffinity"]["initial"]);
  process.final_cpus = read_number_list(node["execCPUAffinity"]["final"]);
  node["apparmorProfile"].refuse("AppArmor profiles are not applied", "apparmor=unconfined");
  node["selinuxLabel"].refuse("SELinux labels are not applied", "label=disable");
  return process;
}

}  // namespace sandbox::tools::oci
