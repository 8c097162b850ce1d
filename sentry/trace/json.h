// Decoded values as JSON text, for trace records.
#pragma once

#include <string>

#include "sentry/trace/value.h"

namespace sandbox::trace {

// One JSON value:
//   integer      5; beyond 2^53 "0x..." so that readers with doubles lose nothing
//   address      "0x7f00..." or null for NULL
//   string       "text"; {"hex": "00ff"} when it is not UTF-8; cut: {"text" or "hex": ..., "length": N}
//   flags        {"value": 577, "names": ["O_WRONLY", ...]} and "rest": N for bits without a name
//   enumerator   {"value": 1, "name": "SEEK_CUR"}; no "name" when there is none
//   structure    {"field": value, ...}
//   array        [value, ...]; cut: {"items": [...], "more": true}
//   set          {"set": [...]} or, inverted, {"all_but": [...]}
//   descriptor   {"fd": 3}, {"fd": 3, "path": "/etc/passwd"}
//   expression   its plain value, or {"text": "..."}
//   change       {"before": value, "after": value}
//   remarks      {"name": value, ...}, a member without a name as "note"
//   absent, pending: null
void append_json(std::string& out, const Value& value);
std::string to_json(const Value& value);
// A JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
// Bytes of the well-formed UTF-8 sequence that `text` starts with (RFC 3629), 0 when there is none.
size_t utf8_sequence(std::string_view text);

}  // namespace sandbox::trace
