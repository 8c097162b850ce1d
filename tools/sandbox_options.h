// SandboxOptions: the options of `sandbox run`, for other verbs that run a program in a sandbox.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/command_line.h"
#include "tools/run_options.h"

namespace sandbox::tools {

class SandboxOptions {
 public:
  // Binds them to `app`, which outlives this. --env has no short form here.
  explicit SandboxOptions(CLI::App& app);
  ~SandboxOptions();

  // Once the command line is parsed: sets up the log, and says what sandbox was asked for. Nothing runs yet.
  Parsed<SandboxConfig> config(std::vector<std::string> program) const;

 private:
  struct Typed;
  std::unique_ptr<Typed> typed_;
};

}  // namespace sandbox::tools
