// Digest and Sha256: what a piece of an image is named after.
#pragma once

#include <nettle/sha2.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sandbox::tools::image {

// Of SHA-256, the only algorithm that registries use.
class Digest {
 public:
  // "sha256:" and 64 digits, in lower case. Nothing for all else.
  static std::optional<Digest> parse(std::string_view text);
  static std::optional<Digest> from_hex(std::string_view hex);

  const std::string& hex() const { return hex_; }
  std::string text() const { return "sha256:" + hex_; }
  // As people copy it: the first 12 digits.
  std::string short_text() const { return hex_.substr(0, 12); }
  bool operator==(const Digest&) const = default;

 private:
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

class Sha256 {
 public:
  Sha256() { sha256_init(&state_); }
  void update(const void* data, size_t size) {
    sha256_update(&state_, size, static_cast<const uint8_t*>(data));
  }
  Digest finish();

 private:
  sha256_ctx state_;
};

Digest digest_of(std::string_view text);

}  // namespace sandbox::tools::image
