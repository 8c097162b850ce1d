// ScratchPath: what must exist in an otherwise empty tree so that a given path leads through one link to a
// directory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sandbox {

struct ScratchPath {
  enum class Kind {
    kInWorkingDirectory,  // the path is one name
    kInRoot,              // it is one name below "/"
    kInScratch,           // the members below say what to make
    kImpossible,          // its directory ends in "..", or is walked through as well
  } kind;
  // All absolute in the tree, in the order in which they are to be made.
  std::vector<std::string> directories;
  std::string link;               // stands for the directory that holds the last name
  std::string working_directory;  // where a relative path starts
  std::string proc_directory;     // a name of its own, never one of the path's components
};

// `path`: not empty, and its last component is a name.
ScratchPath scratch_path_for(std::string_view path);

}  // namespace sandbox
