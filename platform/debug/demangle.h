// C++ names as they were written.
#pragma once

#include <string>

namespace sandbox::platform {

// "std::vector<int>::push_back(int&&)" of "_ZNSt6vector..."; the name itself when it is not a mangled one.
// Names whose readable form is enormous, as made-up ones can be, stay as they are.
std::string demangled(const std::string& name);

}  // namespace sandbox::platform
