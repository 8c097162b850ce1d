// `sandbox diff`: what a kept run added, modified and deleted.
#include <fmt/format.h>

#include "tools/change_list.h"
#include "tools/command_line.h"
#include "tools/messages.h"
#include "tools/verbs.h"

namespace sandbox::tools {

int verb_diff(int argc, char** argv) {
  std::string directory, rootfs = "/", format = "text";
  CLI::App app("Show what a kept run changed: A added, M modified, D deleted.", "diff");
  set_usage(app, "sandbox diff [--rootfs DIR] [--format text|json] DIR");
  app.add_option("DIR", directory, "the directory of `sandbox run --keep`")->type_name("");
  app.add_option("--rootfs", rootfs, "what the run had as its root")->type_name("DIR")->capture_default_str();
  app.add_option("--format", format, "form of the list")->type_name("text|json")->capture_default_str();
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (directory.empty())
    return report({.doing = "show changes", .reason = "no directory is named", .advice = "sandbox diff DIR"});
  if (format != "text" && format != "json")
    return report({.doing = "understand the command line",
                   .reason = fmt::format("{} is none of the values of --format", printable(format)),
                   .advice = "--format text|json"});

  auto tree = UpperTree::read(directory, rootfs);
  if (!tree) return report(tree.error());
  std::vector<const Change*> changes;
  for (const Change& change : tree->changes()) changes.push_back(&change);
  if (format == "json")
    print_json(*tree, changes);
  else
    print_text(*tree, changes, Risks::kLeaveOut);
  return 0;
}

}  // namespace sandbox::tools
