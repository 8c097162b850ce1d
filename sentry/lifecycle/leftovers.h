// Cleaning up after sandboxes whose sentry was killed.
#pragma once

#include <string>
#include <vector>

#include "sentry/lifecycle/state_directory.h"

namespace sandbox::lifecycle {

struct Cleaned {
  std::string name;
  std::vector<std::string> groups;    // removed
  std::vector<std::string> problems;  // in words; the record then stays for the next try
};

// Ends the processes in the groups that `claim`'s dead owner had made, and removes the groups. Touches
// nothing that is not a control group of exactly the recorded name. The claim stays held.
Cleaned clean_after(Claim& claim);

// Every record without an owner. `claim`s of live sandboxes are skipped.
std::vector<Cleaned> clean_leftovers(const StateDirectory& state);

}  // namespace sandbox::lifecycle
