// SHA-256 as nettle computes it, and its text.
#include "tools/image/digest.h"

#include <algorithm>
#include <array>

namespace sandbox::tools::image {

std::optional<Digest> Digest::from_hex(std::string_view hex) {
  auto is_digit = [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
  };
  if (hex.size() != 2 * SHA256_DIGEST_SIZE || !std::ranges::all_of(hex, is_digit)) return std::nullopt;
  return Digest(std::string(hex));
}

std::optional<Digest> Digest::parse(std::string_view text) {
  constexpr std::string_view kAlgorithm = "sha256:";
  if (!text.starts_with(kAlgorithm)) return std::nullopt;
  return from_hex(text.substr(kAlgorithm.size()));
}

Digest Sha256::finish() {
  std::array<uint8_t, SHA256_DIGEST_SIZE> bytes;
  sha256_digest(&state_, bytes.size(), bytes.data());
  std::string hex;
  for (uint8_t byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return *Digest::from_hex(hex);
}

Digest digest_of(std::string_view text) {
  Sha256 hash;
  hash.update(text.data(), text.size());
  return hash.finish();
}

}  // namespace sandbox::tools::image
