// The store on disk: locks, renames and records.
#include "tools/image/layer_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sandbox/write_all.h"
#include "sentry/failure.h"
#include "tools/host_tree.h"
#include "tools/image/unpack.h"
#include "tools/messages.h"
#include "tools/oci/json_node.h"
#include "tools/user_lookup.h"
#include "vfs/overlayfs/work_directory.h"

namespace sandbox::tools::image {
namespace {

// A sandbox has its own loopback, and its programs call it by name.
constexpr const char* kHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
constexpr const char* kUnpacking = "unpacking";
constexpr const char* kMakeRoom = "XDG_DATA_HOME names another place; `sandbox image prune` makes room";

std::string layer_path(const Digest& diff_id) { return "layers/" + diff_id.hex(); }
std::string record_path(const Digest& id) { return "images/" + id.hex(); }

std::unexpected<RunFailure> store_failure(std::string doing, Errno error = Errno::last()) {
  return failure(std::move(doing), error, kMakeRoom);
}

std::string default_path() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && *data == '/') return fmt::format("{}/sandbox", data);
  if (::geteuid() == 0) return "/var/lib/sandbox";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fmt::format("{}/.local/share/sandbox", home);
  return fmt::format("/var/tmp/sandbox-{}", ::geteuid());
}

// Its parents as they come, itself for nobody else.
void make_directories(const std::string& path) {
  for (size_t end = path.find('/', 1); end != path.npos; end = path.find('/', end + 1))
    ::mkdir(path.substr(0, end).c_str(), 0755);
  ::mkdir(path.c_str(), 0700);
}

bool is_same_file(int file, int directory, const char* name) {
  struct stat one{}, other{};
  return ::fstat(file, &one) == 0 && ::fstatat(directory, name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::optional<StoredImage> parse_record(const std::string& text, const Digest& id) {
  auto document = oci::parse_json(text, "a record of the store");
  if (!document) return std::nullopt;
  oci::Problems problems;
  oci::JsonNode root(&*document, "record", problems);
  StoredImage stored{
      .id = id, .name = root["name"].text(), .layers = {}, .used_at = root["used_at"].number()};
  for (const std::string& text_of_layer : root["layers"].texts())
    if (auto digest = Digest::parse(text_of_layer)) stored.layers.push_back(*digest);
  if (!problems.is_empty()) return std::nullopt;
  return stored;
}

uint64_t size_of_tree(int directory) {
  uint64_t size = 0;
  auto names = list_names(directory);
  if (!names) return 0;
  for (const std::string& name : *names) {
    auto status = stat_name(directory, name);
    if (!status) continue;
    size +=
        static_cast<uint64_t>(status->st_blocks) * 512 / (S_ISDIR(status->st_mode) ? 1 : status->st_nlink);
    if (!S_ISDIR(status->st_mode)) continue;
    auto below = open_beneath(directory, name, O_RDONLY | O_DIRECTORY);
    if (below) size += size_of_tree(below->get());
  }
  return size;
}

}  // namespace

Parsed<LayerStore> LayerStore::open() {
  const std::string path = default_path();
  const std::string doing = fmt::format("open the store of images {}", printable(path));
  make_directories(path);
  UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return store_failure(doing);
  struct stat status{};
  if (::fstat(root.get(), &status) != 0) return store_failure(doing);
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    return failure(doing, "others could change what is in it", "give it to yourself, with mode 0700");
  for (const char* name : {"layers", "images", kUnpacking})
    if (::mkdirat(root.get(), name, 0700) != 0 && errno != EEXIST) return store_failure(doing);
  return LayerStore(path, std::move(root));
}

Parsed<UniqueFd> LayerStore::lock() {
  const std::string doing = "lock the store of images";
  UniqueFd file(::openat(root_.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return store_failure(doing);
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return store_failure(doing);
  clear_unpacking();
  return file;
}

void LayerStore::clear_unpacking() {
  auto directory = open_beneath(root_.get(), kUnpacking, O_RDONLY | O_DIRECTORY);
  if (!directory) return;
  auto names = list_names(directory->get());
  if (!names) return;
  for (const std::string& name : *names) (void)vfs::remove_host_tree({directory->get(), name.c_str()});
}

std::optional<HeldLayer> LayerStore::hold(const Digest& diff_id) {
  auto directory = open_beneath(root_.get(), layer_path(diff_id), O_RDONLY | O_DIRECTORY);
  if (!directory || ::flock(directory->get(), LOCK_SH) != 0) return std::nullopt;
  // Whoever removed it meanwhile moved it away first.
  if (!is_same_file(directory->get(), root_.get(), layer_path(diff_id).c_str())) return std::nullopt;
  return HeldLayer{fmt::format("{}/{}/tree", path_, layer_path(diff_id)), *std::move(directory)};
}

Parsed<void> LayerStore::move_into_place(const std::string& from, const Digest& diff_id) {
  const std::string doing = "keep the unpacked layer";
  auto made = open_beneath(root_.get(), from, O_RDONLY | O_DIRECTORY);
  if (!made) return store_failure(doing, made.error());
  // A name that survives a power failure while content does not would be believed for ever.
  if (::syncfs(made->get()) != 0) return store_failure(doing);
  if (::renameat(root_.get(), from.c_str(), root_.get(), layer_path(diff_id).c_str()) != 0)
    return store_failure(doing);
  return {};
}

Parsed<void> LayerStore::add(const Layer& layer, const Blob& blob) {
  const std::string doing = "make room for a layer in the store of images";
  const std::string item = fmt::format("{}/{}", kUnpacking, layer.diff_id.hex());
  if (::mkdirat(root_.get(), item.c_str(), 0700) != 0 ||
      ::mkdirat(root_.get(), (item + "/tree").c_str(), 0755) != 0)
    return store_failure(doing);
  auto tree = open_beneath(root_.get(), item + "/tree", O_RDONLY | O_DIRECTORY);
  // What a layer without an entry for its root shows, whatever the caller's umask.
  if (!tree || ::fchmod(tree->get(), 0755) != 0)
    return store_failure(doing, tree ? Errno::last() : tree.error());
  auto unpacked = unpack_layer(layer, blob, tree->get());
  if (unpacked) return move_into_place(item, layer.diff_id);
  clear_unpacking();
  return unpacked;
}

Parsed<std::string> LayerStore::base() {
  const std::string doing = "make the tree below all images";
  const std::string tree = path_ + "/base/tree";
  if (stat_name(root_.get(), "base")) return tree;
  UniqueFd own = TRY(lock());
  if (stat_name(root_.get(), "base")) return tree;
  const std::string item = fmt::format("{}/base", kUnpacking);
  for (const char* name : {"", "/tree", "/tree/etc"}) {
    auto made = ::mkdirat(root_.get(), (item + name).c_str(), 0755);
    if (made != 0 || ::fchmodat(root_.get(), (item + name).c_str(), 0755, 0) != 0)
      return store_failure(doing);
  }
  UniqueFd hosts(::openat(root_.get(), (item + "/tree/etc/hosts").c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!hosts || ::fchmod(hosts.get(), 0644) != 0) return store_failure(doing);
  if (auto written = write_all(hosts.get(), kHosts); !written) return store_failure(doing, written.error());
  if (::syncfs(hosts.get()) != 0 || ::renameat(root_.get(), item.c_str(), root_.get(), "base") != 0)
    return store_failure(doing);
  return tree;
}

Parsed<std::vector<HeldLayer>> LayerStore::provide(const Image& image, ImageFiles& files) {
  std::vector<HeldLayer> held;
  UniqueFd own;  // taken when something is missing
  for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer) {
    auto found = hold(layer->diff_id);
    if (!found && !own) {
      own = TRY(lock());
      found = hold(layer->diff_id);
    }
    if (!found) {
      TRY(add(*layer, TRY(files.blob(layer->path))));
      found = hold(layer->diff_id);
    }
    if (!found) return store_failure("use an unpacked layer", Errno(ENOENT));
    held.push_back(*std::move(found));
  }
  return held;
}

Parsed<void> LayerStore::remember(const Image& image, const std::string& name) {
  nlohmann::json layers = nlohmann::json::array();
  for (const Layer& layer : image.layers) layers.push_back(layer.diff_id.text());
  nlohmann::json record{{"name", name}, {"used_at", ::time(nullptr)}, {"layers", std::move(layers)}};
  // A name that is no UTF-8 is kept as far as it is.
  const std::string text = record.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::string doing = "remember the image";
  const std::string draft = fmt::format("images/.{}.{}", image.id.hex(), ::getpid());
  UniqueFd file(
      ::openat(root_.get(), draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return store_failure(doing);
  if (auto written = write_all(file.get(), text); !written) return store_failure(doing, written.error());
  if (::renameat(root_.get(), draft.c_str(), root_.get(), record_path(image.id).c_str()) != 0)
    return store_failure(doing);
  return {};
}

Parsed<std::vector<StoredImage>> LayerStore::images() {
  const std::string doing = "list the store of images";
  auto directory = open_beneath(root_.get(), "images", O_RDONLY | O_DIRECTORY);
  if (!directory) return store_failure(doing, directory.error());
  auto names = list_names(directory->get());
  if (!names) return store_failure(doing, names.error());
  std::vector<StoredImage> found;
  for (const std::string& name : *names) {
    auto id = Digest::from_hex(name);
    auto file =
        id ? open_beneath(directory->get(), name, O_RDONLY | O_NONBLOCK) : Result<UniqueFd>(err(ENOENT));
    if (!file) continue;
    std::string text(ImageFiles::kLargestText, '\0');
    ssize_t count = ::read(file->get(), text.data(), text.size());
    text.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
    if (auto stored = parse_record(text, *id)) found.push_back(*std::move(stored));
  }
  std::ranges::stable_sort(found, std::greater(), &StoredImage::used_at);
  return found;
}

uint64_t LayerStore::size_of(const Digest& layer) {
  auto directory = open_beneath(root_.get(), layer_path(layer), O_RDONLY | O_DIRECTORY);
  return directory ? size_of_tree(directory->get()) : 0;
}

Parsed<void> LayerStore::forget(const StoredImage& image) {
  if (::unlinkat(root_.get(), record_path(image.id).c_str(), 0) != 0 && errno != ENOENT)
    return store_failure(fmt::format("forget the image {}", image.id.short_text()));
  return {};
}

Parsed<uint64_t> LayerStore::remove_unneeded() {
  UniqueFd own = TRY(lock());
  std::vector<Digest> needed;
  for (const StoredImage& image : TRY(images()))
    needed.insert(needed.end(), image.layers.begin(), image.layers.end());
  auto directory = open_beneath(root_.get(), "layers", O_RDONLY | O_DIRECTORY);
  auto names = directory ? list_names(directory->get()) : Result<std::vector<std::string>>(err(ENOENT));
  if (!names) return store_failure("list the store of images", names.error());
  uint64_t freed = 0;
  for (const std::string& name : *names) {
    auto diff_id = Digest::from_hex(name);
    if (!diff_id || std::ranges::count(needed, *diff_id) != 0) continue;
    auto layer = open_beneath(directory->get(), name, O_RDONLY | O_DIRECTORY);
    if (!layer || ::flock(layer->get(), LOCK_EX | LOCK_NB) != 0) continue;  // in use
    const uint64_t size = size_of_tree(layer->get());
    const std::string away = fmt::format("{}/{}", kUnpacking, name);
    if (::renameat(directory->get(), name.c_str(), root_.get(), away.c_str()) == 0) freed += size;
  }
  clear_unpacking();
  return freed;
}

}  // namespace sandbox::tools::image
