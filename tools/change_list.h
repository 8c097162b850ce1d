// Lists of changes as `sandbox diff` and `sandbox apply` print them.
#pragma once

#include <vector>

#include "tools/upper_tree.h"

namespace sandbox::tools {

// "M /etc/hosts", with names made harmless for a terminal.
std::string line_of(const Change& change);

// One line a change; `risks` adds what to look at twice in brackets.
enum class Risks { kLeaveOut, kShow };
void print_text(const UpperTree& tree, const std::vector<const Change*>& changes, Risks risks);

// A JSON array with an object a change.
void print_json(const UpperTree& tree, const std::vector<const Change*>& changes);

}  // namespace sandbox::tools
