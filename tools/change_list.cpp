// Lists of changes in text and JSON.
#include "tools/change_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "tools/json_text.h"
#include "tools/messages.h"

namespace sandbox::tools {
namespace {

const char* word_of(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kAdded:
      return "added";
    case Change::Kind::kModified:
      return "modified";
    case Change::Kind::kDeleted:
      return "deleted";
  }
  return "?";
}

std::vector<const char*> words_of(uint32_t differences) {
  constexpr std::pair<Difference, const char*> kWords[] = {
      {kDiffersInType, "type"},   {kDiffersInContent, "content"}, {kDiffersInMode, "mode"},
      {kDiffersInOwner, "owner"}, {kDiffersInTimes, "times"},     {kDiffersInAttributes, "attributes"},
  };
  std::vector<const char*> words;
  for (auto [difference, word] : kWords)
    if ((differences & difference) != 0) words.push_back(word);
  return words;
}

}  // namespace

std::string line_of(const Change& change) {
  return fmt::format("{} /{}", letter_of(change.kind), printable(change.path));
}

void print_text(const UpperTree& tree, const std::vector<const Change*>& changes, Risks risks) {
  for (const Change* change : changes) {
    std::vector<const char*> words;
    if (risks == Risks::kShow) words = risks_of(tree, *change);
    fmt::print("{}{}\n", line_of(*change),
               words.empty() ? "" : fmt::format("  [{}]", fmt::join(words, ", ")));
  }
}

void print_json(const UpperTree& tree, const std::vector<const Change*>& changes) {
  auto document = nlohmann::ordered_json::array();
  for (const Change* change : changes) {
    nlohmann::ordered_json entry = {{"change", word_of(change->kind)},
                                    {"path", "/" + change->path},
                                    {"type", type_name(change->status.st_mode)}};
    if (change->kind != Change::Kind::kDeleted) {
      entry["mode"] = fmt::format("{:04o}", change->status.st_mode & 07777);
      entry["uid"] = change->status.st_uid;
      entry["gid"] = change->status.st_gid;
      if (S_ISREG(change->status.st_mode)) entry["size"] = change->status.st_size;
      entry["risks"] = risks_of(tree, *change);
    }
    if (change->kind == Change::Kind::kModified) entry["differs"] = words_of(change->differences);
    document.push_back(std::move(entry));
  }
  fmt::print("{}\n", json_document(document));
}

}  // namespace sandbox::tools
