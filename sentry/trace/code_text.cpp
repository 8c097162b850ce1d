// Composing the lines and members.
#include "sentry/trace/code_text.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "sentry/trace/digits.h"
#include "sentry/trace/json.h"

namespace sandbox::trace {

namespace {

using RegisterRow = std::pair<std::string_view, unsigned long long user_regs_struct::*>;
constexpr std::array<RegisterRow, 18> kRegisters = {{
    {"rax", &user_regs_struct::rax},
    {"rbx", &user_regs_struct::rbx},
    {"rcx", &user_regs_struct::rcx},
    {"rdx", &user_regs_struct::rdx},
    {"rsi", &user_regs_struct::rsi},
    {"rdi", &user_regs_struct::rdi},
    {"rbp", &user_regs_struct::rbp},
    {"rsp", &user_regs_struct::rsp},
    {"r8", &user_regs_struct::r8},
    {"r9", &user_regs_struct::r9},
    {"r10", &user_regs_struct::r10},
    {"r11", &user_regs_struct::r11},
    {"r12", &user_regs_struct::r12},
    {"r13", &user_regs_struct::r13},
    {"r14", &user_regs_struct::r14},
    {"r15", &user_regs_struct::r15},
    {"rip", &user_regs_struct::rip},
    {"eflags", &user_regs_struct::eflags},
}};
constexpr size_t kRegistersInLine = 3;

// Whatever a terminal might obey as \033.
void append_printable(std::string& text, std::string_view name) {
  for (const char byte : name) {
    const auto value = static_cast<unsigned char>(byte);
    if (value >= ' ' && value < 0x7f) {
      text += byte;
    } else {
      fmt::format_to(std::back_inserter(text), "\\{:03o}", value);
    }
  }
}

void append_place(std::string& text, uint64_t address) {
  fmt::format_to(std::back_inserter(text), "{:#x}", address);
}

void append_address(std::string& text, const char* name, uint64_t address) {
  ((text += '"') += name) += "\":\"";
  append_place(text, address);
  text += '"';
}

void append_json_frame(std::string& text, const platform::Frame& frame) {
  text += '{';
  append_address(text, "address", frame.address);
  if (!frame.file.empty()) append_json_string(text += ",\"file\":", frame.file);
  if (!frame.symbol.empty()) {
    append_json_string(text += ",\"symbol\":", frame.symbol);
    append_natural(text += ",\"offset\":", frame.offset);
  }
  text += '}';
}

}  // namespace

void append_frame(std::string& text, const platform::Frame& frame) {
  if (frame.file.empty()) {
    text += "(no file)";
  } else {
    append_printable(text, frame.file);
    text += '(';
    append_printable(text, frame.symbol);
    if (!frame.symbol.empty()) append_place(text += '+', frame.offset);
    text += ')';
  }
  append_place(text += " [", frame.address);
  text += ']';
}

void append_site(std::string& text, const CodeSite& site) {
  for (const platform::FramePtr& frame : site.stack) append_frame(text += "\n > ", *frame);
  for (const platform::Instruction& instruction : site.instructions) {
    append_place(text += instruction.address == site.address ? "\n | => " : "\n |    ", instruction.address);
    (text += ": ") += instruction.text;
  }
}

void append_fatal_signal(std::string& text, const FatalSignal& fatal) {
  if (fatal.address) {
    append_place(text += "\n ! ", *fatal.address);
    append_printable(text += ": ", fatal.hit);
  }
  for (size_t i = 0; i < kRegisters.size(); ++i) {
    const auto [name, member] = kRegisters[i];
    fmt::format_to(std::back_inserter(text), "{}{:<6} {:#018x}", i % kRegistersInLine == 0 ? "\n ! " : "  ",
                   name, fatal.registers.*member);
  }
  append_site(text, fatal.site);
}

void append_json_site(std::string& text, const CodeSite& site) {
  if (!site.stack.empty()) {
    text += ",\"stack\":[";
    for (const platform::FramePtr& frame : site.stack) {
      append_json_frame(text, *frame);
      text += ',';
    }
    text.back() = ']';
  }
  if (site.instructions.empty()) return;
  text += ",\"disassembly\":[";
  for (const platform::Instruction& instruction : site.instructions) {
    append_address(text += '{', "address", instruction.address);
    append_json_string(text += ",\"text\":", instruction.text);
    text += instruction.address == site.address ? ",\"is_site\":true}," : "},";
  }
  text.back() = ']';
}

void append_json_fatal_signal(std::string& text, const FatalSignal& fatal) {
  text += "{\"registers\":{";
  for (const auto& [name, member] : kRegisters) {
    append_address(text, std::string(name).c_str(), fatal.registers.*member);
    text += ',';
  }
  text.back() = '}';
  if (fatal.address) {
    append_address(text += ',', "address", *fatal.address);
    append_json_string(text += ",\"hit\":", fatal.hit);
  }
  append_json_site(text, fatal.site);
  text += '}';
}

}  // namespace sandbox::trace
