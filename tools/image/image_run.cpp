// An image's way into a run.
#include "tools/image/image_run.h"

#include "sentry/failure.h"
#include "tools/image/layer_store.h"

namespace sandbox::tools::image {

Parsed<ProvidedImage> provide_image(const std::string& reference) {
  ImageReference parsed = TRY(parse_image_reference(reference));
  auto files = TRY(ImageFiles::open(parsed));
  Image image = TRY(read_image(*files, parsed));
  LayerStore store = TRY(LayerStore::open());
  auto layers = std::make_shared<std::vector<HeldLayer>>(TRY(store.provide(image, *files)));
  TRY(store.remember(image, reference));
  ProvidedImage provided{.config = std::move(image.config), .trees = {}, .held = layers};
  for (const HeldLayer& layer : *layers) provided.trees.push_back(layer.tree);
  provided.trees.push_back(TRY(store.base()));
  return provided;
}

Parsed<std::vector<std::string>> program_of(const ImageConfig& config,
                                            const std::optional<std::string>& entrypoint,
                                            std::vector<std::string> typed) {
  std::vector<std::string> program;
  if (!entrypoint)
    program = config.entrypoint;
  else if (!entrypoint->empty())
    program.push_back(*entrypoint);
  const std::vector<std::string>& rest = typed.empty() && !entrypoint ? config.command : typed;
  program.insert(program.end(), rest.begin(), rest.end());
  if (program.empty() || program.front().empty())
    return failure("run the image", "it names no program, and none was typed",
                   "sandbox run --image IMAGE -- PROGRAM");
  return program;
}

}  // namespace sandbox::tools::image
