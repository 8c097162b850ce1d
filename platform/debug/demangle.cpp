// The C++ runtime's demangler, which writes piece by piece so that it can be left when it writes too much.
#include "platform/debug/demangle.h"

#include <csetjmp>

// Part of libstdc++'s ABI (GLIBCXX's cp-demangle.c), in no header. It allocates nothing. 0 is success.
extern "C" int __gcclibcxx_demangle_callback(const char* name, void (*write)(const char*, size_t, void*),
                                             void* argument);

namespace sandbox::platform {

namespace {

constexpr size_t kMaxMangled = 2048, kMaxReadable = 4096;

struct Readable {
  std::string text;
  jmp_buf too_long;
};

// A substitution of six letters doubles the text: 2048 letters could ask for more than any memory.
void append_piece(const char* piece, size_t size, void* argument) {
  auto& readable = *static_cast<Readable*>(argument);
  if (readable.text.size() + size > kMaxReadable) longjmp(readable.too_long, 1);
  readable.text.append(piece, size);
}

}  // namespace

std::string demangled(const std::string& name) {
  if (!name.starts_with("_Z") || name.size() > kMaxMangled) return name;
  Readable readable;
  readable.text.reserve(kMaxReadable);
  // Nothing between here and append_piece has a destructor: the demangler is C.
  if (setjmp(readable.too_long) != 0) return name;
  if (__gcclibcxx_demangle_callback(name.c_str(), append_piece, &readable) != 0) return name;
  return readable.text;
}

}  // namespace sandbox::platform
