// LayerStore: layers that were unpacked once, under the digest of their content, for every run that needs
// them.
#pragma once

#include <string>
#include <vector>

#include "tools/image/image.h"

namespace sandbox::tools::image {

// A layer in use: nobody removes it while this lives.
struct HeldLayer {
  std::string tree;  // of the host
  UniqueFd lock;
};

// What the store remembers of an image, so that a person can tell what is in it.
struct StoredImage {
  Digest id;
  std::string name;  // as `--image` had it last
  std::vector<Digest> layers;
  int64_t used_at = 0;  // seconds since 1970
};

// $XDG_DATA_HOME/sandbox, or without that /var/lib/sandbox for root and ~/.local/share/sandbox for others; of
// mode 0700, as set-ID programs of images are in it.
//   layers/HEX/tree   the files of the layer with that diff_id, complete; locked (shared) while in use
//   base/tree         what every image has below it
//   images/HEX        what is remembered of the image with that id
//   unpacking/        what is not complete; empty unless somebody holds `lock`
// Safe with any number of commands at once: whoever adds or removes holds `lock`, and an addition is one
// rename. What a killed command left is removed by the next that holds it.
class LayerStore {
 public:
  // Failures: the directory cannot be made or is somebody else's.
  static Parsed<LayerStore> open();

  // A tree for below every image: the files that engines give to containers whose image has none of its own.
  // Of the host. Failures: a full disk.
  Parsed<std::string> base();
  // All of an image's layers, the topmost first, unpacked as far as they are missing.
  Parsed<std::vector<HeldLayer>> provide(const Image& image, ImageFiles& files);
  // Failures: a full disk.
  Parsed<void> remember(const Image& image, const std::string& name);

  // Sorted by the latest use, the last one first.
  Parsed<std::vector<StoredImage>> images();
  // Of its files as they are on the disk, in bytes.
  uint64_t size_of(const Digest& layer);
  Parsed<void> forget(const StoredImage& image);
  // Removes the layers that no image remembered here has and no run uses. How many bytes that gave.
  Parsed<uint64_t> remove_unneeded();

 private:
  LayerStore(std::string path, UniqueFd root) : path_(std::move(path)), root_(std::move(root)) {}

  Parsed<UniqueFd> lock();
  void clear_unpacking();
  std::optional<HeldLayer> hold(const Digest& diff_id);
  Parsed<void> add(const Layer& layer, const Blob& blob);
  Parsed<void> move_into_place(const std::string& from, const Digest& diff_id);

  std::string path_;
  UniqueFd root_;
};

}  // namespace sandbox::tools::image
