// Command lines: where the program starts, and CLI11's errors in our words.
#include "tools/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

#include "tools/messages.h"

namespace sandbox::tools {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(36); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return fmt::format("\nUsage: {}\n", usage_);
  }

 private:
  std::string usage_;
};

// Every spelling of every option: "--bind", "-w".
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

bool takes_value(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_max() > 0;
}

RunFailure unknown_argument(const CLI::App& app, const std::string& argument) {
  std::string name = argument.substr(0, argument.find('='));
  RunFailure failure{.doing = "understand the command line",
                     .reason = fmt::format("sandbox {} has no option {}", app.get_name(), printable(name)),
                     .advice = fmt::format("sandbox {} --help", app.get_name())};
  if (!name.starts_with('-'))
    failure.reason = fmt::format("`{}` is one argument too many", printable(argument));
  std::vector<std::string> names = option_names(app);
  std::string_view meant = nearest_word(name, names);
  if (name.starts_with("--") && !meant.empty()) failure.advice = meant;
  return failure;
}

}  // namespace

void set_usage(CLI::App& app, std::string usage) {
  app.formatter(std::make_shared<HelpFormatter>(std::move(usage)));
}

std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> arguments) {
  auto parsed = parse_words(app, std::move(arguments));
  if (parsed) return std::nullopt;
  if (parsed.error().exit_code != 0) return report(parsed.error());
  fmt::print("{}", app.help());
  return 0;
}

std::expected<void, RunFailure> parse_words(CLI::App& app, std::vector<std::string> words) {
  std::ranges::reverse(words);  // CLI11 takes them from the back
  try {
    app.parse(std::move(words));
    return {};
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(
        RunFailure{.doing = "do more", .reason = "--help is asked for", .advice = "", .exit_code = 0});
  } catch (const CLI::ExtrasError&) {
    return std::unexpected(unknown_argument(app, app.remaining().front()));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(RunFailure{.doing = "understand the command line",
                                      .reason = printable(error.what()),
                                      .advice = fmt::format("sandbox {} --help", app.get_name())});
  }
}

CutCommandLine cut_at_program(const CLI::App& app, int argc, char** argv) {
  CutCommandLine cut;
  int index = 1;
  for (; index < argc; ++index) {
    std::string_view word = argv[index];
    if (word == "--") {
      ++index;
      break;
    }
    if (!word.starts_with('-') || word == "-") break;
    cut.options.emplace_back(word);
    bool is_long = word.starts_with("--");
    bool has_own_value = is_long ? word.contains('=') : word.size() > 2;
    std::string name(is_long ? word : word.substr(0, 2));
    bool needs_next = !has_own_value && takes_value(app, name);
    if (needs_next && index + 1 < argc && argv[index + 1] != std::string_view("--"))
      cut.options.emplace_back(argv[++index]);
  }
  for (; index < argc; ++index) cut.program.emplace_back(argv[index]);
  return cut;
}

}  // namespace sandbox::tools
