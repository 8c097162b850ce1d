// `sandbox info`: what this host supports, what is degraded, why, and what to do about it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/command_line.h"
#include "tools/json_text.h"
#include "tools/messages.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

const char* word_for(HostFeature::State state) {
  switch (state) {
    case HostFeature::State::kWorks:
      return "works";
    case HostFeature::State::kDegraded:
      return "degraded";
    case HostFeature::State::kMissing:
      return "missing";
  }
  return "?";
}

void print_text(const std::vector<HostFeature>& features) {
  size_t widest = 0;
  for (const HostFeature& feature : features) widest = std::max(widest, feature.name.size());
  unsigned working = 0;
  for (const HostFeature& feature : features) {
    fmt::print("{:<{}}  {:<8}  {}\n", feature.name, widest, word_for(feature.state),
               printable(feature.detail));
    if (!feature.consequence.empty()) fmt::print("{:<{}}            {}\n", "", widest, feature.consequence);
    if (feature.state == HostFeature::State::kWorks) ++working;
  }
  fmt::print("\n{} of {} work\n", working, features.size());
}

void print_json(const std::vector<HostFeature>& features) {
  auto document = nlohmann::ordered_json::array();
  for (const HostFeature& feature : features)
    document.push_back({{"name", feature.name},
                        {"state", word_for(feature.state)},
                        {"detail", feature.detail},
                        {"consequence", feature.consequence}});
  fmt::print("{}\n", json_document(document));
}

}  // namespace

int verb_info(int argc, char** argv) {
  std::string format = "text";
  CLI::App app("Say what this host supports, what is degraded, why, and what would help.", "info");
  set_usage(app, "sandbox info [--format text|json]");
  app.add_option("--format", format, "form of the list")->type_name("text|json")->capture_default_str();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (format != "text" && format != "json")
    return report({.doing = "understand the command line",
                   .reason = fmt::format("{} is none of the values of --format", printable(format)),
                   .advice = "--format text|json"});
  std::vector<HostFeature> features = probe_host();
  format == "json" ? print_json(features) : print_text(features);
  return 0;
}

}  // namespace sandbox::tools
