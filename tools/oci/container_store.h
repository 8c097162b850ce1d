// ContainerStore: the directory of --root: one directory a container, with what its commands must know.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sentry/failure.h"
#include "tools/oci/json_node.h"

namespace sandbox::tools::oci {

// What is written down of a container; `status` also looks at its processes.
struct ContainerRecord {
  std::string id, oci_version, bundle, rootfs, created, owner;
  std::map<std::string, std::string> annotations;
  std::string group_path;                // below each hierarchy's top
  std::vector<std::string> made_groups;  // ContainerGroups::made
  pid_t pid = 0, sentry = 0;
  uint64_t pid_start = 0, sentry_start = 0;  // field 22 of /proc/PID/stat
  enum class Phase { kCreating, kCreated, kStarted } phase = Phase::kCreating;
};

enum class Status { kCreating, kCreated, kRunning, kPaused, kStopped };
const char* name_of(Status status);

Status status_of(const ContainerRecord& record);
// As runtime.md of the runtime-spec has it, with runc's additions.
nlohmann::ordered_json state_document(const ContainerRecord& record, Status status);

// One container's directory. While the lock is held no other command changes it.
class ContainerDirectory {
 public:
  const std::string& id() const { return id_; }
  int descriptor() const { return directory_.get(); }
  // Failures: it was never written, or is damaged.
  Configured<ContainerRecord> record() const;
  // Whole or not at all. Failures: ENOSPC and its like.
  Configured<void> save(const ContainerRecord& record) const;
  // The configuration that it was created with, whatever became of the bundle's.
  Configured<void> save_config(const nlohmann::json& config) const;
  Configured<nlohmann::json> config() const;
  // A process that this one forked holds the lock as well, until it calls this.
  void drop_lock() { lock_.reset(); }
  // The directory goes, and everything in it.
  void remove();

 private:
  friend class ContainerStore;
  ContainerDirectory(std::string root, std::string id, UniqueFd directory, UniqueFd lock)
      : root_(std::move(root)),
        id_(std::move(id)),
        directory_(std::move(directory)),
        lock_(std::move(lock)) {}
  Configured<void> write_file(const char* name, const std::string& text) const;

  std::string root_, id_;
  UniqueFd directory_, lock_;
};

class ContainerStore {
 public:
  // Made where it is missing, for its owner only. Failures: EACCES, EROFS, ENOTDIR.
  static Configured<ContainerStore> open(const std::string& root);
  // /run/sandbox-oci for root, else $XDG_RUNTIME_DIR/sandbox-oci.
  static std::string default_root();

  // Failures: the id is taken, or none.
  Configured<ContainerDirectory> create(const std::string& id) const;
  enum class Lock { kNone, kExclusive };
  // Failures: there is no such container.
  Configured<ContainerDirectory> find(const std::string& id, Lock lock) const;
  bool contains(const std::string& id) const { return is_in(root_, id); }
  // The same of a directory that need not be there.
  static bool is_in(const std::string& root, const std::string& id);
  std::vector<std::string> ids() const;

 private:
  explicit ContainerStore(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

// Letters, digits, `_`, `+`, `.` and `-`, at most 255; neither "." nor "..".
bool is_valid_id(const std::string& id);

}  // namespace sandbox::tools::oci
