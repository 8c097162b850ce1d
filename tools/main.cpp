// The `sandbox` command: finds the verb and hands over to it.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/messages.h"
#include "tools/oci/runtime.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

constexpr Verb kVerbs[] = {
    {"run", "run a program in a sandbox", verb_run},
    {"trace", "show what a program does, call by call", verb_trace},
    {"diff", "show what a kept run changed", verb_diff},
    {"apply", "copy changes of a kept run to the host", verb_apply},
    {"ps", "list running sandboxes, or the processes of one", verb_ps},
    {"top", "show which processes of a sandbox use the CPU", verb_top},
    {"stats", "show what running sandboxes use", verb_stats},
    {"pause", "stop a running sandbox for a while", verb_pause},
    {"resume", "let a paused sandbox go on", verb_resume},
    {"update", "change the limits of a running sandbox", verb_update},
    {"image", "list or remove the images that were unpacked", verb_image},
    {"gc", "remove what killed sandboxes left behind", verb_gc},
    {"info", "say what this host supports, what is degraded, and why", verb_info},
    {"syscalls", "print the list of supported system calls", verb_syscalls},
};

void print_help() {
  fmt::print(
      "sandbox runs Linux programs you do not trust.\n\n"
      "  sandbox run -- ./app        see your files, but write to memory only, with no network\n\n"
      "Verbs:\n");
  for (const Verb& verb : kVerbs) fmt::print("  {:<10} {}\n", verb.name, verb.summary);
  fmt::print(
      "\nOptions:\n"
      "  -h, --help       print this help; `sandbox VERB --help` prints a verb's\n"
      "  -V, --version    print the version\n\n"
      "The manual is sandbox(1).\n");
}

// Whether the word names something that `sandbox run --` could start.
bool names_program(std::string_view word) {
  std::string name(word);
  if (word.contains('/')) return ::access(name.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  std::string_view folders = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!folders.empty()) {
    std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    if (::access(fmt::format("{}/{}", folder, name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

int report_unknown_verb(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  RunFailure failure{.doing = "understand the command line",
                     .reason = fmt::format("`{}` is not a verb of sandbox", printable(word)),
                     .advice = "sandbox --help"};
  std::string_view meant = nearest_word(word, names);
  if (!meant.empty())
    failure.advice = fmt::format("sandbox {}", meant);
  else if (names_program(word))
    failure.advice = fmt::format("sandbox run -- {}", printable(word));
  return report(failure);
}

int dispatch(int argc, char** argv) {
  if (argc < 2) {
    print_help();
    return kOwnFailure;
  }
  std::string_view word = argv[1];
  if (word == "--help" || word == "-h" || word == "help") {
    print_help();
    return 0;
  }
  if (word == "--version" || word == "-V") {
    fmt::print("sandbox {}\n", SANDBOX_VERSION);
    return 0;
  }
  if (oci::is_for_runtime(argc, argv)) return oci::runtime_main(argc, argv);
  for (const Verb& verb : kVerbs)
    if (word == verb.name) return verb.main(argc - 1, argv + 1);
  return report_unknown_verb(word);
}

}  // namespace
}  // namespace sandbox::tools

int main(int argc, char** argv) {
  // The sentry's few threads seldom allocate at once; a further arena costs each of them at its start.
  ::mallopt(M_ARENA_MAX, 1);
  sandbox::tools::set_up_log("warn", sandbox::tools::LogFormat::kText);
  int exit_code = sandbox::tools::dispatch(argc, argv);
  // `sandbox diff | head` is no failure, a full disk is.
  if (std::fflush(stdout) != 0 && errno != EPIPE && exit_code == 0) {
    exit_code = sandbox::tools::report({.doing = "write to standard output",
                                        .reason = sandbox::tools::reason_of(sandbox::Errno::last()),
                                        .advice = "look whether the disk is full"});
  }
  return exit_code;
}
