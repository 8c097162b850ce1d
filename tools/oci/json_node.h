// JsonNode: a value of config.json with its name, so that whatever is wrong with it is told by that name.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

// The first thing that was wrong; reading goes on, so that a reader needs no check after each value.
class Problems {
 public:
  void note(const std::string& name, std::string reason, std::string advice = "correct config.json");
  bool is_empty() const { return !first_; }
  const RunFailure& first() const { return *first_; }
  // What is done otherwise than asked for, and is no reason to do nothing.
  void warn(std::string text) { warnings_.push_back(std::move(text)); }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::optional<RunFailure> first_;
  std::vector<std::string> warnings_;
};

// A missing value and null are the same: false as a bool, and each getter's default. A value of another type
// is a problem.
class JsonNode {
 public:
  JsonNode(const nlohmann::json* value, std::string name, Problems& problems)
      : value_(value), name_(std::move(name)), problems_(&problems) {}

  explicit operator bool() const { return value_ != nullptr && !value_->is_null(); }
  const std::string& name() const { return name_; }
  // The value itself, which must be there.
  const nlohmann::json& value() const { return *value_; }
  JsonNode operator[](const std::string& key) const;
  // Of an object's values.
  std::vector<std::string> keys() const;
  std::vector<JsonNode> items() const;

  std::string text(std::string_view fallback = "") const;
  bool is_true() const;
  int64_t number(int64_t fallback = 0) const;
  uint64_t unsigned_number(uint64_t fallback = 0) const;
  // Within the bounds, else a problem and `least`.
  int64_t number_between(int64_t least, int64_t most) const;
  // The same, and to be missing is a problem as well.
  int64_t required_number_between(int64_t least, int64_t most) const;
  std::vector<std::string> texts() const;
  std::map<std::string, std::string> text_map() const;

  void fail(std::string reason, std::string advice = "correct config.json") const;
  // For the log, with the name in front.
  void warn(const std::string& text) const { problems_->warn(name_ + ": " + text); }
  // For what is known and not supported: a problem as soon as it says anything.
  void refuse(std::string reason, std::string advice = "leave it out") const;

 private:
  const nlohmann::json* value_;  // null: missing
  std::string name_;
  Problems* problems_;
};

template <typename T>
struct Word {
  const char* name;
  T value;
};

// The value of the word that the node is; another is a problem, and the first.
template <typename T, size_t count>
T choose(const JsonNode& node, const Word<T> (&words)[count]) {
  const std::string name = node.text();
  for (const auto& word : words)
    if (name == word.name) return word.value;
  node.fail(fmt::format("`{}` is not one of its values", name));
  return words[0].value;
}

// Of "0-3,7".
std::vector<int> read_number_list(const JsonNode& node);

// Parses a document. Failures: it is larger than 16 MiB, nested deeper than 64 levels, no JSON, or no object.
Configured<nlohmann::json> parse_json(const std::string& text, const std::string& name);
// The same of a file; descriptors, fifos and their like are refused.
Configured<nlohmann::json> read_json_file(const std::string& path);

}  // namespace sandbox::tools::oci
