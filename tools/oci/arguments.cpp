// Taking a command line apart.
#include "tools/oci/arguments.h"

#include <algorithm>

#include "sandbox/numbers.h"
#include "tools/messages.h"

namespace sandbox::tools::oci {

namespace {

const Option* find_option(std::span<const Option> options, std::string_view word) {
  std::string_view name = word.substr(word.starts_with("--") ? 2 : 1);
  name = name.substr(0, name.find('='));
  for (const Option& option : options)
    if (name == option.name || (name.size() == 1 && option.letter != 0 && name[0] == option.letter))
      return &option;
  return nullptr;
}

std::unexpected<RunFailure> bad_arguments(std::string reason, std::string advice) {
  return failure("understand the command line", std::move(reason), std::move(advice));
}

bool takes_value(const Option& option) { return option.value[0] != '\0'; }

}  // namespace

Configured<Arguments> Arguments::parse(std::span<const Option> options, std::vector<std::string> words,
                                       OptionsEnd end) {
  Arguments parsed;
  size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (!word.starts_with('-') || word == "-") {
      if (end == OptionsEnd::kAtFirstWord) break;
      parsed.words_.push_back(word);
      continue;
    }
    const Option* option = find_option(options, word);
    // "-it" is two flags.
    if (option == nullptr && word.size() > 2 && word[1] != '-' && word.find('=') == word.npos) {
      std::vector<std::string> letters;
      for (char letter : word.substr(1)) letters.push_back(std::string("-") + letter);
      const bool are_flags = std::ranges::all_of(letters, [&](const std::string& letter) {
        const Option* one = find_option(options, letter);
        return one != nullptr && !takes_value(*one);
      });
      if (are_flags) {
        for (const std::string& letter : letters)
          parsed.values_.emplace(find_option(options, letter)->name, "true");
        continue;
      }
    }
    if (option == nullptr)
      return bad_arguments(fmt::format("there is no option {}", printable(word.substr(0, word.find('=')))),
                           "the verb's --help");
    const size_t equals = word.find('=');
    std::string value = equals == word.npos ? "true" : word.substr(equals + 1);
    if (equals == word.npos && takes_value(*option)) {
      if (at + 1 == words.size())
        return bad_arguments(fmt::format("--{} lacks its value", option->name),
                             fmt::format("--{} {}", option->name, option->value));
      value = words[++at];
    }
    parsed.values_.emplace(option->name, std::move(value));
  }
  for (; at < words.size(); ++at) parsed.words_.push_back(words[at]);
  return parsed;
}

bool Arguments::has(const std::string& name) const {
  auto [first, last] = values_.equal_range(name);
  return first != last && std::prev(last)->second != "false";
}

std::string Arguments::text(const std::string& name, const std::string& fallback) const {
  auto [first, last] = values_.equal_range(name);
  return first == last ? fallback : std::prev(last)->second;
}

std::vector<std::string> Arguments::texts(const std::string& name) const {
  std::vector<std::string> all;
  auto [first, last] = values_.equal_range(name);
  for (; first != last; ++first) all.push_back(first->second);
  return all;
}

Configured<int> Arguments::number(const std::string& name, int fallback, int least, int most) const {
  if (!values_.contains(name)) return fallback;
  const std::string word = text(name);
  const auto number = parse_number<int>(word);
  if (!number || *number < least || *number > most)
    return bad_arguments(
        fmt::format("--{} {} is no number from {} to {}", name, printable(word), least, most),
        fmt::format("--{} {}", name, least));
  return *number;
}

std::string describe(std::span<const Option> options) {
  std::string text;
  for (const Option& option : options) {
    std::string names = option.letter ? fmt::format("-{}, --{}", option.letter, option.name)
                                      : fmt::format("    --{}", option.name);
    if (takes_value(option)) names += fmt::format(" {}", option.value);
    text += fmt::format("  {:<32} {}\n", names, option.help);
  }
  return text;
}

}  // namespace sandbox::tools::oci
