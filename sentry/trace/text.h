// Decoded calls as text in the manner of strace: openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3.
#pragma once

#include <string>

#include "sentry/trace/decoder.h"

namespace sandbox::trace {

struct TextStyle {
  enum class Fields : uint8_t { kBrief, kAll };         // kBrief: what strace prints by default
  enum class ArgumentNames : uint8_t { kHide, kShow };  // openat(dirfd: AT_FDCWD, ...)
  // Terminal sequences around the parts of a line; empty: plain.
  struct Colours {
    std::string_view call, string, number, constant, descriptor, error, reset;
  };
  Fields fields = Fields::kBrief;
  ArgumentNames argument_names = ArgumentNames::kHide;
  Colours colours{};
};

// Nothing that it prints holds a control character: bytes of the program are escaped.
void append_text(std::string& out, const Value& value, const TextStyle& style = {});

// "read(3, ": the name and every argument that is known, up to the first pending one. Ends with ")" when none
// is.
void append_entry(std::string& out, const DecodedCall& call, const TextStyle& style = {});
// What completes the text of append_entry, as given at that time by `printed` = its printed_arguments.
// "\"root:x\"..., 4096) = 812". The whole line is append_entry after exit(), then append_result.
void append_rest(std::string& out, const DecodedCall& call, size_t printed, const TextStyle& style = {});
// How many arguments append_entry prints: those before the first pending one.
size_t printed_arguments(const DecodedCall& call);
// " = 812", " = -1 ENOENT (No such file or directory)", " = ?" when there is no result.
void append_result(std::string& out, const DecodedCall& call, const TextStyle& style = {});

// The whole line, without a newline.
std::string to_text(const DecodedCall& call, const TextStyle& style = {});
std::string to_text(const Value& value, const TextStyle& style = {});

}  // namespace sandbox::trace
