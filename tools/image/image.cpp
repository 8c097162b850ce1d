// Reading index, manifest and configuration: a digest is checked before anything it names is believed.
#include "tools/image/image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sentry/failure.h"
#include "tools/messages.h"
#include "tools/oci/json_node.h"

namespace sandbox::tools::image {
namespace {

using nlohmann::json;
using oci::JsonNode;
using oci::Problems;

constexpr size_t kMostLayers = 512;
constexpr int kDeepestIndex = 4;
constexpr const char* kMakeAnew = "make the image anew: skopeo copy docker://NAME oci:DIR";
constexpr const char* kTagKey = "org.opencontainers.image.ref.name";

struct Descriptor {
  std::string media_type, tag, platform;  // platform: "linux/amd64"; empty: not said
  Digest digest;
  uint64_t size;
};

std::unexpected<RunFailure> bad_image(std::string reason, std::string advice = kMakeAnew) {
  return failure("use the image", std::move(reason), std::move(advice));
}

std::string list_of(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < names.size() && i < 20; ++i) shown.push_back(printable(names[i]));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > 20 ? ", ..." : "");
}

// What docker names after its content: HEX.json, and blobs/sha256/HEX.
std::optional<Digest> digest_in_name(std::string_view path) {
  constexpr std::string_view kBlobs = "blobs/sha256/", kEnd = ".json";
  if (path.starts_with(kBlobs))
    path.remove_prefix(kBlobs.size());
  else if (path.ends_with(kEnd))
    path.remove_suffix(kEnd.size());
  else
    return std::nullopt;
  return Digest::from_hex(path);
}

class Reader {
 public:
  explicit Reader(ImageFiles& files) : files_(files) {}

  Parsed<Image> read_oci(const std::string& tag);
  Parsed<Image> read_docker(const std::string& name);

 private:
  static std::string blob_path(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }
  Parsed<json> document(const std::string& path, const std::optional<Digest>& digest,
                        std::optional<uint64_t> size);
  Parsed<std::vector<Descriptor>> descriptors(const json& index);
  std::optional<Descriptor> read_descriptor(const JsonNode& node);
  Parsed<Descriptor> choose(std::vector<Descriptor> candidates, const std::string& tag);
  Parsed<json> manifest_of(const Descriptor& chosen, int depth);
  Parsed<Image> read_config(const std::string& path, const Digest& digest, std::vector<Layer> layers);
  Parsed<void> check() const {
    if (problems_.is_empty()) return {};
    RunFailure first = problems_.first();
    first.doing = "use the image";
    first.reason = fmt::format("{}: {}", problems_.first().doing, printable(problems_.first().reason));
    first.advice = kMakeAnew;
    return std::unexpected(std::move(first));
  }

  ImageFiles& files_;
  Problems problems_;
};

Parsed<json> Reader::document(const std::string& path, const std::optional<Digest>& digest,
                              std::optional<uint64_t> size) {
  std::string text = TRY(files_.text(path));
  if (size && *size != text.size())
    return bad_image(fmt::format("{} has {} bytes, and its descriptor says {}", path, text.size(), *size));
  if (digest && digest_of(text) != *digest)
    return bad_image(
        fmt::format("{} is not what its digest says: its own is {}", path, digest_of(text).text()));
  return oci::parse_json(text, fmt::format("{} of the image", printable(path)));
}

std::optional<Descriptor> Reader::read_descriptor(const JsonNode& node) {
  std::string text = node["digest"].text();
  auto digest = Digest::parse(text);
  if (!digest) {
    node["digest"].fail(fmt::format("{} is no sha256 digest", printable(text)));
    return std::nullopt;
  }
  Descriptor descriptor{.media_type = node["mediaType"].text(),
                        .tag = node["annotations"][kTagKey].text(),
                        .platform = "",
                        .digest = *digest,
                        .size = node["size"].unsigned_number()};
  JsonNode platform = node["platform"];
  if (platform)
    descriptor.platform = fmt::format("{}/{}", platform["os"].text(), platform["architecture"].text());
  return descriptor;
}

Parsed<std::vector<Descriptor>> Reader::descriptors(const json& index) {
  std::vector<Descriptor> found;
  for (const JsonNode& node : JsonNode(&index, "index", problems_)["manifests"].items())
    if (auto descriptor = read_descriptor(node)) found.push_back(*std::move(descriptor));
  TRY(check());
  return found;
}

// Of one name, or of one index.
Parsed<Descriptor> Reader::choose(std::vector<Descriptor> candidates, const std::string& tag) {
  if (candidates.empty()) return bad_image("there is no image in it");
  std::vector<std::string> tags, platforms;
  for (const Descriptor& candidate : candidates)
    if (!candidate.tag.empty() && std::ranges::count(tags, candidate.tag) == 0) tags.push_back(candidate.tag);
  if (!tag.empty()) {
    std::erase_if(candidates, [&](const Descriptor& candidate) { return candidate.tag != tag; });
    if (candidates.empty())
      return bad_image(fmt::format("it has no tag {}", printable(tag)),
                       tags.empty() ? "leave the tag out: it has none at all" : "one of " + list_of(tags));
  }
  for (const Descriptor& candidate : candidates)
    if (!candidate.platform.empty()) platforms.push_back(candidate.platform);
  std::erase_if(candidates, [](const Descriptor& candidate) {
    return !candidate.platform.empty() && candidate.platform != "linux/amd64";
  });
  if (candidates.empty())
    return bad_image(fmt::format("it is not for linux/amd64 but for {}", list_of(platforms)),
                     "skopeo copy --override-arch amd64");
  const bool is_clear = std::ranges::all_of(
      candidates, [&](const Descriptor& other) { return other.digest == candidates[0].digest; });
  if (!is_clear)
    return bad_image("it has several images", tags.empty() ? "a layout with one image, or with tags"
                                                           : "add the tag: one of " + list_of(tags));
  return candidates.front();
}

Parsed<json> Reader::manifest_of(const Descriptor& chosen, int depth) {
  if (depth > kDeepestIndex) return bad_image("its indexes are nested too deep");
  json found = TRY(document(blob_path(chosen.digest), chosen.digest, chosen.size));
  if (found.contains("layers")) return found;
  if (!found.contains("manifests"))
    return bad_image(fmt::format("{} is neither a manifest nor an index", chosen.digest.text()));
  Descriptor inner = TRY(choose(TRY(descriptors(found)), ""));
  return manifest_of(inner, depth + 1);
}

bool is_layer_type(std::string_view media_type) {
  constexpr std::string_view kBeginnings[] = {
      "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"};
  constexpr std::string_view kEnds[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};
  for (std::string_view beginning : kBeginnings)
    if (media_type.starts_with(beginning))
      return std::ranges::find(kEnds, media_type.substr(beginning.size())) != std::end(kEnds);
  return false;
}

Parsed<Image> Reader::read_oci(const std::string& tag) {
  if (!files_.has("index.json")) return bad_image("it has no index.json, so it is no OCI image layout");
  json index = TRY(document("index.json", std::nullopt, std::nullopt));
  Descriptor chosen = TRY(choose(TRY(descriptors(index)), tag));
  json manifest = TRY(manifest_of(chosen, 0));
  JsonNode root(&manifest, "manifest", problems_);
  std::vector<Layer> layers;
  for (const JsonNode& node : root["layers"].items()) {
    auto descriptor = read_descriptor(node);
    if (!descriptor) break;
    if (!is_layer_type(descriptor->media_type))
      return bad_image(fmt::format("its layer {} has the unknown type {}", descriptor->digest.short_text(),
                                   printable(descriptor->media_type)),
                       "layers of the type tar, tar+gzip or tar+zstd, not encrypted");
    layers.push_back({.path = blob_path(descriptor->digest),
                      .digest = descriptor->digest,
                      .size = descriptor->size,
                      .diff_id = descriptor->digest});
  }
  auto config = read_descriptor(root["config"]);
  TRY(check());
  return read_config(blob_path(config->digest), config->digest, std::move(layers));
}

Parsed<Image> Reader::read_docker(const std::string& name) {
  if (!files_.has("manifest.json"))
    return bad_image("it has no manifest.json, so `docker save` did not write it");
  std::string text = TRY(files_.text("manifest.json"));
  // The only document that is an array.
  json wrapped = TRY(oci::parse_json(fmt::format("{{\"images\":{}}}", text), "manifest.json of the image"));
  std::vector<JsonNode> images = JsonNode(&wrapped, "manifest", problems_)["images"].items();
  std::vector<std::string> tags;
  std::optional<JsonNode> chosen;
  size_t matches = 0;
  for (const JsonNode& image : images) {
    bool is_match = name.empty();
    for (const std::string& tag : image["RepoTags"].texts()) {
      tags.push_back(tag);
      is_match |= tag == name || tag == name + ":latest" || tag.ends_with("/" + name);
    }
    if (!is_match) continue;
    ++matches;
    chosen.emplace(image);
  }
  TRY(check());
  if (matches == 0 && images.empty()) return bad_image("there is no image in it");
  if (matches != 1)
    return bad_image(name.empty() ? "it has several images"
                                  : fmt::format("{} images are called {}", matches, printable(name)),
                     tags.empty() ? "an archive with one image" : "one of " + list_of(tags));
  std::vector<Layer> layers;
  for (const std::string& path : (*chosen)["Layers"].texts())
    layers.push_back(
        {.path = path, .digest = digest_in_name(path), .size = std::nullopt, .diff_id = digest_of("")});
  const std::string config = (*chosen)["Config"].text();
  TRY(check());
  auto digest = digest_in_name(config);
  return read_config(config, digest ? *digest : digest_of(TRY(files_.text(config))), std::move(layers));
}

Parsed<Image> Reader::read_config(const std::string& path, const Digest& digest, std::vector<Layer> layers) {
  json document_json = TRY(document(path, digest, std::nullopt));
  JsonNode root(&document_json, "configuration", problems_);
  std::string platform = fmt::format("{}/{}", root["os"].text("linux"), root["architecture"].text("amd64"));
  std::vector<std::string> diff_ids = root["rootfs"]["diff_ids"].texts();
  JsonNode config = root["config"];
  ImageConfig read{.environment = config["Env"].texts(),
                   .entrypoint = config["Entrypoint"].texts(),
                   .command = config["Cmd"].texts(),
                   .user = config["User"].text(),
                   .working_directory = config["WorkingDir"].text()};
  TRY(check());
  if (platform != "linux/amd64")
    return bad_image(fmt::format("it is for {}, and this machine is linux/amd64", printable(platform)),
                     "skopeo copy --override-arch amd64");
  if (layers.empty()) return bad_image("it has no layer");
  if (layers.size() > kMostLayers) return bad_image(fmt::format("it has more than {} layers", kMostLayers));
  if (diff_ids.size() != layers.size())
    return bad_image(
        fmt::format("it has {} layers, and its configuration knows {}", layers.size(), diff_ids.size()));
  for (size_t i = 0; i < layers.size(); ++i) {
    auto diff_id = Digest::parse(diff_ids[i]);
    if (!diff_id) return bad_image(fmt::format("{} is no sha256 digest", printable(diff_ids[i])));
    layers[i].diff_id = *diff_id;
  }
  return Image{.id = digest, .layers = std::move(layers), .config = std::move(read)};
}

}  // namespace

Parsed<Image> read_image(ImageFiles& files, const ImageReference& reference) {
  Reader reader(files);
  auto image = reference.transport == ImageReference::Transport::kDockerArchive
                   ? reader.read_docker(reference.name)
                   : reader.read_oci(reference.name);
  if (!image && image.error().doing == "use the image")
    image.error().doing = fmt::format("use the image {}", printable(reference.path));
  return image;
}

}  // namespace sandbox::tools::image
