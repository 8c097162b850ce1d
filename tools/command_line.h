// Command lines: CLI11 with this project's way of telling errors; its exceptions end here.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "sentry/sandbox_config.h"

namespace sandbox::tools {

// The line that --help opens with: "sandbox run [OPTIONS] [--] PROGRAM [ARGUMENTS]".
void set_usage(CLI::App& app, std::string usage);

// Parses `arguments` (without the verb) into the variables bound to `app`. Nothing when the verb may go
// on; else the exit code: 0 after printing --help, kOwnFailure after reporting an error.
std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> arguments);

// The same for words that nobody typed here. Errors: in words; --help is one, with exit code 0.
std::expected<void, RunFailure> parse_words(CLI::App& app, std::vector<std::string> words);

// Where a command line that ends in a program is cut: the options before, the program and its arguments
// after. The program starts after `--`, or at the first word that is neither an option nor an option's
// value. An unknown option ends up among the options, for parse_command_line to report.
struct CutCommandLine {
  std::vector<std::string> options;
  std::vector<std::string> program;
};
CutCommandLine cut_at_program(const CLI::App& app, int argc, char** argv);

}  // namespace sandbox::tools
