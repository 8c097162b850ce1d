// `sandbox apply`: copies chosen changes of a kept run to the host.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "tools/change_list.h"
#include "tools/command_line.h"
#include "tools/host_writer.h"
#include "tools/messages.h"
#include "tools/verbs.h"

namespace sandbox::tools {
namespace {

struct ApplyOptions {
  std::string directory, rootfs = "/";
  std::vector<std::string> paths;
  bool needs_no_answer = false, is_dry_run = false;
};

// "/etc//hosts/" -> "etc/hosts". Relative paths count from the root, as the list shows them.
std::string below_root(const std::string& path) { return absolute_path("/" + path).substr(1); }

// The changes at or below the chosen paths (all without any), and the new directories above them, without
// which they would have no place.
Parsed<std::vector<const Change*>> choose_changes(const UpperTree& tree,
                                                  const std::vector<std::string>& paths) {
  std::vector<const Change*> chosen;
  std::vector<std::string> wanted;
  for (const std::string& path : paths) wanted.push_back("/" + below_root(path));
  for (const std::string& path : wanted) {
    bool is_known = std::ranges::any_of(
        tree.changes(), [&](const Change& change) { return is_within("/" + change.path, path); });
    if (!is_known)
      return std::unexpected(RunFailure{.doing = fmt::format("apply {}", printable(path)),
                                        .reason = "nothing was changed there",
                                        .advice = "a path that `sandbox diff` lists"});
  }
  for (const Change& change : tree.changes()) {
    std::string path = "/" + change.path;
    bool is_directory = change.kind != Change::Kind::kDeleted && S_ISDIR(change.status.st_mode);
    bool makes_place =
        is_directory && (change.kind == Change::Kind::kAdded || (change.differences & kDiffersInType) != 0);
    bool is_chosen = wanted.empty() || std::ranges::any_of(wanted, [&](const std::string& choice) {
                       return is_within(path, choice) || (makes_place && is_within(choice, path));
                     });
    if (is_chosen) chosen.push_back(&change);
  }
  return chosen;
}

enum class Answer { kYes, kNo, kNobodyThere };
Answer ask(size_t count, const std::string& rootfs) {
  if (::isatty(STDIN_FILENO) == 0) return Answer::kNobodyThere;
  fmt::print("Make these {} changes to {}? [y/N] ", count, printable(rootfs));
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
  return line == "y" || line == "Y" || line == "yes" ? Answer::kYes : Answer::kNo;
}

int report_half_way(const std::string& path, Errno error, size_t done, size_t total) {
  std::string advice = error == Errno(ELOOP)    ? "look at the symbolic link in its way on the host"
                       : error == Errno(EPERM)  ? "as root, or without the changes that need it"
                       : error == Errno(EACCES) ? "as a user who may write there"
                       : error == Errno(EXDEV)
                           ? "delete it by hand: another file system is mounted there"
                           : "remove the cause, then apply again: what is done stays done";
  return report({.doing = fmt::format("apply /{}", printable(path)),
                 .reason = fmt::format("{}; {} of {} changes are made, the others are not", reason_of(error),
                                       done, total),
                 .advice = advice});
}

int carry_out(const UpperTree& tree, const ApplyOptions& options, const std::vector<const Change*>& chosen) {
  auto writer = HostWriter::open(tree, options.rootfs);
  if (!writer) return report(writer.error());
  size_t done = 0;
  Result<void> result;
  for (const Change* change : chosen) {
    result = writer->apply(*change);
    if (!result) break;
    ++done;
    fmt::print("{}\n", line_of(*change));
  }
  std::string failed_path = result ? "" : chosen[done]->path;
  std::string failed_directory;
  auto finished = writer->finish(&failed_directory);
  if (!result) return report_half_way(failed_path, result.error(), done, chosen.size());
  if (!finished) return report_half_way(failed_directory, finished.error(), done, chosen.size());
  fmt::print("{} change{} made\n", done, done == 1 ? "" : "s");
  return 0;
}

}  // namespace

int verb_apply(int argc, char** argv) {
  ApplyOptions options;
  CLI::App app("Copy changes of a kept run to the host: all of them, or those at and below each PATH.",
               "apply");
  set_usage(app, "sandbox apply [--rootfs DIR] [--yes] [--dry-run] DIR [PATH...]");
  app.add_option("DIR", options.directory, "the directory of `sandbox run --keep`")->type_name("");
  app.add_option("PATH", options.paths, "as `sandbox diff` lists them")->type_name("");
  app.add_option("--rootfs", options.rootfs, "what the run had as its root")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_flag("-y,--yes", options.needs_no_answer, "do not ask");
  app.add_flag("-n,--dry-run", options.is_dry_run, "only list what would be done");
  if (auto exit_code = parse_command_line(app, {argv + 1, argv + argc})) return *exit_code;
  if (options.directory.empty())
    return report(
        {.doing = "apply changes", .reason = "no directory is named", .advice = "sandbox apply DIR"});

  auto tree = UpperTree::read(options.directory, options.rootfs);
  if (!tree) return report(tree.error());
  auto chosen = choose_changes(*tree, options.paths);
  if (!chosen) return report(chosen.error());
  if (chosen->empty()) {
    fmt::print("nothing to apply\n");
    return 0;
  }
  if (options.is_dry_run || !options.needs_no_answer) print_text(*tree, *chosen, Risks::kShow);
  if (options.is_dry_run) return 0;
  if (!options.needs_no_answer) {
    Answer answer = ask(chosen->size(), options.rootfs);
    if (answer == Answer::kNobodyThere)
      return report(
          {.doing = "ask whether to apply", .reason = "standard input is no terminal", .advice = "--yes"});
    if (answer == Answer::kNo) {
      fmt::print("nothing was changed\n");
      return 0;
    }
  }
  return carry_out(*tree, options, *chosen);
}

}  // namespace sandbox::tools
