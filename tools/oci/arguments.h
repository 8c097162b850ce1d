// Command lines as runc takes them: long options with one dash or two, values after a blank or a `=`.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sentry/failure.h"

namespace sandbox::tools::oci {

struct Option {
  const char* name;        // "pid-file"
  char letter = 0;         // 0: none
  const char* value = "";  // "FILE", what --help calls its value; "": it has none
  const char* help = "";
};

// The options of a command line and the words between them.
class Arguments {
 public:
  // `words` without the verb. Options may stand anywhere before "--" and, with kFirstWord, before the first
  // word that is none. Failures: an option that is not in `options`, or lacks its value.
  enum class OptionsEnd { kAtDashes, kAtFirstWord };
  static Configured<Arguments> parse(std::span<const Option> options, std::vector<std::string> words,
                                     OptionsEnd end);

  // A flag that was given, unless as `--name=false`.
  bool has(const std::string& name) const;
  std::string text(const std::string& name, const std::string& fallback = "") const;
  std::vector<std::string> texts(const std::string& name) const;
  // Failures: it is no number, or not between the two.
  Configured<int> number(const std::string& name, int fallback, int least, int most) const;
  const std::vector<std::string>& words() const { return words_; }

 private:
  std::multimap<std::string, std::string> values_;
  std::vector<std::string> words_;
};

// "  --pid-file FILE   write the process's id to a file", a line each.
std::string describe(std::span<const Option> options);

}  // namespace sandbox::tools::oci
