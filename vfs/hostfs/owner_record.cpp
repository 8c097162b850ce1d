// Writing and reading owner records.
#include "vfs/hostfs/owner_record.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>

#include "sandbox/numbers.h"

namespace sandbox::vfs {
namespace {

// Up to the separator, which is taken away with it, or all of `rest`.
std::string_view take_field(std::string_view& rest, char separator) {
  std::string_view field = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), field.size() + 1));
  return field;
}

// "char-1-3" or "block-8-1"; other words name types that the host's object has itself.
bool take_device(std::string_view type, OwnerRecord& record) {
  const bool is_character = type.starts_with("char-");
  if (!is_character && !type.starts_with("block-")) return true;
  (void)take_field(type, '-');
  auto major_number = parse_number<uint32_t>(take_field(type, '-')),
       minor_number = parse_number<uint32_t>(type);
  if (!major_number || !minor_number) return false;
  record.mode |= is_character ? S_IFCHR : S_IFBLK;
  record.device = makedev(*major_number, *minor_number);
  return true;
}

}  // namespace

std::string OwnerRecord::text() const {
  char buffer[96];
  int length = snprintf(buffer, sizeof buffer, "%u:%u:0%o", uid, gid, mode & 07777);
  if (is_device()) {
    snprintf(buffer + length, sizeof buffer - static_cast<size_t>(length), ":%s-%u-%u",
             S_ISCHR(mode) ? "char" : "block", major(device), minor(device));
  }
  return buffer;
}

std::optional<OwnerRecord> OwnerRecord::parse(std::string_view text) {
  OwnerRecord record;
  auto uid = parse_number<uint32_t>(take_field(text, ':'));
  auto gid = parse_number<uint32_t>(take_field(text, ':'));
  auto mode = parse_number<uint32_t>(take_field(text, ':'), 8);
  if (!uid || !gid || !mode || *uid == UINT32_MAX || *gid == UINT32_MAX) return std::nullopt;
  record.uid = *uid;
  record.gid = *gid;
  record.mode = *mode & 07777;
  if (!take_device(text, record)) return std::nullopt;
  return record;
}

bool is_record_xattr(std::string_view attribute) {
  return attribute == kOwnerRecordXattr || attribute == kMemoryOwnerRecordXattr ||
         attribute == kCapabilityRecordXattr;
}

mode_t mode_on_host(mode_t mode) {
  if (S_ISDIR(mode)) return 0700;
  return mode & 0111 ? 0700 : 0600;
}

}  // namespace sandbox::vfs
