// `sandbox image`: shows what the store of images has, and makes room.
#include <fmt/format.h>

#include <algorithm>

#include "tools/command_line.h"
#include "tools/image/layer_store.h"
#include "tools/messages.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

using image::LayerStore;
using image::StoredImage;

// Layers that several images share count for each of them.
Parsed<void> list_images(LayerStore& store) {
  fmt::print("{:<12}  {:>10}  {:>6}  {}\n", "ID", "SIZE", "LAYERS", "IMAGE");
  for (const StoredImage& stored : TRY(store.images())) {
    uint64_t size = 0;
    for (const image::Digest& layer : stored.layers) size += store.size_of(layer);
    fmt::print("{:<12}  {:>10}  {:>6}  {}\n", stored.id.short_text(), size_in_words(size),
               stored.layers.size(), printable(stored.name));
  }
  return {};
}

Parsed<void> make_room(LayerStore& store) {
  uint64_t freed = TRY(store.remove_unneeded());
  fmt::print("{} freed\n", size_in_words(freed));
  return {};
}

Parsed<void> forget(LayerStore& store, const std::string& word) {
  size_t count = 0;
  for (const StoredImage& stored : TRY(store.images())) {
    const bool is_meant = stored.name == word || (word.size() >= 4 && stored.id.hex().starts_with(word));
    if (!is_meant) continue;
    TRY(store.forget(stored));
    ++count;
  }
  if (count == 0)
    return std::unexpected(RunFailure{.doing = fmt::format("remove the image {}", printable(word)),
                                      .reason = "the store has no image of that id or name",
                                      .advice = "sandbox image ls"});
  return {};
}

Parsed<void> act(const std::string& action, const std::vector<std::string>& words) {
  LayerStore store = TRY(LayerStore::open());
  if (action == "ls") return list_images(store);
  if (action == "prune")
    for (const StoredImage& stored : TRY(store.images())) TRY(store.forget(stored));
  for (const std::string& word : words) TRY(forget(store, word));
  return make_room(store);
}

}  // namespace

int verb_image(int argc, char** argv) {
  std::string action;
  std::vector<std::string> words;
  CLI::App app(
      "Show the images whose layers were unpacked, or remove some (rm) or all (prune) of them.\n"
      "Layers that a running sandbox uses stay.",
      "image");
  set_usage(app, "sandbox image ls | rm IMAGE... | prune");
  app.add_option("action", action, "ls, rm or prune")
      ->required()
      ->check(CLI::IsMember({"ls", "rm", "prune"}));
  app.add_option("images", words, "ids, or names as `ls` shows them");
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if ((action == "rm") != !words.empty())
    return report({.doing = "understand the command line",
                   .reason = action == "rm" ? "no image is named" : fmt::format("{} takes no names", action),
                   .advice = "sandbox image ls | rm IMAGE... | prune"});
  auto done = act(action, words);
  return done ? 0 : report(done.error());
}

}  // namespace sandbox::tools
