// The text of owner records, in our form and in others'.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include "vfs/hostfs/owner_record.h"

using sandbox::vfs::OwnerRecord;

TEST_CASE("an owner record reads what it wrote") {
  for (const OwnerRecord& record :
       {OwnerRecord{}, OwnerRecord{.uid = 33, .gid = 4294967294, .mode = 07777},
        OwnerRecord{.uid = 0, .gid = 6, .mode = S_IFBLK | 0660, .device = makedev(259, 65536)},
        OwnerRecord{.mode = S_IFCHR | 0666, .device = makedev(0, 0)}})
    CHECK(OwnerRecord::parse(record.text()) == record);
}

TEST_CASE("an owner record has the form that others read") {
  CHECK(OwnerRecord{.uid = 0, .gid = 42, .mode = 0640}.text() == "0:42:0640");
  CHECK(OwnerRecord{.uid = 1, .gid = 2, .mode = S_IFCHR | 0600, .device = makedev(1, 3)}.text() ==
        "1:2:0600:char-1-3");
  OwnerRecord expected{.uid = 1000, .gid = 1001, .mode = 04755};
  for (const char* text :
       {"1000:1001:4755", "1000:1001:04755:file", "1000:1001:0104755", "1000:1001:04755:dir"})
    CHECK(OwnerRecord::parse(text) == expected);
}

TEST_CASE("what is no owner record is none") {
  for (const char* text : {"", "0", "0:0", "0:0:", "a:0:0755", "0:0:0999", "-1:0:0755", "4294967295:0:0755",
                           "0:4294967296:0755", "0:0:0600:char-1", "0:0:0600:block-a-b", "0:0:0755 "})
    CHECK(!OwnerRecord::parse(text));
}
