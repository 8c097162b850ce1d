// `sandbox run`: turns options into a SandboxConfig and runs it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "sentry/lifecycle/state_directory.h"
#include "tools/command_line.h"
#include "tools/image/image_run.h"
#include "tools/limit_options.h"
#include "tools/live_trace.h"
#include "tools/messages.h"
#include "tools/run_options.h"
#include "tools/sandbox_options.h"
#include "tools/seccomp_profile.h"
#include "tools/secrets.h"
#include "tools/user_lookup.h"
#include "tools/verbs.h"

extern char** environ;

namespace sandbox::tools {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The options as typed.
struct RunOptions {
  std::string image, rootfs, overlay = "memory", keep, workdir, user, hostname, net = "none", timeout;
  std::string platform = "auto", log_level = "warn", log_format = "text";
  std::vector<std::string> binds, read_only_binds, tmpfs, environment, environment_files, shown;
  std::vector<int> passed_descriptors;
  std::optional<std::string> entrypoint;
  std::string name, unenforced_limits = "refuse", seccomp;
  LimitOptions limits;
  bool is_read_only = false, clears_environment = false, has_init = false, has_no_init = false;
};

void add_file_options(CLI::App& app, RunOptions& options) {
  app.add_option("--image", options.image, "run an image: its files become /, and it says what to start")
      ->type_name("oci:DIR[:TAG]|oci-archive:FILE[:TAG]|docker-archive:FILE[:NAME]");
  app.add_option("--rootfs", options.rootfs, "host directory that becomes / (default: the host's own /)")
      ->type_name("DIR");
  app.add_option("--bind", options.binds, "show a host path, writable")
      ->type_name("SRC[:DST]")
      ->allow_extra_args(false);
  app.add_option("--ro-bind", options.read_only_binds, "show a host path, read-only")
      ->type_name("SRC[:DST]")
      ->allow_extra_args(false);
  app.add_option("--tmpfs", options.tmpfs, "mount an empty file system in memory")
      ->type_name("DST[:size=,mode=]")
      ->allow_extra_args(false);
  app.add_option("--overlay", options.overlay, "where writes go: memory, none (to the host), or a directory")
      ->type_name("memory|none|DIR");
  app.add_option("--keep", options.keep, "collect writes in DIR and say how to see them")->type_name("DIR");
  app.add_flag("--read-only", options.is_read_only, "refuse writes below /");
  app.add_option("--show", options.shown, "do not mask this secret")
      ->type_name("PATH")
      ->allow_extra_args(false);
}

// `environment_name`: "-e,--env", or what the verb has no other use for.
void add_process_options(CLI::App& app, RunOptions& options, const char* environment_name = "-e,--env") {
  app.add_option("-w,--workdir", options.workdir, "working directory inside")->type_name("DIR");
  app.add_option("-u,--user", options.user, "user inside, by name or number")->type_name("USER[:GROUP]");
  app.add_option(environment_name, options.environment, "set a variable, or pass the caller's value on")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--env-file", options.environment_files, "set the variables of a file")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--entrypoint", options.entrypoint, "start this instead of the image's entrypoint")
      ->type_name("PROGRAM");
  app.add_flag("--clear-env", options.clears_environment, "start from an empty environment");
  app.add_option("--hostname", options.hostname, "host name inside")->type_name("NAME");
  app.add_option("--net", options.net, "none: loopback only; host: the host's network")
      ->type_name("none|host")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "end the program after this time; the exit code is 124")
      ->type_name("DURATION");
  app.add_option("--seccomp", options.seccomp,
                 "let the program make only the calls that this OCI seccomp profile allows")
      ->type_name("FILE");
  app.add_flag("--init", options.has_init, "PID 1 is a small init (the default)");
  app.add_flag("--no-init", options.has_no_init, "PID 1 is the program itself");
  app.add_option("--pass-fd", options.passed_descriptors, "pass an open descriptor besides 0, 1 and 2")
      ->type_name("N")
      ->allow_extra_args(false);
}

void add_resource_options(CLI::App& app, RunOptions& options) {
  add_limit_options(app, options.limits);
  app.add_option("--unenforced-limits", options.unenforced_limits,
                 "what to do when a limit cannot be enforced")
      ->type_name("refuse|warn")
      ->capture_default_str();
  app.add_option("--name", options.name, "a name for pause, resume, update, stats, ps and top")
      ->type_name("NAME");
}

void add_own_options(CLI::App& app, RunOptions& options) {
  app.add_option("--platform", options.platform, "how calls are intercepted")
      ->type_name("auto|ptrace|notify")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error or off")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--log-format", options.log_format, "form of the sandbox's own messages")
      ->type_name("text|json")
      ->capture_default_str();
}

std::unexpected<RunFailure> bad_choice(std::string_view option, std::string_view word,
                                       std::string_view choices) {
  return std::unexpected(
      RunFailure{.doing = "understand the command line",
                 .reason = fmt::format("{} is none of the values of {}", printable(word), option),
                 .advice = fmt::format("{} {}", option, choices)});
}

template <typename T>
Parsed<T> choose(std::string_view option, const std::string& word, const std::map<std::string, T>& choices) {
  if (auto found = choices.find(word); found != choices.end()) return found->second;
  std::string words;
  for (const auto& [choice, value] : choices) words += fmt::format("{}{}", words.empty() ? "" : "|", choice);
  return bad_choice(option, word, words);
}

// Options that contradict each other.
Parsed<void> check_conflicts(const CLI::App& app, const RunOptions& options) {
  auto conflict = [](const char* one, const char* other) {
    return std::unexpected(RunFailure{.doing = "understand the command line",
                                      .reason = fmt::format("{} and {} contradict each other", one, other),
                                      .advice = "one of the two"});
  };
  if (!options.keep.empty() && app.count("--overlay") != 0) return conflict("--keep", "--overlay");
  if (options.has_init && options.has_no_init) return conflict("--init", "--no-init");
  if (!options.image.empty() && !options.rootfs.empty()) return conflict("--image", "--rootfs");
  if (!options.image.empty() && options.overlay == "none") return conflict("--image", "--overlay none");
  if (options.image.empty() && options.entrypoint) return conflict("--entrypoint", "a run without --image");
  return {};
}

// A directory that exists, without symbolic links in its path.
Parsed<std::string> directory_at(const std::string& path, const std::string& doing,
                                 const std::string& advice) {
  auto real = real_path(path);
  struct stat status;
  Errno error = real ? Errno(ENOTDIR) : real.error();
  if (real && ::stat(real->c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return *real;
  return std::unexpected(RunFailure{.doing = doing, .reason = reason_of(error), .advice = advice});
}

Parsed<void> fill_root(const RunOptions& options, const std::optional<image::ProvidedImage>& image,
                       SandboxConfig& config) {
  if (image) {
    config.rootfs = options.image;
    config.layers = image->trees;
    config.held_layers = image->held;
  }
  if (!options.rootfs.empty())
    config.rootfs =
        TRY(directory_at(options.rootfs, fmt::format("use {} as the root", printable(options.rootfs)),
                         "a directory with a root file system, as debootstrap makes one"));
  std::string overlay = options.keep.empty() ? options.overlay : options.keep;
  config.is_root_read_only = options.is_read_only;
  if (overlay == "memory" && options.keep.empty()) return {};
  if (overlay == "none" && options.keep.empty()) {
    config.overlay = SandboxConfig::Overlay::kNone;
    return {};
  }
  std::string doing = fmt::format("collect writes in {}", printable(overlay));
  if (options.is_read_only)
    return std::unexpected(
        RunFailure{.doing = doing, .reason = "--read-only refuses every write", .advice = "one of the two"});
  if (::mkdir(overlay.c_str(), 0755) != 0 && errno != EEXIST)
    return std::unexpected(RunFailure{.doing = doing,
                                      .reason = reason_of(Errno::last()),
                                      .advice = "a directory whose parent exists and is yours"});
  config.overlay = SandboxConfig::Overlay::kDirectory;
  config.overlay_directory =
      TRY(directory_at(overlay, doing, "a directory, new or kept from an earlier run"));
  if (!image && is_within(config.rootfs, config.overlay_directory))
    return std::unexpected(
        RunFailure{.doing = doing,
                   .reason = fmt::format("the root {} lies in it", printable(config.rootfs)),
                   .advice = "a directory outside"});
  return {};
}

// An image on the host's network finds names as the host does.
void add_name_service(SandboxConfig& config) {
  for (const char* path : {"/etc/resolv.conf", "/etc/hosts"}) {
    auto source = real_path(path);
    const bool is_bound = std::ranges::count(config.binds, path, &BindMount::destination) != 0;
    if (source && !is_bound) config.binds.push_back({*source, path, BindMount::Access::kReadOnly});
  }
}

// --bind and --ro-bind in the order in which they were typed: a later one may lie on an earlier one.
Parsed<void> fill_mounts(const CLI::App& app, const RunOptions& options, SandboxConfig& config) {
  size_t next_bind = 0, next_read_only_bind = 0;
  for (const CLI::Option* option : app.parse_order()) {
    if (option->check_name("--bind") && next_bind < options.binds.size())
      config.binds.push_back(TRY(parse_bind(options.binds[next_bind++], BindMount::Access::kReadWrite)));
    if (option->check_name("--ro-bind") && next_read_only_bind < options.read_only_binds.size())
      config.binds.push_back(
          TRY(parse_bind(options.read_only_binds[next_read_only_bind++], BindMount::Access::kReadOnly)));
  }
  if (!options.image.empty() && config.network == SandboxConfig::Network::kHost) add_name_service(config);
  for (const std::string& text : options.tmpfs) config.tmpfs.push_back(TRY(parse_tmpfs(text)));
  if (config.rootfs == "/" && config.layers.empty())
    config.masked_paths = TRY(secrets_to_mask(options.shown, config.binds));
  return {};
}

// What the image says, and what of the caller's has to do with the terminal.
Parsed<Environment> image_environment(const RunOptions& options, const image::ImageConfig& image,
                                      const FoundUser& user) {
  Environment environment;
  if (!options.clears_environment)
    for (const std::string& assignment : image.environment)
      if (assignment.find('=') != assignment.npos && !assignment.starts_with('='))
        TRY(environment.set(assignment));
  if (const char* terminal = std::getenv("TERM"); terminal != nullptr && ::isatty(STDIN_FILENO))
    environment.set_default("TERM", terminal);
  environment.set_default("HOME", user.home.empty() ? "/" : user.home);
  return environment;
}

Parsed<void> fill_environment(const RunOptions& options, const FoundUser& user,
                              const std::optional<image::ProvidedImage>& image, SandboxConfig& config) {
  Environment environment;
  if (image) {
    environment = TRY(image_environment(options, image->config, user));
  } else if (!options.clears_environment) {
    for (char** variable = environ; *variable != nullptr; ++variable)
      if (std::string_view(*variable).find('=') != 0) (void)environment.set(*variable);
    for (const std::string& name : secret_variables()) environment.remove(name);
  }
  if (!image && !user.name.empty() && !options.clears_environment)
    for (const std::string& name : {"HOME=" + user.home, "USER=" + user.name, "LOGNAME=" + user.name})
      (void)environment.set(name);
  for (const std::string& path : options.environment_files) {
    std::vector<std::string> lines = TRY(read_environment_file(path));
    for (const std::string& line : lines) TRY(environment.set(line));
  }
  for (const std::string& assignment : options.environment) TRY(environment.set(assignment));
  environment.set_default("PATH", kDefaultPath);
  config.environment = environment.take();
  return {};
}

Parsed<FoundUser> find_user(const RunOptions& options, const std::optional<image::ProvidedImage>& image,
                            SandboxConfig& config) {
  std::string wanted = options.user;
  if (image && wanted.empty()) wanted = image->config.user.empty() ? "0" : image->config.user;
  if (wanted.empty()) return FoundUser{};
  UserDatabase database = UserDatabase::of_rootfs(config.rootfs);
  if (image) database = {.roots = config.layers, .name = "the image's "};
  // Users that an earlier run made.
  if (!config.overlay_directory.empty())
    database.roots.insert(database.roots.begin(), config.overlay_directory + "/upper");
  FoundUser user = TRY(look_up_user(database, wanted));
  config.user = user.ids;
  return user;
}

Parsed<void> fill_process(const RunOptions& options, const std::optional<image::ProvidedImage>& image,
                          SandboxConfig& config) {
  FoundUser user = TRY(find_user(options, image, config));
  TRY(fill_environment(options, user, image, config));
  if (image) {
    config.argv = TRY(image::program_of(image->config, options.entrypoint, std::move(config.argv)));
    // Absolute by the specification; what is not is meant from the root.
    config.working_directory = absolute_path("/" + image->config.working_directory);
  }
  if (!options.workdir.empty()) config.working_directory = absolute_path(options.workdir);
  constexpr size_t kLongestHostname = 64;
  if (options.hostname.size() > kLongestHostname)
    return std::unexpected(RunFailure{.doing = "set the host name",
                                      .reason = "it is longer than 64 bytes (ENAMETOOLONG)",
                                      .advice = "a shorter name"});
  config.hostname = options.hostname;
  if (!options.timeout.empty()) {
    auto limit = TRY(parse_duration(options.timeout));
    if (limit.count() != 0) config.timeout = limit;
  }
  if (options.has_no_init) config.init = platform::LaunchOptions::Init::kProgram;
  for (int descriptor : options.passed_descriptors) {
    if (descriptor < 0 || ::fcntl(descriptor, F_GETFD) < 0)
      return std::unexpected(RunFailure{
          .doing = fmt::format("pass descriptor {} on", descriptor),
          .reason = reason_of(Errno(EBADF)),
          .advice = fmt::format("open it first: sandbox run --pass-fd {0} ... {0}<FILE", descriptor)});
    bool is_standard = descriptor <= 2 || std::ranges::count(config.passed_descriptors, descriptor) > 0;
    if (!is_standard) config.passed_descriptors.push_back(descriptor);
  }
  return {};
}

Parsed<void> fill_resources(const RunOptions& options, SandboxConfig& config) {
  config.limits = TRY(parse_limits(options.limits));
  using Unenforced = SandboxConfig::UnenforcedLimits;
  config.unenforced_limits =
      TRY(choose<Unenforced>("--unenforced-limits", options.unenforced_limits,
                             {{"refuse", Unenforced::kRefuse}, {"warn", Unenforced::kWarn}}));
  if (!options.name.empty() && !lifecycle::is_valid_name(options.name))
    return std::unexpected(RunFailure{.doing = fmt::format("name the sandbox {}", printable(options.name)),
                                      .reason = "that is no name of a sandbox",
                                      .advice = "letters, digits, `.`, `_` and `-`, at most 64"});
  config.name = options.name;
  return {};
}

Parsed<SandboxConfig> make_config(const CLI::App& app, const RunOptions& options,
                                  std::vector<std::string> program) {
  SandboxConfig config;
  config.argv = std::move(program);
  using Network = SandboxConfig::Network;
  config.network =
      TRY(choose<Network>("--net", options.net, {{"none", Network::kLoopback}, {"host", Network::kHost}}));
  using Engine = std::optional<platform::EngineKind>;
  config.engine = TRY(choose<Engine>("--platform", options.platform,
                                     {{"auto", std::nullopt},
                                      {"ptrace", platform::EngineKind::kPtrace},
                                      {"notify", platform::EngineKind::kNotify}}));
  TRY(check_conflicts(app, options));
  TRY(fill_resources(options, config));
  // The run will write there; it must exist by now to be masked.
  if (!config.name.empty() || !config.limits.is_empty()) (void)lifecycle::StateDirectory::open();
  std::optional<image::ProvidedImage> image;
  if (!options.image.empty()) image = TRY(image::provide_image(options.image));
  TRY(fill_root(options, image, config));
  TRY(fill_mounts(app, options, config));
  TRY(fill_process(options, image, config));
  if (!options.seccomp.empty()) {
    config.seccomp = TRY(read_seccomp_filter(options.seccomp));
    config.tell_violation = [](const std::string& text) { warn(text); };
  }
  config.begin_trace = begin_live_trace;
  return config;
}

void say_how_to_see(const SandboxConfig& config) {
  if (!config.layers.empty()) {
    fmt::print(
        stderr,
        "sandbox: the changes are kept in {0}\n  go on with them:  sandbox run --image {1} --overlay {0}\n",
        printable(config.overlay_directory), printable(config.rootfs));
    return;
  }
  std::string rootfs = config.rootfs == "/" ? "" : fmt::format(" --rootfs {}", printable(config.rootfs));
  std::string directory = printable(config.overlay_directory);
  fmt::print(stderr,
             "sandbox: the changes are kept in {}\n"
             "  see them:        sandbox diff{} {}\n"
             "  make them real:  sandbox apply{} {}\n",
             directory, rootfs, directory, rootfs, directory);
}

}  // namespace

struct SandboxOptions::Typed {
  CLI::App& app;
  RunOptions options;
};

SandboxOptions::SandboxOptions(CLI::App& app) : typed_(new Typed{app, {}}) {
  add_file_options(app, typed_->options);
  add_process_options(app, typed_->options, "--env");
  add_resource_options(app, typed_->options);
  add_own_options(app, typed_->options);
}
SandboxOptions::~SandboxOptions() = default;

Parsed<SandboxConfig> SandboxOptions::config(std::vector<std::string> program) const {
  auto log_format = TRY(choose<LogFormat>("--log-format", typed_->options.log_format,
                                          {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}));
  if (!set_up_log(typed_->options.log_level, log_format))
    return bad_choice("--log-level", typed_->options.log_level, "trace|debug|info|warn|error|off");
  return make_config(typed_->app, typed_->options, std::move(program));
}

int verb_run(int argc, char** argv) {
  RunOptions options;
  CLI::App app(
      "Run a program in a sandbox. Without options it sees your files, writes to memory only, has\n"
      "no network but loopback, and sees none of the secrets that sandbox(1) lists.",
      "run");
  set_usage(app, "sandbox run [OPTIONS] [--] PROGRAM [ARGUMENTS]");
  add_file_options(app, options);
  add_process_options(app, options);
  add_resource_options(app, options);
  add_own_options(app, options);
  CutCommandLine cut = cut_at_program(app, argc, argv);
  if (auto exit_code = parse_command_line(app, std::move(cut.options))) return *exit_code;

  auto log_format = choose<LogFormat>("--log-format", options.log_format,
                                      {{"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  if (!log_format) return report(log_format.error());
  if (!set_up_log(options.log_level, *log_format))
    return report(bad_choice("--log-level", options.log_level, "trace|debug|info|warn|error|off").error());
  if (cut.program.empty() && options.image.empty())
    return report({.doing = "run", .reason = "no program is named", .advice = "sandbox run -- PROGRAM"});

  auto config = make_config(app, options, std::move(cut.program));
  if (!config) return report(config.error());
  auto outcome = run_sandbox(*config);
  if (!outcome) return report(outcome.error());
  for (const std::string& warning : outcome->warnings) warn(warning);
  if (outcome->memory_kill) report_memory_kill(*outcome->memory_kill);
  bool may_speak = options.log_level != "error" && options.log_level != "off";
  if (!options.keep.empty() && may_speak && *log_format == LogFormat::kText) say_how_to_see(*config);
  return outcome->exit_code;
}

}  // namespace sandbox::tools
