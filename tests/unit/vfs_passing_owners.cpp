// Owners that last as long as a run: whose they are, and how many there can be.
#include <catch2/catch.hpp>

#include "vfs/hostfs/passing_owners.h"

using sandbox::vfs::Attributes;
using sandbox::vfs::OwnerRecord;
using sandbox::vfs::PassingOwners;

namespace {

Attributes object(uint64_t inode, int64_t born_at) {
  Attributes attributes{};
  attributes.stx_dev_major = 8;
  attributes.stx_ino = inode;
  attributes.stx_btime.tv_sec = born_at;
  return attributes;
}

}  // namespace

TEST_CASE("an owner is that of one object") {
  PassingOwners owners;
  owners.note(object(1, 100), {.uid = 5, .gid = 6});
  owners.note(object(1, 100), {.uid = 7, .gid = 8});
  CHECK(owners.find(object(1, 100)) == OwnerRecord{.uid = 7, .gid = 8});
  CHECK(!owners.find(object(2, 100)));
  CHECK(!owners.find(object(1, 101)));  // the number was given to another object
}

TEST_CASE("owners are forgotten, the oldest first") {
  PassingOwners owners;
  for (uint64_t inode = 0; inode <= PassingOwners::kMost; ++inode) owners.note(object(inode, 1), {.uid = 5});
  CHECK(!owners.find(object(0, 1)));
  CHECK(owners.find(object(1, 1)));
  CHECK(owners.find(object(PassingOwners::kMost, 1)));
}
