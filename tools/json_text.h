// JSON text from strings that may hold any bytes, as file names do.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sandbox::tools {

// `text` as a quoted JSON string; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

// `value` on several lines, with the same care for bytes that are no UTF-8.
std::string json_document(const nlohmann::ordered_json& value);

}  // namespace sandbox::tools
