// JSON text; the library's exceptions on bytes that are no UTF-8 are avoided by its replacing mode.
#include "tools/json_text.h"

#include <nlohmann/json.hpp>

namespace sandbox::tools {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_document(const nlohmann::ordered_json& value) {
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sandbox::tools
