// Image layouts in directories, and in tar files, which are read where they are and never unpacked as a
// whole.
#include "tools/image/image_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/path_components.h"
#include "sentry/failure.h"
#include "tools/host_tree.h"
#include "tools/image/confined_work.h"
#include "tools/image/layer_stream.h"
#include "tools/messages.h"

namespace sandbox::tools::image {
namespace {

constexpr const char* kSeeForms = "an image that skopeo, podman or docker wrote";

std::unexpected<RunFailure> cannot_read(const std::string& path, std::string reason) {
  return failure(fmt::format("read {} of the image", printable(path)), std::move(reason), kSeeForms);
}

// Links between the files of a layout are followed, ways out are not.
Result<UniqueFd> open_in_layout(int root, const std::string& path) {
  open_how how{.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
               .mode = 0,
               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return UniqueFd(
      static_cast<int>(TRY(host_result(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)))));
}

class LayoutDirectory final : public ImageFiles {
 public:
  explicit LayoutDirectory(UniqueFd root) : root_(std::move(root)) {}

  Parsed<std::string> text(const std::string& path) override {
    Blob file = TRY(blob(path));
    if (file.size > kLargestText) return cannot_read(path, "it is larger than 4 MiB");
    std::string text(file.size, '\0');
    ssize_t count = ::pread(file.file->get(), text.data(), text.size(), 0);
    if (count < 0) return cannot_read(path, reason_of(Errno::last()));
    text.resize(static_cast<size_t>(count));
    return text;
  }

  Parsed<Blob> blob(const std::string& path) override {
    auto file = open_in_layout(root_.get(), path);
    if (!file) return cannot_read(path, reason_of(file.error()));
    struct stat status{};
    if (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode))
      return cannot_read(path, "it is no regular file");
    return Blob{std::make_shared<UniqueFd>(*std::move(file)), "", static_cast<uint64_t>(status.st_size)};
  }

  bool has(const std::string& path) override { return open_in_layout(root_.get(), path).has_value(); }

 private:
  const UniqueFd root_;
};

// A member of an archive. Texts are read with the list, as the archive may be compressed.
struct Member {
  uint64_t size = 0;
  bool has_text = false;
  std::string text, link;  // link: the name of the member that is meant
};
using Members = std::map<std::string, Member>;

struct MemberHead {
  uint64_t size;
  uint32_t name, text, link;  // lengths of what follows, in this order
  uint32_t has_text;
};

constexpr size_t kMostMembers = 100'000;
constexpr size_t kLongestList = size_t{32} << 20;  // bytes

// "a/b" and "../c/d" is "c/d"; empty when it leads out.
std::string linked_member(const std::string& member, std::string_view target) {
  std::string path = split_path(member).parent;
  for (std::string_view component : path_components(target)) {
    if (component == "..") {
      if (path.empty()) return "";
      path = split_path(path).parent;
      continue;
    }
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

bool is_text(std::string_view name, std::string_view start) {
  return name.ends_with(".json") || start.starts_with('{');
}

Worded<Member> read_member(archive* reader, archive_entry* entry, const std::string& name) {
  Member member{.size = static_cast<uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)))};
  if (const char* target = archive_entry_hardlink(entry)) {
    member.link = linked_member("", target);
  } else if (archive_entry_filetype(entry) == AE_IFLNK) {
    const char* symlink = archive_entry_symlink(entry);
    member.link = linked_member(name, symlink == nullptr ? "" : symlink);
  } else if (member.size <= ImageFiles::kLargestText) {
    char start[1];
    if (archive_read_data(reader, start, 1) == 1 && is_text(name, std::string_view(start, 1))) {
      member.text.resize(member.size);
      member.text[0] = start[0];
      la_ssize_t count = archive_read_data(reader, member.text.data() + 1, member.size - 1);
      if (count < 0 || static_cast<uint64_t>(count) != member.size - 1)
        return std::unexpected(words_of(reader));
      member.has_text = true;
    }
  }
  return member;
}

// Runs confined. The heads and what follows each.
WorkResult list_members(int file) {
  ArchivePtr reader = new_tar_reader();
  if (archive_read_open_fd(reader.get(), file, 256 << 10) != ARCHIVE_OK)
    return std::unexpected(words_of(reader.get()));
  std::string list;
  archive_entry* entry = nullptr;
  for (size_t count = 0;; ++count) {
    int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return list;
    if (status < ARCHIVE_WARN) return std::unexpected(words_of(reader.get()));
    if (count == kMostMembers) return std::unexpected("it has more than 100,000 members");
    const bool is_plain = archive_entry_filetype(entry) == AE_IFREG;
    if (!is_plain && archive_entry_filetype(entry) != AE_IFLNK && archive_entry_hardlink(entry) == nullptr)
      continue;
    const std::string name = member_name(entry);
    Member member = TRY(read_member(reader.get(), entry, name));
    MemberHead head{member.size, static_cast<uint32_t>(name.size()),
                    static_cast<uint32_t>(member.text.size()), static_cast<uint32_t>(member.link.size()),
                    member.has_text};
    list.append(reinterpret_cast<const char*>(&head), sizeof head);
    list += name + member.text + member.link;
    if (list.size() > kLongestList) return std::unexpected("its JSON is larger than 32 MiB together");
  }
}

// The child that wrote the list read hostile bytes: nothing in it is believed beyond its lengths.
std::optional<Members> parse_members(std::string_view list) {
  Members members;
  while (!list.empty()) {
    MemberHead head;
    if (list.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, list.data(), sizeof head);
    list.remove_prefix(sizeof head);
    if (list.size() < uint64_t{head.name} + head.text + head.link) return std::nullopt;
    std::string name(list.substr(0, head.name));
    members[name] = {.size = head.size,
                     .has_text = head.has_text != 0,
                     .text = std::string(list.substr(head.name, head.text)),
                     .link = std::string(list.substr(head.name + head.text, head.link))};
    list.remove_prefix(head.name + head.text + head.link);
  }
  return members;
}

class LayoutArchive final : public ImageFiles {
 public:
  LayoutArchive(UniqueFd file, Members members)
      : file_(std::make_shared<UniqueFd>(std::move(file))), members_(std::move(members)) {}

  Parsed<std::string> text(const std::string& path) override {
    auto found = find(path);
    if (found == members_.end()) return cannot_read(path, "the archive does not have it");
    if (!found->second.has_text) return cannot_read(path, "it is no JSON of at most 4 MiB");
    return found->second.text;
  }

  Parsed<Blob> blob(const std::string& path) override {
    auto found = find(path);
    if (found == members_.end()) return cannot_read(path, "the archive does not have it");
    return Blob{file_, found->first, found->second.size};
  }

  bool has(const std::string& path) override { return find(path) != members_.end(); }

 private:
  Members::const_iterator find(const std::string& path) const {
    constexpr int kMostLinks = 8;
    auto found = members_.find(path);
    for (int i = 0; i < kMostLinks && found != members_.end(); ++i) {
      if (found->second.link.empty()) return found;
      found = members_.find(found->second.link);
    }
    return members_.end();
  }

  const std::shared_ptr<UniqueFd> file_;
  const Members members_;
};

}  // namespace

Parsed<std::unique_ptr<ImageFiles>> ImageFiles::open(const ImageReference& reference) {
  const bool is_directory = reference.transport == ImageReference::Transport::kOciLayout;
  const std::string doing = fmt::format("open the image {}", printable(reference.path));
  const char* advice = is_directory ? "oci: takes a directory, oci-archive: and docker-archive: a tar file"
                                    : "oci: is for directories; the others take a tar file";
  UniqueFd opened(::open(reference.path.c_str(),
                         O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (is_directory ? O_DIRECTORY : 0)));
  if (!opened) return failure(doing, Errno::last(), advice);
  if (is_directory) return std::make_unique<LayoutDirectory>(std::move(opened));
  struct stat status{};
  if (::fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return failure(doing, "it is no regular file", advice);
  auto list = confined_work(-1, [&] { return list_members(opened.get()); });
  if (!list) return failure(doing, printable(list.error()), kSeeForms);
  auto members = parse_members(*list);
  if (!members) return failure(doing, "its list of members is damaged", kSeeForms);
  return std::make_unique<LayoutArchive>(std::move(opened), *std::move(members));
}

}  // namespace sandbox::tools::image
