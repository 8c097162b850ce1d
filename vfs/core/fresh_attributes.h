// FreshAttributes: what a lookup has just seen of a node, for the rest of the query that made it.
#pragma once

#include <optional>

#include "vfs/core/inode.h"

namespace sandbox::vfs {

// A lookup asks the host for a name's attributes, and getattr would ask again, a microsecond each. Within one
// query, which changes nothing, the first answer serves both. A query stays on its thread, and so does this.
class FreshAttributes {
 public:
  // While it lives, the thread makes one query. Queries do not nest.
  FreshAttributes();
  ~FreshAttributes();
  FreshAttributes(const FreshAttributes&) = delete;
  FreshAttributes& operator=(const FreshAttributes&) = delete;

  // Called by lookup, with what the host said. Outside of a query nothing is kept.
  static void note(const InodePtr& inode, const Attributes& attributes);
  // Called by getattr: what its lookup noted, once, if that was the query's latest lookup.
  static std::optional<Attributes> take(const Inode& inode);
};

}  // namespace sandbox::vfs
