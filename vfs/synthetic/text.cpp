// Words and octal escapes (lib/string_helpers.c, fs/d_path.c: mangle_path).
#include "vfs/synthetic/text.h"

namespace sandbox::vfs {

std::string_view take_word(std::string_view* text) {
  size_t begin = text->find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    *text = {};
    return {};
  }
  size_t end = text->find_first_of(" \t", begin);
  std::string_view word = text->substr(begin, end == std::string_view::npos ? end : end - begin);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end);
  return word;
}

std::string escape_octal(std::string_view text, std::string_view which) {
  std::string escaped;
  escaped.reserve(text.size());
  for (unsigned char byte : text) {
    if (which.find(static_cast<char>(byte)) == std::string_view::npos) {
      escaped += static_cast<char>(byte);
      continue;
    }
    escaped += '\\';
    escaped += static_cast<char>('0' + (byte >> 6));
    escaped += static_cast<char>('0' + (byte >> 3 & 7));
    escaped += static_cast<char>('0' + (byte & 7));
  }
  return escaped;
}

std::string unescape_octal(std::string_view text) {
  auto is_octal = [](char digit) { return digit >= '0' && digit <= '7'; };
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' && is_octal(text[i + 1]) &&
        is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace sandbox::vfs
