// Directories, locks and records of containers.
#include "tools/oci/container_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "platform/host_file.h"
#include "sandbox/write_all.h"
#include "sentry/cgroup/freezer.h"
#include "sentry/lifecycle/sandbox_record.h"
#include "sentry/oci/container_groups.h"
#include "tools/json_text.h"
#include "tools/messages.h"

namespace sandbox::tools::oci {

namespace {

constexpr const char *kRecord = "record.json", *kConfig = "config.json", *kLock = "lock";
constexpr const char* kPhases[] = {"creating", "created", "started"};

std::unexpected<RunFailure> no_container(const std::string& id, std::string reason) {
  return failure(fmt::format("find the container {}", printable(id)), std::move(reason),
                 "sandbox list, with the same --root");
}

Result<void> make_directories(const std::string& path) {
  for (size_t end = 0; end != path.npos;) {
    end = path.find('/', end + 1);
    if (::mkdir(path.substr(0, end).c_str(), 0700) < 0 && errno != EEXIST) {
      // A directory above that may only be read is no obstacle.
      struct stat status{};
      Errno error = Errno::last();
      if (::stat(path.substr(0, end).c_str(), &status) < 0) return std::unexpected(error);
    }
  }
  return {};
}

}  // namespace

const char* name_of(Status status) {
  switch (status) {
    case Status::kCreating:
      return "creating";
    case Status::kCreated:
      return "created";
    case Status::kRunning:
      return "running";
    case Status::kPaused:
      return "paused";
    case Status::kStopped:
      return "stopped";
  }
  return "stopped";
}

Status status_of(const ContainerRecord& record) {
  if (record.phase == ContainerRecord::Phase::kCreating)
    return lifecycle::is_alive(record.sentry, record.sentry_start) || record.sentry == 0 ? Status::kCreating
                                                                                         : Status::kStopped;
  if (!lifecycle::is_alive(record.pid, record.pid_start)) return Status::kStopped;
  if (cgroup::is_frozen(sandbox::oci::ContainerGroups::at(record.group_path).directories()))
    return Status::kPaused;
  return record.phase == ContainerRecord::Phase::kCreated ? Status::kCreated : Status::kRunning;
}

nlohmann::ordered_json state_document(const ContainerRecord& record, Status status) {
  nlohmann::ordered_json document{{"ociVersion", record.oci_version},
                                  {"id", record.id},
                                  {"pid", status == Status::kStopped ? 0 : record.pid},
                                  {"status", name_of(status)},
                                  {"bundle", record.bundle},
                                  {"rootfs", record.rootfs},
                                  {"created", record.created}};
  document["annotations"] = record.annotations;
  document["owner"] = record.owner;
  return document;
}

Configured<ContainerRecord> ContainerDirectory::record() const {
  nlohmann::json document =
      TRY(read_json_file(fmt::format("/proc/self/fd/{}/{}", directory_.get(), kRecord)));
  Problems problems;
  const JsonNode node(&document, "", problems);
  ContainerRecord record{.id = id_,
                         .oci_version = node["ociVersion"].text(),
                         .bundle = node["bundle"].text(),
                         .rootfs = node["rootfs"].text(),
                         .created = node["created"].text(),
                         .owner = node["owner"].text(),
                         .annotations = node["annotations"].text_map(),
                         .group_path = node["groupPath"].text(),
                         .made_groups = node["madeGroups"].texts(),
                         .pid = static_cast<pid_t>(node["pid"].number()),
                         .sentry = static_cast<pid_t>(node["sentry"].number()),
                         .pid_start = node["pidStart"].unsigned_number(),
                         .sentry_start = node["sentryStart"].unsigned_number()};
  auto phase = std::ranges::find(kPhases, node["phase"].text());
  if (phase == std::end(kPhases))
    node["phase"].fail("it is unknown");
  else
    record.phase = static_cast<ContainerRecord::Phase>(phase - std::begin(kPhases));
  if (!problems.is_empty()) return std::unexpected(problems.first());
  return record;
}

Configured<void> ContainerDirectory::save(const ContainerRecord& record) const {
  nlohmann::ordered_json document{{"ociVersion", record.oci_version},
                                  {"bundle", record.bundle},
                                  {"rootfs", record.rootfs},
                                  {"created", record.created},
                                  {"owner", record.owner},
                                  {"annotations", record.annotations},
                                  {"groupPath", record.group_path},
                                  {"madeGroups", record.made_groups},
                                  {"pid", record.pid},
                                  {"pidStart", record.pid_start},
                                  {"sentry", record.sentry},
                                  {"sentryStart", record.sentry_start},
                                  {"phase", kPhases[static_cast<size_t>(record.phase)]}};
  return write_file(kRecord, json_document(document));
}

Configured<void> ContainerDirectory::save_config(const nlohmann::json& config) const {
  return write_file(kConfig, config.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Configured<nlohmann::json> ContainerDirectory::config() const {
  return read_json_file(fmt::format("/proc/self/fd/{}/{}", directory_.get(), kConfig));
}

Configured<void> ContainerDirectory::write_file(const char* name, const std::string& text) const {
  const std::string fresh = fmt::format("{}.new", name);
  UniqueFd file(
      ::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  Result<void> written = file ? write_all(file.get(), text) : last_error();
  if (written) written = host_status(::renameat(directory_.get(), fresh.c_str(), directory_.get(), name));
  if (written) return {};
  ::unlinkat(directory_.get(), fresh.c_str(), 0);
  return failure(fmt::format("write {} of the container {} in {}", name, id_, root_), written.error(),
                 "look whether the disk is full, or another --root");
}

void ContainerDirectory::remove() {
  DIR* listing = ::fdopendir(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (const dirent* entry = listing ? ::readdir(listing) : nullptr)
    if (entry->d_name[0] != '.') ::unlinkat(directory_.get(), entry->d_name, 0);
  if (listing) ::closedir(listing);
  ::rmdir(fmt::format("{}/{}", root_, id_).c_str());
}

std::string ContainerStore::default_root() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool has_own = runtime != nullptr && runtime[0] == '/' && ::access("/run", W_OK) != 0;
  if (has_own || ::geteuid() != 0)
    return runtime ? fmt::format("{}/sandbox-oci", runtime) : fmt::format("/tmp/sandbox-oci-{}", ::geteuid());
  return "/run/sandbox-oci";
}

Configured<ContainerStore> ContainerStore::open(const std::string& root) {
  std::string path = root;
  if (!path.starts_with('/')) {
    char* here = ::getcwd(nullptr, 0);
    path = fmt::format("{}/{}", here ? here : "", root);
    std::free(here);
  }
  const std::string doing = fmt::format("keep containers in {}", printable(path));
  if (auto made = make_directories(path); !made)
    return failure(doing, made.error(), "another directory with --root");
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!directory || ::fstat(directory.get(), &status) < 0)
    return failure(doing, Errno::last(), "another directory with --root");
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    return failure(doing, "others may write there (EPERM)", "a directory of your own with --root");
  return ContainerStore(std::move(path));
}

bool is_valid_id(const std::string& id) {
  constexpr size_t kLongest = 255;
  return !id.empty() && id.size() <= kLongest && id != "." && id != ".." &&
         std::ranges::all_of(id, [](unsigned char c) {
           return (c < 128 && std::isalnum(c)) || c == '_' || c == '+' || c == '.' || c == '-';
         });
}

Configured<ContainerDirectory> ContainerStore::create(const std::string& id) const {
  const std::string doing = fmt::format("create the container {}", printable(id));
  if (!is_valid_id(id))
    return failure(doing, "that is no id of a container",
                   "letters, digits, `_`, `+`, `.` and `-`, at most 255");
  const std::string path = fmt::format("{}/{}", root_, id);
  if (::mkdir(path.c_str(), 0700) < 0) {
    if (errno == EEXIST)
      return failure(doing, "a container with that id exists already (EEXIST)", "another id");
    return failure(doing, Errno::last(), "look whether the disk is full, or another --root");
  }
  auto found = find(id, Lock::kExclusive);
  if (!found) ::rmdir(path.c_str());
  return found;
}

Configured<ContainerDirectory> ContainerStore::find(const std::string& id, Lock lock) const {
  if (!is_valid_id(id)) return no_container(id, "that is no id of a container");
  const std::string path = fmt::format("{}/{}", root_, id);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return no_container(id, "container does not exist (ENOENT)");
  UniqueFd file;
  if (lock == Lock::kExclusive) {
    file.reset(::openat(directory.get(), kLock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    while (file && ::flock(file.get(), LOCK_EX) < 0 && errno == EINTR) {
    }
    // Another command may have deleted it meanwhile.
    struct stat status{};
    if (file && (::fstat(file.get(), &status) < 0 || status.st_nlink == 0))
      return no_container(id, "container does not exist (ENOENT)");
    if (!file)
      return failure(fmt::format("lock the container {}", id), Errno::last(),
                     "look whether the disk is full");
  }
  return ContainerDirectory(root_, id, std::move(directory), std::move(file));
}

bool ContainerStore::is_in(const std::string& root, const std::string& id) {
  return is_valid_id(id) && ::access(fmt::format("{}/{}", root, id).c_str(), F_OK) == 0;
}

std::vector<std::string> ContainerStore::ids() const {
  std::vector<std::string> found;
  DIR* listing = ::opendir(root_.c_str());
  while (const dirent* entry = listing ? ::readdir(listing) : nullptr)
    if (is_valid_id(entry->d_name)) found.emplace_back(entry->d_name);
  if (listing) ::closedir(listing);
  std::ranges::sort(found);
  return found;
}

}  // namespace sandbox::tools::oci
