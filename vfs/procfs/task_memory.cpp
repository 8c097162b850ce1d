// A task's address space: maps, smaps and their neighbours (fs/proc/task_mmu.c).
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <map>

#include "vfs/procfs/context.h"
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {
namespace {

// One line of maps. `head` is everything before the path, the kernel's padding included.
struct Mapping {
  uint64_t start = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  std::string_view head;
  std::string_view path;  // "" for anonymous memory
};

// Nothing when `line` is not a line of maps (a detail line of smaps).
std::optional<Mapping> parse_mapping(std::string_view line) {
  Mapping mapping;
  std::string_view rest = line;
  std::string_view range = take_word(&rest);
  size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto start = parse_number<uint64_t>(range.substr(0, dash), 16);
  auto end = parse_number<uint64_t>(range.substr(dash + 1), 16);
  if (!start || !end) return std::nullopt;
  take_word(&rest);  // permissions
  take_word(&rest);  // offset
  std::string_view device = take_word(&rest);
  size_t colon = device.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto device_major = parse_number<unsigned>(device.substr(0, colon), 16);
  auto device_minor = parse_number<unsigned>(device.substr(colon + 1), 16);
  auto inode = parse_number<uint64_t>(take_word(&rest));
  if (!device_major || !device_minor || !inode) return std::nullopt;
  mapping.start = *start;
  mapping.device = makedev(*device_major, *device_minor);
  mapping.inode = *inode;
  size_t path = rest.find_first_not_of(' ');
  mapping.path = path == std::string_view::npos ? std::string_view() : rest.substr(path);
  mapping.head = line.substr(0, line.size() - mapping.path.size());
  return mapping;
}

// Names that the kernel makes up: "[heap]", "[anon:x]", "anon_inode:[perf_event]", "socket:[5]", and what
// it calls shared anonymous memory.
bool is_kernel_name(const Mapping& mapping) {
  return mapping.path.empty() || mapping.path.front() == '[' || mapping.path.starts_with("anon_inode:") ||
         mapping.path.starts_with("socket:[") || mapping.path == "/dev/zero (deleted)";
}

constexpr std::string_view kPathEscapes = "\n";

// What is shown as the path of a mapping, not yet escaped; nothing when it is to be hidden.
std::optional<std::string> shown_path(const TaskContext& context, const Mapping& mapping) {
  if (is_kernel_name(mapping)) return std::string(mapping.path);
  std::string path = context.kernel.describe_mapping(context.task, mapping.device, mapping.inode,
                                                     unescape_octal(mapping.path));
  if (path.empty()) return std::nullopt;
  return path;
}

// For maps, smaps and smaps_rollup: the lines that describe mappings are translated, the detail lines
// that follow one share its fate.
std::string translate_mappings(const TaskContext& context, std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  bool is_hidden = false;
  for_each_line(text, [&](std::string_view line) {
    if (auto mapping = parse_mapping(line)) {
      auto path = shown_path(context, *mapping);
      is_hidden = !path;
      if (path) shown.append(mapping->head).append(escape_octal(*path, kPathEscapes)).append("\n");
    } else if (!is_hidden) {
      shown.append(line).append("\n");
    }
  });
  return shown;
}

Result<std::string> generate_mappings(const TaskContext& context) {
  return translate_mappings(context, TRY(context.read_host(std::string(context.name))));
}

Result<std::string> generate_numa_maps(const TaskContext& context) {
  std::string numa = TRY(context.read_host("numa_maps"));
  std::string maps = TRY(context.read_host("maps"));
  std::map<uint64_t, std::optional<std::string>> path_at;
  for_each_line(maps, [&](std::string_view line) {
    if (auto mapping = parse_mapping(line)) path_at[mapping->start] = shown_path(context, *mapping);
  });
  constexpr std::string_view kFile = " file=";
  std::string shown;
  for_each_line(numa, [&](std::string_view line) {
    std::string_view rest = line;
    auto start = parse_number<uint64_t>(take_word(&rest), 16);
    size_t file = line.find(kFile);
    if (!start || file == std::string_view::npos) {
      shown.append(line).append("\n");
      return;
    }
    // A mapping that came between the two reads has a path nobody checked: it is left out.
    auto found = path_at.find(*start);
    if (found == path_at.end() || !found->second) return;
    size_t path_end = line.find(' ', file + kFile.size());
    shown.append(line.substr(0, file + kFile.size())).append(escape_octal(*found->second, "\n\t= "));
    if (path_end != std::string_view::npos) shown.append(line.substr(path_end));
    shown += '\n';
  });
  return shown;
}

// Physical page numbers would be the host's.
Result<std::string> refuse_pagemap(const TaskContext&) { return err(EPERM); }

class MapFilesDirectory : public TaskNode {
 public:
  using TaskNode::TaskNode;
  // As for anybody without CAP_CHECKPOINT_RESTORE in the first user namespace.
  Result<InodePtr> lookup(std::string_view) override { return err(EPERM); }
  Result<std::vector<DirectoryEntry>> list(const Caller&) override { return err(EPERM); }
};

InodePtr make_map_files(Procfs& procfs, const TaskReference& reference, uint64_t inode) {
  return std::make_shared<MapFilesDirectory>(procfs, reference, inode, S_IFDIR | 0500);
}

constexpr TaskRow kRows[] = {
    task_file("maps", 0444, Access::kPtrace, generate_mappings),
    if_on_host(task_file("smaps", 0444, Access::kPtrace, generate_mappings)),
    if_on_host(task_file("smaps_rollup", 0444, Access::kPtrace, generate_mappings)),
    if_on_host(task_file("numa_maps", 0444, Access::kPtrace, generate_numa_maps)),
    task_file("pagemap", 0400, Access::kPtrace, refuse_pagemap),
    task_native("mem", 0600, Native::kOwnRead),
    if_on_host(task_native("clear_refs", 0200, Native::kOwnReadWrite)),
    where(TaskRow::Where::kProcess, task_directory("map_files", 0500, make_map_files)),
};

}  // namespace

std::span<const TaskRow> task_memory_rows() { return kRows; }

}  // namespace sandbox::vfs
