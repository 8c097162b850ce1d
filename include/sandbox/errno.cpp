// Names and texts of error numbers.
#include "sandbox/errno.h"

#include <cstring>

namespace sandbox {

std::string_view Errno::name() const {
  const char* name = strerrorname_np(value_);
  return name != nullptr ? name : "E?";
}

std::string_view Errno::text() const {
  const char* text = strerrordesc_np(value_);
  return text != nullptr ? text : "Unknown error";
}

}  // namespace sandbox
