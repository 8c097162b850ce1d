// The mounts of config.json: types and options, each understood or refused by its name.
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include "sandbox/numbers.h"
#include "tools/oci/bundle.h"

namespace sandbox::tools::oci {

namespace {

enum class Effect {
  kNone,  // how it is here anyway
  kReadOnly,
  kReadWrite,
  kNoSuid,
  kSuid,
  kNoDev,
  kDev,
  kNoExec,
  kExec,
  kBind,
  kRemount,
  kAtime,  // as Linux does it without a word
  kNoAtime,
  kStrict,
  kDirAtime,
  kNoDirAtime,
  kCopyUp,
  kMapIds,  // read_ids()
  kWarn,
};

struct Option {
  const char* name;
  Effect effect;
  unsigned long propagation = 0;  // as mount(2) takes it
};

// A bind is always recursive, and what it says of itself holds for everything below. Propagation is among the
// container's own mounts: nothing that is mounted inside is ever seen outside, and nothing that is mounted
// outside later is seen inside: kWarn says so to who asked for that. What only a disk has (iversion, sync and
// so on) says nothing of a bind or of memory.
constexpr Option kOptions[] = {
    {"defaults", Effect::kNone},
    {"ro", Effect::kReadOnly},
    {"rw", Effect::kReadWrite},
    {"rro", Effect::kReadOnly},
    {"rrw", Effect::kReadWrite},
    {"nosuid", Effect::kNoSuid},
    {"suid", Effect::kSuid},
    {"rnosuid", Effect::kNoSuid},
    {"rsuid", Effect::kSuid},
    {"nodev", Effect::kNoDev},
    {"dev", Effect::kDev},
    {"rnodev", Effect::kNoDev},
    {"rdev", Effect::kDev},
    {"noexec", Effect::kNoExec},
    {"exec", Effect::kExec},
    {"rnoexec", Effect::kNoExec},
    {"rexec", Effect::kExec},
    {"bind", Effect::kBind},
    {"rbind", Effect::kBind},
    {"remount", Effect::kRemount},
    {"private", Effect::kNone},
    {"rprivate", Effect::kNone},
    {"unbindable", Effect::kNone, MS_UNBINDABLE},
    {"runbindable", Effect::kNone, MS_UNBINDABLE | MS_REC},
    {"slave", Effect::kWarn, MS_SLAVE},
    {"rslave", Effect::kWarn, MS_SLAVE | MS_REC},
    {"shared", Effect::kWarn, MS_SHARED},
    {"rshared", Effect::kWarn, MS_SHARED | MS_REC},
    {"atime", Effect::kAtime},
    {"ratime", Effect::kAtime},
    {"noatime", Effect::kNoAtime},
    {"rnoatime", Effect::kNoAtime},
    {"relatime", Effect::kAtime},
    {"rrelatime", Effect::kAtime},
    {"norelatime", Effect::kNone},
    {"rnorelatime", Effect::kNone},
    {"strictatime", Effect::kStrict},
    {"rstrictatime", Effect::kStrict},
    {"nostrictatime", Effect::kAtime},
    {"rnostrictatime", Effect::kAtime},
    {"diratime", Effect::kDirAtime},
    {"rdiratime", Effect::kDirAtime},
    {"nodiratime", Effect::kNoDirAtime},
    {"rnodiratime", Effect::kNoDirAtime},
    {"async", Effect::kNone},
    {"sync", Effect::kNone},
    {"dirsync", Effect::kNone},
    {"lazytime", Effect::kNone},
    {"nolazytime", Effect::kNone},
    {"iversion", Effect::kNone},
    {"noiversion", Effect::kNone},
    {"mand", Effect::kNone},
    {"nomand", Effect::kNone},
    {"silent", Effect::kNone},
    {"loud", Effect::kNone},
    {"symfollow", Effect::kNone},
    {"rsymfollow", Effect::kNone},
    {"tmpcopyup", Effect::kCopyUp},
    {"idmap", Effect::kMapIds},
    {"ridmap", Effect::kMapIds},
};

struct Type {
  const char* name;
  MountEntry::Kind kind;
};
constexpr Type kTypes[] = {
    {"bind", MountEntry::Kind::kBind},
    {"none", MountEntry::Kind::kBind},
    {"tmpfs", MountEntry::Kind::kTmpfs},
    {"proc", MountEntry::Kind::kProc},
    {"sysfs", MountEntry::Kind::kSysfs},
    {"cgroup", MountEntry::Kind::kCgroup},
    {"cgroup2", MountEntry::Kind::kCgroup},
    {"devpts", MountEntry::Kind::kDevpts},
    {"mqueue", MountEntry::Kind::kMessageQueues},
};

// "64k", "65536", "1g".
std::optional<uint64_t> parse_size(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
  }
  if (shift != 0) text.remove_suffix(1);
  auto number = parse_number<uint64_t>(text, 10);
  if (!number || *number > (UINT64_MAX >> shift)) return std::nullopt;
  return *number << shift;
}

// "size=65536k" and its like; whether it was understood.
bool take_data(MountEntry& entry, const std::string& option) {
  const size_t equals = option.find('=');
  if (equals == option.npos) return entry.kind == MountEntry::Kind::kDevpts && option == "newinstance";
  const std::string key = option.substr(0, equals), value = option.substr(equals + 1);
  // mount(2) looks at no data of a bind.
  constexpr const char* kOfMemory[] = {"size", "nr_inodes", "mode", "uid", "gid"};
  if (entry.kind == MountEntry::Kind::kBind) return std::ranges::count(kOfMemory, key) > 0;
  if (entry.kind == MountEntry::Kind::kDevpts)
    return (key == "ptmxmode" && parse_number<uint64_t>(value, 8) == 0666) ||
           (key == "mode" && parse_number<uint64_t>(value, 8) == 0620) || (key == "gid" && value == "5");
  const bool is_memory = entry.kind == MountEntry::Kind::kTmpfs || entry.kind == MountEntry::Kind::kDevices;
  if (!is_memory) return false;
  if (key == "size" || key == "nr_inodes") {
    auto number = parse_size(value);
    if (number) (key == "size" ? entry.size_bytes : entry.inode_limit) = *number;
    return number.has_value();
  }
  if (key == "mode") {
    auto mode = parse_number<uint64_t>(value, 8);
    if (mode) entry.mode = static_cast<uint32_t>(*mode & 07777);
    return mode && *mode <= 07777;
  }
  if (key != "uid" && key != "gid") return false;
  auto id = parse_number<uint64_t>(value, 10);
  if (id) (key == "uid" ? entry.uid : entry.gid) = static_cast<uint32_t>(*id);
  return id && *id < UINT32_MAX;
}

void apply(MountEntry& entry, Effect effect) {
  using AccessTimes = vfs::MountFlags::AccessTimes;
  switch (effect) {
    case Effect::kNone:
    case Effect::kBind:
    case Effect::kRemount:
    case Effect::kMapIds:
    case Effect::kWarn:
      return;
    case Effect::kReadOnly:
    case Effect::kReadWrite:
      entry.flags.is_read_only = effect == Effect::kReadOnly;
      return;
    case Effect::kNoSuid:
    case Effect::kSuid:
      entry.flags.is_nosuid = effect == Effect::kNoSuid;
      return;
    case Effect::kNoDev:
    case Effect::kDev:
      entry.flags.is_nodev = effect == Effect::kNoDev;
      return;
    case Effect::kNoExec:
    case Effect::kExec:
      entry.flags.is_noexec = effect == Effect::kNoExec;
      return;
    case Effect::kAtime:
      entry.flags.access_times = AccessTimes::kRelative;
      return;
    case Effect::kNoAtime:
      entry.flags.access_times = AccessTimes::kNever;
      return;
    case Effect::kStrict:
      entry.flags.access_times = AccessTimes::kStrict;
      return;
    case Effect::kDirAtime:
    case Effect::kNoDirAtime:
      entry.flags.is_nodiratime = effect == Effect::kNoDirAtime;
      return;
    case Effect::kCopyUp:
      entry.contents = MountEntry::Contents::kCopyUp;
      return;
  }
}

const Option* find_option(const std::string& name) {
  auto found = std::ranges::find_if(kOptions, [&](const Option& option) { return name == option.name; });
  return found == std::end(kOptions) ? nullptr : &*found;
}

MountEntry::Kind kind_of(const JsonNode& node, const std::vector<std::string>& options) {
  auto has = [&](Effect effect) {
    return std::ranges::any_of(options, [&](const std::string& name) {
      const Option* option = find_option(name);
      return option != nullptr && option->effect == effect;
    });
  };
  if (has(Effect::kRemount)) return MountEntry::Kind::kRemount;
  if (has(Effect::kBind)) return MountEntry::Kind::kBind;
  const std::string type = node["type"].text();
  auto found = std::ranges::find_if(kTypes, [&](const Type& one) { return type == one.name; });
  if (found == std::end(kTypes) || found->kind == MountEntry::Kind::kBind) {
    node["type"].fail(fmt::format("`{}` is no type of mount that a container can have", type),
                      "bind, tmpfs, proc, sysfs, devpts, mqueue, cgroup");
    return MountEntry::Kind::kTmpfs;
  }
  return found->kind;
}

// A relative destination counts from the root, as older engines write it.
std::string absolute(std::string path, const std::string& base) {
  return path.starts_with('/') ? path : base + "/" + path;
}

// Maps of its own, or with an option that asks for one those of the container.
void read_ids(const JsonNode& node, const JsonNode& linux_node, MountEntry& entry) {
  if (bool(node["uidMappings"]) != bool(node["gidMappings"]))
    node[node["uidMappings"] ? "gidMappings" : "uidMappings"].fail("it is missing beside the other one");
  const std::vector<std::string> options = node["options"].texts();
  const bool is_for_all = std::ranges::count(options, "ridmap") > 0;
  const bool is_asked = is_for_all || std::ranges::count(options, "idmap") > 0;
  const JsonNode& maps = node["uidMappings"] ? node : linux_node;
  if (!is_asked && !node["uidMappings"]) return;
  auto users = read_id_map(maps["uidMappings"]), groups = read_id_map(maps["gidMappings"]);
  if (entry.kind != MountEntry::Kind::kBind)
    return node[is_asked ? "options" : "uidMappings"].fail("ids are mapped of binds only", "leave it out");
  if (!users || !groups) {
    if (is_asked)
      node["options"].fail("`idmap` and `ridmap` need maps of the mount's or of the container's own",
                           "uidMappings and gidMappings");
    return;
  }
  entry.ids = {.users = *std::move(users),
               .groups = *std::move(groups),
               .mounts = is_for_all ? platform::MappedMounts::kWholeTree : platform::MappedMounts::kTopOnly};
}

MountEntry read_mount(const JsonNode& node, const std::string& bundle_directory, const JsonNode& linux_node) {
  const std::vector<std::string> options = node["options"].texts();
  MountEntry entry{.kind = kind_of(node, options)};
  entry.flags = {.is_nosuid = false};
  entry.destination = absolute(node["destination"].text(), "");
  if (node["destination"].text().empty()) node["destination"].fail("it is missing");
  if (("/" + entry.destination + "/").find("/../") != std::string::npos)
    node["destination"].fail("it has `..` in it");
  entry.source = node["source"].text();
  if (entry.kind == MountEntry::Kind::kBind) {
    if (entry.source.empty()) node["source"].fail("it is missing");
    entry.source = absolute(entry.source, bundle_directory);
  } else if (entry.source.empty()) {
    entry.source = node["type"].text();
  }
  while (entry.destination.size() > 1 && entry.destination.ends_with('/')) entry.destination.pop_back();
  if (entry.kind == MountEntry::Kind::kTmpfs && entry.destination == "/dev")
    entry.kind = MountEntry::Kind::kDevices;
  for (const std::string& name : options) {
    if (const Option* option = find_option(name)) {
      apply(entry, option->effect);
      if (option->propagation != 0) entry.propagation = option->propagation;
      if (option->effect == Effect::kWarn)
        node["options"].warn(fmt::format("`{}`: what is mounted on the host later is not seen inside", name));
    } else if (!take_data(entry, name)) {
      node["options"].fail(fmt::format("`{}` is no option that is understood there", name), "leave it out");
    }
  }
  if (entry.contents == MountEntry::Contents::kCopyUp && entry.kind != MountEntry::Kind::kTmpfs)
    node["options"].fail("tmpcopyup is for a tmpfs", "leave it out");
  read_ids(node, linux_node, entry);
  return entry;
}

}  // namespace

std::vector<MountEntry> read_mounts(const JsonNode& node, const std::string& bundle_directory,
                                    const JsonNode& linux_node) {
  std::vector<MountEntry> mounts;
  for (const JsonNode& item : node.items()) mounts.push_back(read_mount(item, bundle_directory, linux_node));
  return mounts;
}

std::optional<unsigned long> propagation_called(const std::string& name) {
  if (name == "private" || name == "rprivate") return 0;  // as everything is
  const Option* option = find_option(name);
  if (option == nullptr || option->propagation == 0) return std::nullopt;
  return option->propagation;
}

std::vector<std::string> mount_option_names() {
  std::vector<std::string> names;
  for (const Option& option : kOptions) names.emplace_back(option.name);
  std::ranges::sort(names);
  return names;
}

}  // namespace sandbox::tools::oci
