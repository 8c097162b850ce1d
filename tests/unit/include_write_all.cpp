// The whole of a text is written, however little of it each call takes.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "sandbox/unique_fd.h"
#include "sandbox/write_all.h"
#include "scratch_directory.h"

using namespace sandbox;
using namespace sandbox::test;

TEST_CASE("a text larger than a pipe is written whole") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  UniqueFd reading(ends[0]), writing(ends[1]);
  std::string text(size_t{1} << 20, 'a');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  std::string received;
  std::thread reader([&] {
    std::array<char, 1000> chunk;
    for (ssize_t count; (count = ::read(reading.get(), chunk.data(), chunk.size())) > 0;)
      received.append(chunk.data(), static_cast<size_t>(count));
  });
  const Result<void> written = write_all(writing.get(), text);
  writing.reset();
  reader.join();
  CHECK(written);
  CHECK(received == text);
}

TEST_CASE("a text is written at an offset, and the position stays") {
  ScratchDirectory scratch;
  UniqueFd file(::open((scratch / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(write_all(file.get(), "0123456789"));
  REQUIRE(write_all_at(file.get(), "abc", 4));
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 10);
  std::array<char, 11> content{};
  REQUIRE(::pread(file.get(), content.data(), 10, 0) == 10);
  CHECK(std::string(content.data()) == "0123abc789");
}

TEST_CASE("why a text was not written is told") {
  UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  CHECK(write_all(full.get(), "text").error() == Errno(ENOSPC));
  CHECK(write_all_at(full.get(), "text", 0).error() == Errno(ENOSPC));
  CHECK(write_all(-1, "text").error() == Errno(EBADF));
  CHECK(write_all(-1, ""));
}
