// Layout of the loader's plan: the fixed part, both objects' segments, the strings.
#include "platform/exec_plan.h"

#include <cstring>

namespace sandbox::platform {

namespace {

LoaderObject describe(const ElfObject& object, int descriptor, LoaderPlacement anywhere,
                      uint32_t segments_offset) {
  LoaderObject out{};
  out.descriptor = descriptor;
  out.placement = object.placement == ElfObject::Placement::kFixed ? LoaderPlacement::kFixed : anywhere;
  out.first_vaddr = object.first_vaddr;
  out.span = object.span;
  out.alignment = object.alignment;
  out.entry_vaddr = object.entry_vaddr;
  out.phdr_vaddr = object.phdr_vaddr;
  out.phdr_count = object.phdr_count;
  out.segment_count = object.segments.size();
  out.segments_offset = segments_offset;
  return out;
}

void append_segments(std::vector<LoaderSegment>& out, const ElfObject& object) {
  for (const ElfSegment& segment : object.segments) {
    out.push_back({segment.vaddr, segment.file_size, segment.memory_size, segment.file_offset,
                   static_cast<uint64_t>(segment.protection)});
  }
}

}  // namespace

Result<std::vector<std::byte>> build_exec_plan(const ExecImage& image, const InstalledObjects& installed,
                                               const std::optional<rlimit>& nofile_to_restore) {
  std::vector<LoaderSegment> segments;
  append_segments(segments, image.program);
  if (image.interpreter) append_segments(segments, *image.interpreter);

  std::string strings;
  for (const std::string& text : image.argv_prefix) strings.append(text.c_str(), text.size() + 1);
  strings.append(image.execfn.c_str(), image.execfn.size() + 1);

  LoaderPlan plan{};
  const size_t segments_size = segments.size() * sizeof(LoaderSegment);
  plan.object_count = image.interpreter ? 2 : 1;
  plan.prefix_count = image.argv_prefix.size();
  plan.strings_offset = sizeof plan + segments_size;
  plan.strings_size = strings.size();
  plan.stack = image.program.wants_executable_stack ? LoaderStack::kExecutable : LoaderStack::kPlain;
  if (nofile_to_restore) {
    plan.restores_nofile = 1;
    plan.nofile_soft = nofile_to_restore->rlim_cur;
    plan.nofile_hard = nofile_to_restore->rlim_max;
  }
  std::strncpy(plan.comm, image.comm.c_str(), sizeof plan.comm - 1);
  plan.objects[0] = describe(image.program, installed.program, LoaderPlacement::kBelowBreak, sizeof plan);
  if (image.interpreter) {
    uint32_t offset = sizeof plan + image.program.segments.size() * sizeof(LoaderSegment);
    plan.objects[1] = describe(*image.interpreter, installed.interpreter, LoaderPlacement::kAnywhere, offset);
  }

  std::vector<std::byte> bytes(sizeof plan + segments_size + strings.size());
  if (bytes.size() > kLoaderPlanCapacity) return err(E2BIG);
  std::memcpy(bytes.data(), &plan, sizeof plan);
  std::memcpy(bytes.data() + sizeof plan, segments.data(), segments_size);
  std::memcpy(bytes.data() + plan.strings_offset, strings.data(), strings.size());
  return bytes;
}

}  // namespace sandbox::platform
