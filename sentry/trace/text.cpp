// Printing values as strace does.
#include "sentry/trace/text.h"

#include <algorithm>

#include "sentry/trace/digits.h"
#include "sentry/trace/foreign_names.h"

namespace sandbox::trace {
namespace {

void append_number(std::string& out, uint64_t number, Value::Base base) {
  switch (base) {
    case Value::Base::kSigned:
      return append_decimal(out, static_cast<int64_t>(number));
    case Value::Base::kUnsigned:
      return append_natural(out, number);
    case Value::Base::kHex:
      return append_hex(out, number);
    case Value::Base::kOctal:
      return append_octal(out, number);
  }
}

bool is_octal_digit(char byte) { return byte >= '0' && byte <= '7'; }

// Octal as short as C allows: three digits only where a digit follows.
void append_octal_escape(std::string& out, unsigned char byte, bool digit_follows) {
  out += '\\';
  if (digit_follows || byte >= 0100) out += static_cast<char>('0' + byte / 0100);
  if (digit_follows || byte >= 010) out += static_cast<char>('0' + byte / 010 % 010);
  out += static_cast<char>('0' + byte % 010);
}

void append_escaped(std::string& out, std::string_view bytes, std::string_view special) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[i];
    if (special.find(byte) != std::string_view::npos) {
      if (byte == '"' || byte == '\\')
        (out += '\\') += byte;
      else
        append_octal_escape(out, static_cast<unsigned char>(byte),
                            i + 1 < bytes.size() && is_octal_digit(bytes[i + 1]));
      continue;
    }
    if (byte >= ' ' && byte < 0x7f) {
      out += byte;
      continue;
    }
    static constexpr std::string_view kControls = "\t\n\v\f\r";
    static constexpr std::string_view kLetters = "tnvfr";
    if (size_t index = kControls.find(byte); index != std::string_view::npos)
      (out += '\\') += kLetters[index];
    else
      append_octal_escape(out, static_cast<unsigned char>(byte),
                          i + 1 < bytes.size() && is_octal_digit(bytes[i + 1]));
  }
}

class Printer {
 public:
  Printer(std::string& out, const TextStyle& style) : out_(out), style_(style) {}

  void print(const Value& value) {
    switch (value.kind) {
      case Value::Kind::kAbsent:
        return;
      case Value::Kind::kPending:
        out_ += '?';
        return;
      case Value::Kind::kInteger:
        coloured(style_.colours.number, [&] { append_number(out_, value.number, value.base); });
        return;
      case Value::Kind::kAddress:
        coloured(style_.colours.number, [&] {
          if (value.number == 0)
            out_ += "NULL";
          else
            append_hex(out_, value.number);
        });
        return;
      case Value::Kind::kString:
        print_string(value);
        return;
      case Value::Kind::kFlags:
      case Value::Kind::kEnumerator:
        coloured(style_.colours.constant, [&] { print_names(value); });
        return;
      case Value::Kind::kStructure:
      case Value::Kind::kArray:
        print_members(value);
        return;
      case Value::Kind::kSet:
        print_set(value);
        return;
      case Value::Kind::kDescriptor:
        coloured(style_.colours.descriptor, [&] { print_descriptor(value); });
        return;
      case Value::Kind::kExpression:
        coloured(style_.colours.constant, [&] { out_ += value.text; });
        return;
      case Value::Kind::kChange:
        print_change(value);
        return;
      case Value::Kind::kRemarks:
        print_remarks(value);
        return;
    }
  }

  template <typename Part>
  void coloured(std::string_view colour, Part part) {
    out_ += colour;
    part();
    if (!colour.empty()) out_ += style_.colours.reset;
  }

 private:
  void print_string(const Value& value) {
    coloured(style_.colours.string, [&] {
      if (value.is_abstract) out_ += '@';
      out_ += '"';
      if (value.is_hexadecimal)
        for (char byte : value.text) append_hex_byte(out_ += "\\x", static_cast<unsigned char>(byte));
      else
        append_escaped(out_, value.text, "\"\\");
      out_ += '"';
    });
    if (value.is_cut) out_ += "...";
  }

  void print_names(const Value& value) {
    const bool has_rest = value.kind == Value::Kind::kFlags && value.rest != 0;
    if (!value.text.empty()) {
      out_ += value.text;
      if (has_rest) append_hex(out_ += '|', value.rest);
      return;
    }
    append_number(out_, value.number, value.base);
    if (!value.label.empty() && (value.kind == Value::Kind::kEnumerator || has_rest))
      ((out_ += " /* ") += value.label) += " */";
  }

  void print_members(const Value& value) {
    const bool is_structure = value.kind == Value::Kind::kStructure;
    bool is_cut = value.is_cut, is_first = true;
    out_ += is_structure ? '{' : '[';
    for (const Value& member : value.members) {
      if (member.kind == Value::Kind::kAbsent) continue;
      if (!member.is_brief && style_.fields == TextStyle::Fields::kBrief) {
        is_cut = true;
        continue;
      }
      if (!is_first) out_ += ", ";
      is_first = false;
      if (!member.name.empty() && !member.names_itself) (out_ += member.name) += '=';
      print(member);
    }
    if (is_cut) out_ += is_first ? "..." : ", ...";
    out_ += is_structure ? '}' : ']';
  }

  void print_set(const Value& value) {
    out_ += value.is_inverted ? "~[" : "[";
    for (size_t i = 0; i < value.members.size(); ++i) {
      if (i != 0) out_ += ' ';
      print(value.members[i]);
    }
    if (value.is_cut) out_ += value.members.empty() ? "..." : " ...";
    out_ += ']';
  }

  void print_descriptor(const Value& value) {
    if (value.label.empty())
      append_number(out_, value.number, Value::Base::kSigned);
    else
      out_ += value.label;
    if (value.text.empty()) return;
    // Only a path may have characters that its reader would take for the end.
    const bool has_path = value.text.starts_with('/') || value.text.starts_with("UNIX-");
    out_ += '<';
    append_escaped(out_, value.text, has_path ? "<>\\" : "\\");
    out_ += '>';
  }

  void print_change(const Value& value) {
    const Value& before = value.members[0];
    const Value& after = value.members[1];
    const bool are_single = before.kind == Value::Kind::kArray && after.kind == Value::Kind::kArray &&
                            before.members.size() == 1 && after.members.size() == 1;
    if (are_single) out_ += '[';
    print(are_single ? before.members[0] : before);
    out_ += " => ";
    print(are_single ? after.members[0] : after);
    if (are_single) out_ += ']';
  }

  void print_remarks(const Value& value) {
    for (size_t i = 0; i < value.members.size(); ++i) {
      if (i != 0) out_ += ", ";
      if (!value.members[i].name.empty()) (out_ += value.members[i].name) += ' ';
      print(value.members[i]);
    }
  }

  std::string& out_;
  const TextStyle& style_;
};

// Numbers that the kernel uses between itself and a tracer; no program sees them.
struct RestartText {
  int number;
  std::string_view name, text;
};
constexpr RestartText kRestarts[] = {
    {512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"},
    {513, "ERESTARTNOINTR", "To be restarted"},
    {514, "ERESTARTNOHAND", "To be restarted if no handler"},
    {516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"},
};

void append_error(std::string& out, Errno error) {
  for (const RestartText& restart : kRestarts) {
    if (restart.number != error.value()) continue;
    ((((out += "? ") += restart.name) += " (") += restart.text) += ')';
    return;
  }
  if (error.name() == "E?")
    ((out += "-1 (errno ") += decimal(error.value())) += ')';
  else
    ((((out += "-1 ") += error.name()) += " (") += error.text()) += ')';
}

// Arguments from `first` up to a pending one, then ")" when the last was printed.
void append_arguments(std::string& out, const DecodedCall& call, size_t first, const TextStyle& style) {
  const bool is_finished = call.result.has_value();
  bool needs_comma =
      std::any_of(call.arguments.begin(), call.arguments.begin() + static_cast<ptrdiff_t>(first),
                  [](const Value& value) { return value.kind != Value::Kind::kAbsent; });
  Printer printer(out, style);
  for (size_t i = first; i < call.arguments.size(); ++i) {
    const Value& argument = call.arguments[i];
    if (argument.kind == Value::Kind::kAbsent) continue;
    const bool stops_here = argument.kind == Value::Kind::kPending && !is_finished;
    if (needs_comma) out += ", ";
    if (stops_here) return;
    needs_comma = true;
    if (style.argument_names == TextStyle::ArgumentNames::kShow && !argument.name.empty())
      (out += argument.name) += ": ";
    else if (argument.shows_name)
      (out += argument.name) += '=';
    printer.print(argument);
  }
  out += ')';
}

}  // namespace

void append_text(std::string& out, const Value& value, const TextStyle& style) {
  Printer(out, style).print(value);
}

void append_entry(std::string& out, const DecodedCall& call, const TextStyle& style) {
  Printer(out, style).coloured(style.colours.call, [&] {
    if (call.row != nullptr)
      out += call.row->name;
    else if (call.is_foreign())
      out += foreign_name(call.plain_number());
    else
      append_hex(out += "syscall_", call.number);
  });
  out += '(';
  append_arguments(out, call, 0, style);
}

size_t printed_arguments(const DecodedCall& call) {
  if (call.result) return call.arguments.size();
  auto pending = std::ranges::find(call.arguments, Value::Kind::kPending, &Value::kind);
  return static_cast<size_t>(pending - call.arguments.begin());
}

void append_rest(std::string& out, const DecodedCall& call, size_t printed, const TextStyle& style) {
  // The comma before the pending argument has been printed, and so was ")" when nothing was pending.
  if (printed < call.arguments.size()) {
    std::string rest;
    append_arguments(rest, call, printed, style);
    out += rest.starts_with(", ") ? std::string_view(rest).substr(2) : std::string_view(rest);
  }
  append_result(out, call, style);
}

void append_result(std::string& out, const DecodedCall& call, const TextStyle& style) {
  Printer printer(out, style);
  out += " = ";
  if (!call.result) {
    out += '?';
    return;
  }
  if (call.result->error)
    printer.coloured(style.colours.error, [&] { append_error(out, *call.result->error); });
  else
    printer.print(call.result->value);
  if (call.result->remarks.kind == Value::Kind::kAbsent) return;
  out += " (";
  printer.print(call.result->remarks);
  out += ')';
}

std::string to_text(const DecodedCall& call, const TextStyle& style) {
  std::string out;
  append_entry(out, call, style);
  append_result(out, call, style);
  return out;
}

std::string to_text(const Value& value, const TextStyle& style) {
  std::string out;
  append_text(out, value, style);
  return out;
}

}  // namespace sandbox::trace
