// The bytes of the loader's executable file, as the build embedded them.
#pragma once

#include <cstddef>
#include <span>

extern "C" const std::byte sandbox_loader_begin[];
extern "C" const std::byte sandbox_loader_end[];

namespace sandbox::platform {

inline std::span<const std::byte> loader_image() {
  return {sandbox_loader_begin, static_cast<size_t>(sandbox_loader_end - sandbox_loader_begin)};
}

}  // namespace sandbox::platform
