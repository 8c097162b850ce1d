// Typed access to JSON; the library's exceptions end here.
#include "tools/oci/json_node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs/sysfs/cpu_list.h"

namespace sandbox::tools::oci {

namespace {
constexpr size_t kLargestDocument = size_t{16} << 20;
constexpr int kDeepest = 64;
}  // namespace

void Problems::note(const std::string& name, std::string reason, std::string advice) {
  if (!first_)
    first_ = RunFailure{
        .doing = fmt::format("use {}", name), .reason = std::move(reason), .advice = std::move(advice)};
}

JsonNode JsonNode::operator[](const std::string& key) const {
  std::string name = name_.empty() ? key : fmt::format("{}.{}", name_, key);
  if (!*this) return {nullptr, std::move(name), *problems_};
  if (!value_->is_object()) {
    fail("it is no object");
    return {nullptr, std::move(name), *problems_};
  }
  auto found = value_->find(key);
  return {found == value_->end() ? nullptr : &*found, std::move(name), *problems_};
}

std::vector<std::string> JsonNode::keys() const {
  std::vector<std::string> keys;
  if (!*this) return keys;
  if (!value_->is_object()) fail("it is no object");
  if (value_->is_object())
    for (const auto& item : value_->items()) keys.push_back(item.key());
  return keys;
}

std::vector<JsonNode> JsonNode::items() const {
  std::vector<JsonNode> nodes;
  if (!*this) return nodes;
  if (!value_->is_array()) {
    fail("it is no array");
    return nodes;
  }
  for (size_t i = 0; i < value_->size(); ++i)
    nodes.emplace_back(&(*value_)[i], fmt::format("{}[{}]", name_, i), *problems_);
  return nodes;
}

std::string JsonNode::text(std::string_view fallback) const {
  if (!*this) return std::string(fallback);
  if (!value_->is_string()) {
    fail("it is no string");
    return std::string(fallback);
  }
  std::string text = value_->get<std::string>();
  if (text.find('\0') != text.npos) fail("it has a zero byte in it");
  return text;
}

bool JsonNode::is_true() const {
  if (!*this) return false;
  if (!value_->is_boolean()) {
    fail("it is neither true nor false");
    return false;
  }
  return value_->get<bool>();
}

int64_t JsonNode::number(int64_t fallback) const {
  if (!*this) return fallback;
  const bool is_large = value_->is_number_unsigned() && value_->get<uint64_t>() > uint64_t{INT64_MAX};
  if (!value_->is_number_integer() || is_large) {
    fail("it is no integer of 64 bits");
    return fallback;
  }
  return value_->get<int64_t>();
}

uint64_t JsonNode::unsigned_number(uint64_t fallback) const {
  if (!*this) return fallback;
  if (!value_->is_number_unsigned() && !(value_->is_number_integer() && value_->get<int64_t>() >= 0)) {
    fail("it is no unsigned integer of 64 bits");
    return fallback;
  }
  return value_->get<uint64_t>();
}

int64_t JsonNode::number_between(int64_t least, int64_t most) const {
  int64_t value = number(least);
  if (value >= least && value <= most) return value;
  fail(fmt::format("{} is not between {} and {}", value, least, most));
  return least;
}

int64_t JsonNode::required_number_between(int64_t least, int64_t most) const {
  if (!*this) fail("it is missing");
  return number_between(least, most);
}

std::vector<std::string> JsonNode::texts() const {
  std::vector<std::string> list;
  for (const JsonNode& item : items()) list.push_back(item.text());
  return list;
}

std::map<std::string, std::string> JsonNode::text_map() const {
  std::map<std::string, std::string> map;
  for (const std::string& key : keys()) map[key] = (*this)[key].text();
  return map;
}

void JsonNode::fail(std::string reason, std::string advice) const {
  problems_->note(name_, std::move(reason), std::move(advice));
}

void JsonNode::refuse(std::string reason, std::string advice) const {
  if (!*this) return;
  const bool is_silent = (value_->is_structured() && value_->empty()) ||
                         (value_->is_string() && value_->get_ref<const std::string&>().empty()) ||
                         (value_->is_boolean() && !value_->get<bool>()) || *value_ == 0;
  if (!is_silent) fail(std::move(reason), std::move(advice));
}

std::vector<int> read_number_list(const JsonNode& node) {
  const std::string text = node.text();
  std::vector<int> numbers = vfs::parse_cpu_list(text);
  if (!text.empty() && (numbers.empty() || text.find_first_not_of("0123456789,-") != text.npos))
    node.fail(fmt::format("`{}` is no list as 0-3,7 is one", text));
  return numbers;
}

Configured<nlohmann::json> parse_json(const std::string& text, const std::string& name) {
  const std::string doing = fmt::format("read {}", name);
  if (text.size() > kLargestDocument) return failure(doing, "it is larger than 16 MiB", "a smaller one");
  bool is_too_deep = false;
  auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    is_too_deep |= depth > kDeepest;
    return !is_too_deep;
  };
  try {
    nlohmann::json document = nlohmann::json::parse(text, watch);
    if (is_too_deep)
      return failure(doing, fmt::format("it is nested deeper than {} levels", kDeepest), "a flatter one");
    if (!document.is_object()) return failure(doing, "it is no JSON object", "correct it");
    return document;
  } catch (const nlohmann::json::exception& error) {
    return failure(doing, error.what(), "correct it");
  }
}

Configured<nlohmann::json> read_json_file(const std::string& path) {
  const std::string doing = fmt::format("read {}", path);
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return failure(doing, Errno::last(), "name the bundle's directory with --bundle");
  struct stat status{};
  if (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode))
    return failure(doing, "it is no regular file", "a bundle with a config.json in it");
  if (static_cast<size_t>(status.st_size) > kLargestDocument)
    return failure(doing, "it is larger than 16 MiB", "a smaller one");
  std::string text;
  char chunk[65536];
  for (ssize_t size; (size = ::read(file.get(), chunk, sizeof chunk)) != 0;) {
    if (size < 0) return failure(doing, Errno::last(), "look at the disk");
    text.append(chunk, size);
    if (text.size() > kLargestDocument) break;
  }
  return parse_json(text, path);
}

}  // namespace sandbox::tools::oci
