// The latest lookup of each thread's query.
#include "vfs/core/fresh_attributes.h"

namespace sandbox::vfs {
namespace {

struct Noted {
  bool is_in_query = false;
  InodePtr inode;  // held, so that no other node gets its address; null: nothing noted
  Attributes attributes;
};
thread_local Noted noted;

}  // namespace

FreshAttributes::FreshAttributes() { noted.is_in_query = true; }

FreshAttributes::~FreshAttributes() {
  noted.is_in_query = false;
  noted.inode.reset();
}

void FreshAttributes::note(const InodePtr& inode, const Attributes& attributes) {
  if (!noted.is_in_query) return;
  noted.inode = inode;
  noted.attributes = attributes;
}

std::optional<Attributes> FreshAttributes::take(const Inode& inode) {
  if (noted.inode.get() != &inode) return std::nullopt;
  noted.inode.reset();
  return noted.attributes;
}

}  // namespace sandbox::vfs
