// The first line of scripts: what parse_script_line says, and what the host's kernel says to the same file.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "scratch_directory.h"
#include "sentry/exec.h"

using namespace sandbox;

namespace {

Result<ScriptLine> parse(std::string_view text) {
  std::array<char, kProgramHeadSize> head{};
  std::copy_n(text.begin(), std::min(text.size(), head.size()), head.begin());
  return parse_script_line(head);
}

// What a native exec of a script with that text prints; it runs echo or fails.
std::string run_natively(const std::string& directory, std::string_view text) {
  std::string path = directory + "/script";
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(file);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::execl(path.c_str(), "ignored", nullptr);
    int error = errno;
    std::string message = error == ENOEXEC ? "ENOEXEC\n" : error == ENOENT ? "ENOENT\n" : "other\n";
    (void)!::write(1, message.data(), message.size());
    ::_exit(1);
  }
  ::close(ends[1]);
  std::string output(4096, '\0');
  ssize_t length = ::read(ends[0], output.data(), output.size());
  output.resize(std::max<ssize_t>(length, 0));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return output;
}

// The same as our parser foretells it.
std::string foretell(const std::string& directory, std::string_view text) {
  Result<ScriptLine> line = parse(text);
  if (!line) return "ENOEXEC\n";
  if (::access(line->interpreter.c_str(), X_OK) != 0) return "ENOENT\n";
  return (line->argument.empty() ? "" : line->argument + " ") + directory + "/script\n";
}

}  // namespace

TEST_CASE("the interpreter and its one argument") {
  auto line = parse("#!/bin/sh -e -u  \nrest");
  REQUIRE(line);
  CHECK(line->interpreter == "/bin/sh");
  CHECK(line->argument == "-e -u");
  line = parse("#!  \t/bin/sh\n");
  REQUIRE(line);
  CHECK(line->interpreter == "/bin/sh");
  CHECK(line->argument.empty());
  CHECK_FALSE(parse("#!\n"));
  CHECK_FALSE(parse("#! \t \n"));
}

TEST_CASE("first lines mean what they mean to Linux") {
  test::ScratchDirectory scratch;
  const std::string directory = scratch.path();
  const std::string echo = "/bin/echo";
  std::vector<std::string> texts{
      "#!" + echo,
      "#!" + echo + "\n",
      "#! " + echo + " one two \t\nsecond line",
      "#!\t" + echo + "\tone",
      "#!" + echo + " " + std::string(300, 'x') + "\n",
      "#!" + std::string(100, ' ') + echo + "\n",
      "#!" + std::string(300, ' ') + echo + "\n",
      "#!/" + std::string(300, 'n') + "\n",
      "#!/" + std::string(300, 'n') + " argument\n",
      "#!/nowhere/at/all\n",
      "#!\n" + echo,
      "#!" + echo + std::string(1, '\0') + "hidden\n",
      "#!" + echo + " seen" + std::string(1, '\0') + "hidden\n",
  };
  // Around the end of the buffer of 256 bytes.
  for (size_t length = 240; length < 262; ++length)
    texts.push_back("#!" + echo + " " + std::string(length - 3 - echo.size(), 'a') + "\n");
  for (const std::string& text : texts) {
    INFO(text.size() << " bytes: " << text.substr(0, 60));
    CHECK(foretell(directory, text) == run_natively(directory, text));
  }
}
