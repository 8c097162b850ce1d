// The bytes of the programs that the sandbox itself runs inside, as the build embedded them.
#pragma once

#include <cstddef>
#include <span>

extern "C" const std::byte sandbox_loader_begin[], sandbox_loader_end[];
extern "C" const std::byte sandbox_init_begin[], sandbox_init_end[];

namespace sandbox::platform {

inline std::span<const std::byte> loader_image() {
  return {sandbox_loader_begin, static_cast<size_t>(sandbox_loader_end - sandbox_loader_begin)};
}
inline std::span<const std::byte> init_image() {
  return {sandbox_init_begin, static_cast<size_t>(sandbox_init_end - sandbox_init_begin)};
}

}  // namespace sandbox::platform
