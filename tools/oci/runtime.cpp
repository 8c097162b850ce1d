// The table of commands, their options, and the global ones.
#include "tools/oci/runtime.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "tools/messages.h"
#include "tools/oci/creation.h"
#include "tools/oci/runtime_log.h"

namespace sandbox::tools::oci {

namespace {

constexpr Option kGlobalOptions[] = {
    {"root", 0, "DIRECTORY", "where containers are kept (/run/sandbox-oci)"},
    {"log", 0, "FILE", "gets errors as well; engines read its last line"},
    {"log-format", 0, "FORMAT", "text or json"},
    {"debug", 0, "", "accepted"},
    {"systemd-cgroup", 0, "", "cgroupsPath is slice:prefix:name; the group is made without systemd"},
    {"rootless", 0, "WORD", "accepted: found out"},
    {"cgroup-manager", 0, "WORD", "cgroupfs or systemd, as --systemd-cgroup"},
    {"version", 'v', "", "print the version"},
    {"help", 'h', "", "print this help"},
};

constexpr Option kHelp = {"help", 'h', "", "print this help"};
constexpr Option kRun[] = {
    {"detach", 'd', "", "do not wait for it"},
    {"keep", 0, "", "do not delete it afterwards"},
};
constexpr Option kExec[] = {
    {"process", 'p', "FILE", "the process as JSON, as in config.json"},
    {"tty", 't', "", "give it a terminal"},
    {"user", 'u', "USER", "USER[:GROUP], names or numbers"},
    {"additional-gids", 'g', "GROUP", "one more group"},
    {"cwd", 0, "DIRECTORY", "its working directory"},
    {"env", 'e', "NAME=VALUE", "one more variable"},
    {"cap", 'c', "CAPABILITY", "one more capability"},
    {"detach", 'd', "", "do not wait for it"},
    {"pid-file", 0, "FILE", "gets the host's number of the process"},
    {"console-socket", 0, "SOCKET", "gets its terminal"},
    {"preserve-fds", 0, "N", "descriptors 3 to 3+N-1 are passed on"},
    {"ignore-paused", 0, "", "also in a paused container"},
    {"no-new-privs", 0, "", "tell the process that it gains no privileges"},
    {"no-subreaper", 0, "", "accepted: nothing reaps for the engine"},
};
constexpr Option kKill[] = {{"all", 'a', "", "every process of the container"}};
constexpr Option kDelete[] = {{"force", 'f', "", "kill it first; no error when there is none"}};
constexpr Option kList[] = {
    {"format", 'f', "FORMAT", "table or json"},
    {"quiet", 'q', "", "ids only"},
};
constexpr Option kPs[] = {{"format", 'f', "FORMAT", "table or json"}};
constexpr Option kSpec[] = {
    {"bundle", 'b', "DIRECTORY", "where it is written; default: the working directory"},
    {"rootless", 0, "", "for an ordinary user"},
};
constexpr Option kEvents[] = {
    {"stats", 0, "", "once"},
    {"interval", 0, "TIME", "between two lines (5s)"},
};
constexpr Option kUpdate[] = {
    {"resources", 'r', "FILE", "linux.resources as JSON; - is standard input"},
    {"memory", 0, "BYTES", "limit of memory"},
    {"memory-reservation", 0, "BYTES", "memory that is kept for it"},
    {"memory-swap", 0, "BYTES", "limit of memory and swap together"},
    {"cpu-period", 0, "MICROSECONDS", "period of the quota"},
    {"cpu-quota", 0, "MICROSECONDS", "CPU time in each period"},
    {"cpu-share", 0, "NUMBER", "share of the CPU"},
    {"cpuset-cpus", 0, "LIST", "CPUs it may use"},
    {"cpuset-mems", 0, "LIST", "memory nodes it may use"},
    {"pids-limit", 0, "NUMBER", "limit of tasks"},
    {"blkio-weight", 0, "NUMBER", "share of the disks"},
};

struct CommandRow {
  const char* name;
  const char* usage;
  const char* summary;
  std::span<const Option> options;
  Command act;
  Arguments::OptionsEnd end = Arguments::OptionsEnd::kAtDashes;
};

std::vector<CommandRow> command_rows() {
  static const std::vector<Option> run_options = [] {
    std::vector<Option> options(create_options().begin(), create_options().end());
    options.insert(options.end(), std::begin(kRun), std::end(kRun));
    return options;
  }();
  return {
      {"create", "[OPTIONS] ID", "create a container from an OCI bundle", create_options(), command_create},
      {"start", "ID", "let the program of a created container run", {}, command_start},
      {"run", "[OPTIONS] ID", "create and start a container", run_options, command_run},
      {"state", "ID", "print the state of a container as JSON", {}, command_state},
      {"exec", "[OPTIONS] ID PROGRAM [ARGUMENTS]", "execute a program in a running container", kExec,
       command_exec, Arguments::OptionsEnd::kAtFirstWord},
      {"kill", "[--all] ID [SIGNAL]", "send a signal to a container", kKill, command_kill},
      {"delete", "[--force] ID", "remove what is left of a container", kDelete, command_delete},
      {"list", "[OPTIONS]", "list the containers", kList, command_list},
      {"ps", "[OPTIONS] ID [PS OPTIONS]", "list the processes of a container", kPs, command_ps,
       Arguments::OptionsEnd::kAtFirstWord},
      {"pause", "ID", "stop every process of a container", {}, command_pause},
      {"resume", "ID", "let a paused container go on", {}, command_resume},
      {"update", "[OPTIONS] ID", "change the limits of a container", kUpdate, command_update},
      {"events", "[OPTIONS] ID", "print what a container uses", kEvents, command_events},
      {"spec", "[OPTIONS]", "write a config.json", kSpec, command_spec},
      {"features", "", "print what this runtime supports as JSON", {}, command_features},
  };
}

void print_help() {
  fmt::print("Usage: sandbox [OPTIONS] COMMAND\n\nCommands of the OCI runtime:\n");
  for (const CommandRow& row : command_rows()) fmt::print("  {:<10} {}\n", row.name, row.summary);
  fmt::print("\nOptions:\n{}", describe(kGlobalOptions));
}

Configured<int> run_command(const CommandRow& row, const Arguments& global, const RuntimeLog& log,
                            std::vector<std::string> words) {
  std::vector<Option> options(row.options.begin(), row.options.end());
  options.push_back(kHelp);
  Arguments arguments = TRY(Arguments::parse(options, std::move(words), row.end));
  if (arguments.has("help")) {
    fmt::print("Usage: sandbox {} {}\n\n{}.\n\n{}", row.name, row.usage, row.summary, describe(options));
    return 0;
  }
  auto store = ContainerStore::open(global.text("root", ContainerStore::default_root()));
  if (!store) return std::unexpected(store.error());
  return row.act(Runtime{.store = *std::move(store), .log = log}, arguments);
}

const CommandRow* find_row(const std::vector<CommandRow>& rows, const std::string& name) {
  auto found = std::ranges::find_if(rows, [&](const CommandRow& row) { return name == row.name; });
  return found == rows.end() ? nullptr : &*found;
}

Configured<int> dispatch(const Arguments& global, const RuntimeLog& log) {
  if (global.words().empty()) {
    print_help();
    return global.has("help") ? 0 : 1;
  }
  const std::vector<CommandRow> rows = command_rows();
  const CommandRow* row = find_row(rows, global.words()[0]);
  if (row == nullptr)
    return failure("understand the command line",
                   fmt::format("`{}` is no command of the runtime", printable(global.words()[0])),
                   "sandbox --help");
  return run_command(*row, global, log, {global.words().begin() + 1, global.words().end()});
}

// Verbs that the command has for sandboxes with a name as well.
bool is_shared_verb(std::string_view verb) {
  constexpr std::string_view kShared[] = {"run", "ps", "pause", "resume", "update"};
  return std::ranges::count(kShared, verb) > 0;
}

bool has_option_of_create(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return false;
    for (const char* name : {"-b", "--bundle", "-bundle", "--pid-file", "--console-socket", "--preserve-fds"})
      if (word == name || word.starts_with(std::string(name) + "=")) return true;
  }
  return false;
}

}  // namespace

bool is_for_runtime(int argc, char** argv) {
  const std::string_view verb = argv[1];
  if (verb.starts_with('-')) return verb != "-h" && verb != "--help" && verb != "-V" && verb != "--version";
  const std::vector<CommandRow> rows = command_rows();
  if (find_row(rows, std::string(verb)) == nullptr) return false;
  if (!is_shared_verb(verb)) return true;
  if (verb == "run") return has_option_of_create(argc, argv);
  const std::string root = ContainerStore::default_root();
  return std::any_of(argv + 2, argv + argc,
                     [&](const char* word) { return ContainerStore::is_in(root, word); });
}

Configured<std::string> container_id(const Arguments& arguments) {
  if (arguments.words().size() == 1) return arguments.words()[0];
  return failure("understand the command line",
                 arguments.words().empty() ? "no container is named" : "there is one argument too many",
                 "the id of one container");
}

int runtime_main(int argc, char** argv) {
  constexpr int kFailed = 1;  // what engines expect of a runtime
  auto global = Arguments::parse(kGlobalOptions, std::vector<std::string>(argv + 1, argv + argc),
                                 Arguments::OptionsEnd::kAtFirstWord);
  if (!global) {
    report(global.error());
    return kFailed;
  }
  if (global->has("version")) {
    fmt::print("sandbox version {}\nspec: 1.3.0\n", SANDBOX_VERSION);
    return 0;
  }
  const auto log = RuntimeLog::open(global->text("log"), global->text("log-format", "text"));
  if (!log) {
    report(log.error());
    return kFailed;
  }
  Configured<int> done = dispatch(*global, *log);
  if (done) return *done;
  log->write_error(done.error());
  report(done.error());
  return kFailed;
}

}  // namespace sandbox::tools::oci
