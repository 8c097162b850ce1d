// Reading seccomp profiles; every refusal names the member.
#include "tools/seccomp_profile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <span>

#include "tools/messages.h"

namespace sandbox::tools {

namespace {

using nlohmann::ordered_json;
using platform::ProfileAction;
using platform::ProfileCondition;
using platform::ProfileRule;
using platform::SeccompProfile;

constexpr int kLargestErrno = 4095;
constexpr off_t kLargestFile = 16 << 20;

using Kind = ProfileAction::Kind;
using Test = ProfileCondition::Test;

// The errno is the one without an errnoRet. What Linux answers to SCMP_ACT_TRACE where no tracer is attached
// is ENOSYS, and inside nobody can be.
constexpr std::pair<const char*, ProfileAction> kActions[] = {
    {"SCMP_ACT_ALLOW", {Kind::kAllow}},
    {"SCMP_ACT_LOG", {Kind::kLog}},
    {"SCMP_ACT_ERRNO", {Kind::kErrno, EPERM}},
    {"SCMP_ACT_TRAP", {Kind::kTrap}},
    {"SCMP_ACT_KILL", {Kind::kKillThread}},
    {"SCMP_ACT_KILL_THREAD", {Kind::kKillThread}},
    {"SCMP_ACT_KILL_PROCESS", {Kind::kKillProcess}},
    {"SCMP_ACT_TRACE", {Kind::kErrno, ENOSYS}},
};
constexpr std::pair<const char*, Test> kTests[] = {
    {"SCMP_CMP_NE", Test::kNotEqual},          {"SCMP_CMP_LT", Test::kLess},
    {"SCMP_CMP_LE", Test::kLessOrEqual},       {"SCMP_CMP_EQ", Test::kEqual},
    {"SCMP_CMP_GE", Test::kGreaterOrEqual},    {"SCMP_CMP_GT", Test::kGreater},
    {"SCMP_CMP_MASKED_EQ", Test::kMaskedEqual}};
// The last two mean nothing to a process of one thread and without a listener.
constexpr std::pair<const char*, unsigned> kFlags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0}};

// Those of libseccomp; what is no kind of x86 says nothing here.
constexpr std::string_view kArchitecturePrefix = "SCMP_ARCH_";
constexpr std::string_view kArchitectures[] = {
    "X86",    "X86_64",    "X32",     "ARM",      "AARCH64",     "LOONGARCH64", "M68K",     "MIPS",
    "MIPS64", "MIPS64N32", "MIPSEL",  "MIPSEL64", "MIPSEL64N32", "PARISC",      "PARISC64", "PPC",
    "PPC64",  "PPC64LE",   "RISCV64", "S390",     "S390X",       "SH",          "SHEB"};

template <typename Table>
std::vector<std::string> names_in(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.first);
  return names;
}

class ProfileReader {
 public:
  explicit ProfileReader(const std::string& doing) : doing_(doing) {}

  Parsed<SeccompProfile> profile(const ordered_json& document) const;

 private:
  std::unexpected<RunFailure> refuse(std::string reason, std::string advice) const {
    return std::unexpected(
        RunFailure{.doing = doing_, .reason = std::move(reason), .advice = std::move(advice)});
  }
  Parsed<std::string> word(const ordered_json& object, const char* member) const;
  Parsed<std::optional<uint64_t>> number(const ordered_json& object, const char* member) const;
  Parsed<std::vector<std::string>> words(const ordered_json& object, const char* member) const;
  Parsed<ProfileAction> action(const ordered_json& object, const char* member,
                               const char* error_member) const;
  Parsed<ProfileCondition> condition(const ordered_json& object) const;
  Parsed<ProfileRule> rule(const ordered_json& object) const;
  Parsed<void> read_architectures(const ordered_json& document, SeccompProfile& profile) const;
  Parsed<void> read_flags(const ordered_json& document, SeccompProfile& profile) const;

  const std::string& doing_;
};

Parsed<std::string> ProfileReader::word(const ordered_json& object, const char* member) const {
  auto found = object.find(member);
  if (found == object.end() || !found->is_string())
    return refuse(fmt::format("its \"{}\" is missing or no string", member),
                  "the form of linux.seccomp in the OCI runtime specification");
  return found->get<std::string>();
}

Parsed<std::optional<uint64_t>> ProfileReader::number(const ordered_json& object, const char* member) const {
  auto found = object.find(member);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_number_integer() || (!found->is_number_unsigned() && found->get<int64_t>() < 0))
    return refuse(fmt::format("its \"{}\" is no number from 0 on", member), "a number without quotes");
  return found->get<uint64_t>();
}

Parsed<std::vector<std::string>> ProfileReader::words(const ordered_json& object, const char* member) const {
  std::vector<std::string> all;
  auto found = object.find(member);
  if (found == object.end() || found->is_null()) return all;
  const auto not_words = [&] {
    return refuse(fmt::format("its \"{}\" is no list of strings", member), "[\"one\", \"two\"]");
  };
  if (!found->is_array()) return not_words();
  for (const ordered_json& entry : *found) {
    if (!entry.is_string()) return not_words();
    all.push_back(entry.get<std::string>());
  }
  return all;
}

Parsed<ProfileAction> ProfileReader::action(const ordered_json& object, const char* member,
                                            const char* error_member) const {
  const std::string name = TRY(word(object, member));
  const std::optional<uint64_t> error = TRY(number(object, error_member));
  if (error && *error > kLargestErrno)
    return refuse(fmt::format("its \"{}\" is no errno", error_member), "a number from 0 to 4095");
  for (const auto& [known, action] : kActions) {
    if (name != known) continue;
    if (error && action.kind != Kind::kErrno)
      return refuse(fmt::format("it has \"{}\" for {}, which returns none", error_member, name),
                    "SCMP_ACT_ERRNO");
    const bool has_own_error = name == "SCMP_ACT_ERRNO" && error;
    return has_own_error ? ProfileAction{Kind::kErrno, static_cast<uint16_t>(*error)} : action;
  }
  if (name == "SCMP_ACT_NOTIFY")
    return refuse("SCMP_ACT_NOTIFY lets an agent of the host run calls that the sandbox answers itself",
                  "SCMP_ACT_ERRNO, or SCMP_ACT_LOG");
  return refuse(fmt::format("{} is no action", printable(name)), "SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, ...");
}

Parsed<ProfileCondition> ProfileReader::condition(const ordered_json& object) const {
  const std::string name = TRY(word(object, "op"));
  const std::optional<uint64_t> index = TRY(number(object, "index"));
  const std::optional<uint64_t> value = TRY(number(object, "value"));
  const std::optional<uint64_t> second = TRY(number(object, "valueTwo"));
  if (!index || *index > 5) return refuse("an argument's \"index\" is missing or beyond 5", "0 to 5");
  if (!value) return refuse("an argument has no \"value\"", "the number to compare with");
  for (const auto& [word, test] : kTests)
    if (name == word)
      return ProfileCondition{static_cast<unsigned>(*index), test, *value, second.value_or(0)};
  return refuse(fmt::format("{} is no comparison", printable(name)), "SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ, ...");
}

Parsed<ProfileRule> ProfileReader::rule(const ordered_json& object) const {
  if (!object.is_object())
    return refuse("one of its \"syscalls\" is no object", "{\"names\": [...], \"action\": ...}");
  // Docker's own templates are profiles only once docker has chosen among their rules.
  for (const char* member : {"includes", "excludes"}) {
    auto found = object.find(member);
    if (found != object.end() && !found->empty())
      return refuse(fmt::format("a rule has \"{}\": that is a template, not a profile", member),
                    "the profile that docker or podman made of it (linux.seccomp in config.json)");
  }
  ProfileRule rule;
  rule.names = TRY(words(object, "names"));
  if (rule.names.empty()) return refuse("a rule has no \"names\"", "\"names\": [\"mkdir\", ...]");
  rule.action = TRY(action(object, "action", "errnoRet"));
  auto conditions = object.find("args");
  if (conditions == object.end() || conditions->is_null()) return rule;
  if (!conditions->is_array()) return refuse("the \"args\" of a rule are no list", "\"args\": []");
  for (const ordered_json& entry : *conditions) {
    if (!entry.is_object()) return refuse("one of a rule's \"args\" is no object", "{\"index\": 0, ...}");
    rule.conditions.push_back(TRY(condition(entry)));
  }
  return rule;
}

Parsed<void> ProfileReader::read_architectures(const ordered_json& document, SeccompProfile& profile) const {
  const std::vector<std::string> names = TRY(words(document, "architectures"));
  for (const std::string& name : names) {
    const bool is_known = name.starts_with(kArchitecturePrefix) &&
                          std::ranges::count(kArchitectures, name.substr(kArchitecturePrefix.size())) > 0;
    if (!is_known) return refuse(fmt::format("{} is no architecture", printable(name)), "SCMP_ARCH_X86_64");
    profile.has_i386 |= name == "SCMP_ARCH_X86";
    profile.has_x32 |= name == "SCMP_ARCH_X32";
  }
  return {};
}

Parsed<void> ProfileReader::read_flags(const ordered_json& document, SeccompProfile& profile) const {
  const std::vector<std::string> names = TRY(words(document, "flags"));
  for (const std::string& name : names) {
    auto flag = std::ranges::find_if(kFlags, [&](const auto& row) { return name == row.first; });
    if (flag == std::end(kFlags))
      return refuse(fmt::format("{} is no flag", printable(name)), "SECCOMP_FILTER_FLAG_LOG");
    profile.flags |= flag->second;
  }
  return {};
}

Parsed<SeccompProfile> ProfileReader::profile(const ordered_json& document) const {
  if (!document.is_object())
    return refuse("it is no JSON object", "{\"defaultAction\": ..., \"syscalls\": [...]}");
  SeccompProfile profile;
  profile.default_action = TRY(action(document, "defaultAction", "defaultErrnoRet"));
  TRY(read_architectures(document, profile));
  TRY(read_flags(document, profile));
  auto rules = document.find("syscalls");
  if (rules == document.end() || rules->is_null()) return profile;
  if (!rules->is_array()) return refuse("its \"syscalls\" are no list", "\"syscalls\": []");
  for (const ordered_json& entry : *rules) profile.rules.push_back(TRY(rule(entry)));
  return profile;
}

}  // namespace

Parsed<ordered_json> read_json_object(const std::string& path, const std::string& doing) {
  const auto fail = [&](std::string reason, std::string advice) {
    return std::unexpected(
        RunFailure{.doing = doing, .reason = std::move(reason), .advice = std::move(advice)});
  };
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(reason_of(Errno::last()), "a file that exists and is readable");
  std::string text;
  char chunk[4096];
  ssize_t count;
  while ((count = ::read(file.get(), chunk, sizeof chunk)) > 0 && text.size() < kLargestFile)
    text.append(chunk, static_cast<size_t>(count));
  if (count < 0) return fail(reason_of(Errno::last()), "a regular file");
  ordered_json document = ordered_json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object())
    return fail("it is no JSON object", "look at it with jq");
  return document;
}

std::vector<std::string> seccomp_action_names() { return names_in(kActions); }
std::vector<std::string> seccomp_operator_names() { return names_in(kTests); }
std::vector<std::string> seccomp_flag_names() { return names_in(kFlags); }
std::vector<std::string> seccomp_architecture_names() {
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
}

Parsed<SeccompProfile> parse_seccomp_profile(const ordered_json& document, const std::string& doing) {
  return ProfileReader(doing).profile(document);
}

Parsed<std::shared_ptr<const platform::SeccompFilter>> compile_seccomp_profile(const ordered_json& document,
                                                                               const std::string& doing) {
  const SeccompProfile profile = TRY(parse_seccomp_profile(document, doing));
  auto filter = platform::SeccompFilter::compile(profile);
  if (!filter)
    return std::unexpected(
        RunFailure{.doing = doing, .reason = filter.error(), .advice = "fewer or other rules for that call"});
  return std::make_shared<const platform::SeccompFilter>(*std::move(filter));
}

Parsed<std::shared_ptr<const platform::SeccompFilter>> read_seccomp_filter(const std::string& path) {
  const std::string doing = fmt::format("use the seccomp profile {}", printable(path));
  const ordered_json document = TRY(read_json_object(path, doing));
  return compile_seccomp_profile(document, doing);
}

}  // namespace sandbox::tools
