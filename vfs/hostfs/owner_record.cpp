// Writing and reading owner records.
#include "vfs/hostfs/owner_record.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <charconv>
#include <cstdio>

namespace sandbox::vfs {
namespace {

// The number up to `end`, which is taken away with it; at the text's end `end` may be missing.
std::optional<uint32_t> take_number(std::string_view& rest, char end, int base) {
  uint32_t number = 0;
  auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, base);
  if (error != std::errc{}) return std::nullopt;
  rest.remove_prefix(static_cast<size_t>(stop - rest.data()));
  if (rest.empty()) return number;
  if (rest.front() != end) return std::nullopt;
  rest.remove_prefix(1);
  return number;
}

// "char-1-3" or "block-8-1"; other words name types that the host's object has itself.
bool take_device(std::string_view type, OwnerRecord& record) {
  const bool is_character = type.starts_with("char-");
  if (!is_character && !type.starts_with("block-")) return true;
  type.remove_prefix(type.find('-') + 1);
  auto major_number = take_number(type, '-', 10), minor_number = take_number(type, '\0', 10);
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
  auto uid = take_number(text, ':', 10), gid = take_number(text, ':', 10);
  auto mode = take_number(text, ':', 8);
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
