// procfs over the real /proc of this process: what is translated, what is hidden, who may look.
#include <elf.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "fake_cgroups.h"
#include "fake_kernel.h"
#include "inode_helpers.h"
#include "scratch_directory.h"
#include "vfs/procfs/procfs.h"
#include "vfs/synthetic/host_resources.h"

using namespace sandbox;
using namespace sandbox::test;

namespace {

// A child that has done `prepare` and then waits until the test ends.
class Child {
 public:
  explicit Child(std::function<void()> prepare) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      prepare();
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    UniqueFd state(::open(fmt::format("/proc/{}/stat", pid_).c_str(), O_RDONLY));
    for (std::string text; !text.contains(") S ");) text = read_all(state.get());
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

struct World {
  FakeKernel kernel;
  FakeCgroups cgroups;
  std::unique_ptr<ResourceView> resources = create_host_resources(kernel.host_proc(), UniqueFd());
  std::vector<Vfs::MountLine> mount_lines;
  int located = 0;
  std::shared_ptr<Filesystem> procfs = create_procfs({
      .kernel = kernel,
      .resources = *resources,
      .cgroups = cgroups,
      .places = [](const TaskView&) -> Result<TaskPlaces> { return TaskPlaces{}; },
      .locate = [this](const Caller&, UniqueFd) -> Result<Location> {
        ++located;
        return Location{};
      },
      .mounts = [this](const Location&) { return mount_lines; },
  });
  Credentials credentials{.effective_caps = ~uint64_t{0}};

  // Whoever asks is this very thread.
  Caller me() const {
    return Caller{.root = {}, .cwd = {}, .credentials = credentials, .host_tid = ::gettid()};
  }
  InodePtr at(const std::string& path) { return must(find(procfs->root(), path)); }
  InodePtr of(pid_t host_pid, const std::string& name) {
    return at(fmt::format("{}/{}", FakeKernel::inside(host_pid), name));
  }
  Result<std::string> try_text(const std::string& path) {
    Caller caller = me();
    return at(path)->generate(&caller);
  }
  std::string text(const std::string& path) { return must(try_text(path)); }
  std::string text_of(pid_t host_pid, const std::string& name) {
    return text(fmt::format("{}/{}", FakeKernel::inside(host_pid), name));
  }
  std::vector<std::string> listing(const std::string& path) {
    std::vector<std::string> result;
    for (const DirectoryEntry& entry : must(at(path)->list(me()))) result.push_back(entry.name);
    return result;
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}
std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}
std::map<std::string, std::string> fields_of(const std::string& status) {
  std::map<std::string, std::string> fields;
  for (const std::string& line : lines_of(status)) {
    size_t colon = line.find(":\t");
    REQUIRE(colon != std::string::npos);
    fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return fields;
}

const pid_t kMe = ::getpid();

}  // namespace

TEST_CASE("self and thread-self name the caller") {
  World world;
  CHECK(must(world.at("self")->readlink(world.me())) == std::to_string(FakeKernel::inside(kMe)));
  std::thread([&] {
    std::string want = fmt::format("{}/task/{}", FakeKernel::inside(kMe), FakeKernel::inside(::gettid()));
    CHECK(must(world.at("thread-self")->readlink(world.me())) == want);
    CHECK(world.at(want)->is_directory());
  }).join();
  Caller stranger{.root = {}, .cwd = {}, .credentials = world.credentials, .host_tid = 1};
  CHECK(error_of(world.at("self")->readlink(stranger)) == ENOENT);
}

TEST_CASE("the root lists our processes and no other") {
  World world;
  std::vector<std::string> names = world.listing("");
  std::set<std::string> numbers;
  for (const std::string& name : names)
    if (isdigit(name[0])) numbers.insert(name);
  CHECK(numbers == std::set{std::to_string(FakeKernel::inside(kMe))});
  CHECK(std::set(names.begin(), names.end()).size() == names.size());
  for (const char* absent : {"1", "kallsyms", "kcore", "00", "0123", "-1", "+5"})
    CHECK(error_of(find(world.procfs->root(), absent)) == ENOENT);
}

TEST_CASE("nothing is made in /proc") {
  World world;
  for (mode_t type : {S_IFREG, S_IFDIR, S_IFLNK}) {
    CHECK(error_of(world.procfs->root()->create("new", node(type | 0755))) == ENOENT);
    CHECK(error_of(world.of(kMe, "fd")->create("99", node(type | 0755))) == ENOENT);
  }
  CHECK(error_of(world.procfs->root()->unlink("version", world.at("version"))) == EPERM);
}

TEST_CASE("task has a link for each thread") {
  World world;
  CHECK(must(world.of(kMe, "task")->getattr()).stx_nlink == 3);
  CHECK(world.listing(std::to_string(FakeKernel::inside(kMe)) + "/task").size() == 1);
}

TEST_CASE("every listed entry is found, with the number and type it was listed with") {
  World world;
  std::string own = std::to_string(FakeKernel::inside(kMe));
  for (const std::string& directory :
       {std::string(), own, own + "/task/" + own, own + "/net", own + "/ns", own + "/attr",
        std::string("sys/kernel"), std::string("sys/net/ipv4/conf/lo")}) {
    InodePtr node = world.at(directory);
    for (const DirectoryEntry& entry : must(node->list(world.me()))) {
      INFO(directory << "/" << entry.name);
      InodePtr child = must(node->lookup(entry.name));
      CHECK(IFTODT(child->type()) == entry.type);
      Attributes attributes = must(child->getattr());
      bool is_native = device_of(attributes) != world.procfs->device();
      if (!is_native) CHECK(attributes.stx_ino == entry.inode);
      CHECK((attributes.stx_mode & S_IFMT) == child->type());
    }
  }
}

TEST_CASE("every generated file can be made") {
  World world;
  std::string own = std::to_string(FakeKernel::inside(kMe));
  const std::set<std::string> refused = {"kmsg", "sysrq-trigger", "pagemap",   "stack", "current",
                                         "exec", "fscreate",      "keycreate", "prev",  "sockcreate"};
  std::function<void(const InodePtr&, const std::string&)> visit = [&](const InodePtr& node,
                                                                       const std::string& path) {
    if (path.ends_with("map_files") || path.ends_with("/fd") || path.ends_with("/fdinfo")) return;
    if (node->is_directory()) {
      for (const DirectoryEntry& entry : must(node->list(world.me())))
        visit(must(node->lookup(entry.name)), path + "/" + entry.name);
      return;
    }
    if (!node->is_generated()) return;
    INFO(path);
    Caller caller = world.me();
    auto text = node->generate(&caller);
    bool is_refused = refused.contains(path.substr(path.rfind('/') + 1));
    // Pressure is measured only where the kernel was built and booted for it.
    if (!text && path.starts_with("/pressure/")) return;
    CHECK(text.has_value() == !is_refused);
    CHECK(error_of(node->accept_writing(caller)) == EACCES);
  };
  visit(world.procfs->root(), "");
}

TEST_CASE("stat keeps a hostile command name and translates the pids around it") {
  constexpr const char* kName = ") R 1 (\n) 9 ";
  World world;
  Child child([] { ::prctl(PR_SET_NAME, kName); });
  world.kernel.add(child.pid());
  std::string text = world.text_of(child.pid(), "stat");
  std::string head = fmt::format("{} ({}) ", FakeKernel::inside(child.pid()), kName);
  REQUIRE(text.starts_with(head));
  CHECK(text.ends_with('\n'));
  std::vector<std::string> rest = words_of(text.substr(head.size()));
  REQUIRE(rest.size() == 50);
  CHECK(rest[0] == "S");
  CHECK(rest[1] == std::to_string(FakeKernel::inside(kMe)));
  bool is_leader = ::getpgrp() == kMe;
  CHECK(rest[2] == (is_leader ? std::to_string(FakeKernel::inside(kMe)) : "0"));
}

TEST_CASE("status shows our numbers, a line a key") {
  World world;
  Child child([] { ::prctl(PR_SET_NAME, "a\nUid:\t0"); });
  world.kernel.add(child.pid());
  auto fields = fields_of(world.text_of(child.pid(), "status"));
  std::string pid = std::to_string(FakeKernel::inside(child.pid()));
  CHECK(fields["Name"] == "a\\nUid:\t0");
  CHECK(fields["Pid"] == pid);
  CHECK(fields["Tgid"] == pid);
  CHECK(fields["NSpid"] == pid);
  CHECK(fields["NStgid"] == pid);
  CHECK(fields["PPid"] == std::to_string(FakeKernel::inside(kMe)));
  CHECK(fields["TracerPid"] == "0");
  CHECK(fields["Umask"] == "0027");
  CHECK(words_of(fields["State"])[0] == "S");
}

TEST_CASE("ids are those of the workload's user namespace") {
  World world;
  world.kernel.uids = IdMap({{7000, ::getuid(), 1}});
  world.kernel.gids = IdMap({{8000, ::getgid(), 1}});
  auto fields = fields_of(world.text_of(kMe, "status"));
  CHECK(fields["Uid"] == "7000\t7000\t7000\t7000");
  CHECK(fields["Gid"] == "8000\t8000\t8000\t8000");
  Attributes attributes = must(world.at(std::to_string(FakeKernel::inside(kMe)))->getattr());
  CHECK(attributes.stx_uid == 7000);
  CHECK(attributes.stx_gid == 8000);
  CHECK(words_of(world.text_of(kMe, "uid_map")) == std::vector<std::string>{"7000", "7000", "1"});
}

TEST_CASE("maps shows inside paths, keeps every column and hides what is hidden") {
  ScratchDirectory scratch;
  std::string odd = scratch.path() + "/new\nline";
  std::string hidden = scratch.path() + "/hidden";
  for (const std::string& path : {odd, hidden}) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
    REQUIRE(::ftruncate(file.get(), 4096) == 0);
    REQUIRE(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file.get(), 0) != MAP_FAILED);
  }
  void* shared = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  World world;
  world.kernel.hidden_path = hidden;
  std::string maps = world.text_of(kMe, "maps");
  CHECK(maps.find("hidden") == std::string::npos);
  CHECK(maps.find("/inside" + scratch.path() + "/new\\012line\n") != std::string::npos);
  bool has_stack = false;
  for (const std::string& line : lines_of(maps)) {
    INFO(line);
    std::vector<std::string> words = words_of(line);
    REQUIRE(words.size() >= 5);
    CHECK(words[0].find('-') != std::string::npos);
    CHECK(words[1].size() == 4);
    if (words.size() > 5) {
      CHECK(line.find(words[5]) == 73);
      CHECK((words[5].starts_with("/inside/") || words[5].starts_with("[") || words[5] == "/dev/zero"));
    }
    has_stack |= words.size() > 5 && words[5] == "[stack]";
  }
  CHECK(has_stack);
  CHECK(maps.find(" /dev/zero (deleted)\n") != std::string::npos);
  ::munmap(shared, 4096);

  std::string smaps = world.text_of(kMe, "smaps");
  CHECK(smaps.find("hidden") == std::string::npos);
  size_t mappings = lines_of(maps).size(), sizes = 0;
  for (const std::string& line : lines_of(smaps)) sizes += line.starts_with("Size:");
  CHECK(sizes >= mappings - 2);
  CHECK(sizes <= mappings + 2);
}

TEST_CASE("cmdline puts a script's interpreter in the place of argv[0]") {
  World world;
  std::string plain = world.text_of(kMe, "cmdline");
  REQUIRE(plain.ends_with('\0'));
  world.kernel.prototype.argv_prefix = {"/bin/sh", "-e\nx", "/work/script (1)"};
  std::string script = world.text_of(kMe, "cmdline");
  std::string rest = plain.substr(plain.find('\0') + 1);
  CHECK(script == std::string("/bin/sh\0-e\nx\0/work/script (1)\0", 30) + rest);
}

TEST_CASE("auxv is the program's own when the sentry knows it") {
  World world;
  CHECK(world.text_of(kMe, "auxv").size() % 16 == 0);
  world.kernel.prototype.auxv = std::string(32, '\1');
  CHECK(world.text_of(kMe, "auxv") == std::string(32, '\1'));
}

TEST_CASE("auxv of a program that a loader started is the one on its stack") {
  World world;
  UniqueFd record(::open("/proc/self/auxv", O_RDONLY));
  std::string recorded = read_all(record.get());
  CHECK(world.text_of(kMe, "auxv") == recorded);
  Child child([size = recorded.size()] {
    // As the loader does: everything moves down, strings come to lie on its end, values change.
    char** word = environ;
    while (*word != nullptr) ++word;
    char* vector = reinterpret_cast<char*>(word + 1);
    constexpr size_t kMoved = 208;
    std::memmove(vector - kMoved, vector, size);
    std::memset(vector + size - kMoved, 'x', kMoved);
    for (auto* entry = reinterpret_cast<Elf64_auxv_t*>(vector - kMoved); entry->a_type != AT_NULL; ++entry)
      if (entry->a_type == AT_ENTRY) entry->a_un.a_val = 0x1234;
  });
  world.kernel.add(child.pid());
  std::string shown = world.text_of(child.pid(), "auxv");
  REQUIRE(shown.size() == recorded.size());
  const auto* entry = reinterpret_cast<const Elf64_auxv_t*>(shown.data());
  while (entry->a_type != AT_ENTRY) ++entry;
  CHECK(entry->a_un.a_val == 0x1234);
}

TEST_CASE("mount lines are escaped and agree") {
  World world;
  world.mount_lines = {
      {.id = 1,
       .parent_id = 1,
       .device = makedev(0, 40),
       .root = "/",
       .mountpoint = "/",
       .flags = {.is_read_only = true},
       .type = "overlay",
       .source = "overlay",
       .options = "rw,size=1k"},
      {.id = 2,
       .parent_id = 1,
       .device = makedev(0, 41),
       .root = "/a b",
       .mountpoint = "/tab\there\\and\nline",
       .flags = {.is_nosuid = true, .is_nodev = true},
       .type = "tmpfs",
       .source = "x y",
       .options = "rw"},
  };
  CHECK(lines_of(world.text_of(kMe, "mountinfo")) ==
        std::vector<std::string>{
            "1 1 0:40 / / ro,nosuid,relatime - overlay overlay rw,size=1k",
            "2 1 0:41 /a\\040b /tab\\011here\\134and\\012line rw,nosuid,nodev,relatime - tmpfs x\\040y rw"});
  CHECK(
      lines_of(world.text_of(kMe, "mounts")) ==
      std::vector<std::string>{"overlay / overlay ro,nosuid,relatime,size=1k 0 0",
                               "x\\040y /tab\\011here\\134and\\012line tmpfs rw,nosuid,nodev,relatime 0 0"});
}

TEST_CASE("fd lists what is open, except the reserved number, and leads to the objects") {
  World world;
  // High numbers: what the file system itself opens takes the low ones.
  UniqueFd low(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  UniqueFd file(::fcntl(low.get(), F_DUPFD_CLOEXEC, 500));
  UniqueFd reserved(::fcntl(low.get(), F_DUPFD_CLOEXEC, 600));
  world.kernel.reserved = reserved.get();
  std::string own = std::to_string(FakeKernel::inside(kMe));
  std::vector<std::string> names = world.listing(own + "/fd");
  CHECK(std::count(names.begin(), names.end(), std::to_string(file.get())) == 1);
  CHECK(std::count(names.begin(), names.end(), std::to_string(reserved.get())) == 0);
  CHECK(error_of(find(world.procfs->root(), fmt::format("{}/fd/{}", own, reserved.get()))) == ENOENT);
  CHECK(error_of(find(world.procfs->root(), own + "/fd/9999")) == ENOENT);

  InodePtr link = world.at(fmt::format("{}/fd/{}", own, file.get()));
  CHECK((must(link->getattr()).stx_mode & 0777) == 0300);
  CHECK(must(link->readlink(world.me())).starts_with("/inside/"));
  (void)must(link->follow_magic(world.me()));
  CHECK(world.located == 1);
  std::string info = world.text(fmt::format("{}/fdinfo/{}", own, file.get()));
  CHECK(info.find("pos:\t0\n") == 0);
  CHECK(info.find("flags:\t02100001\n") != std::string::npos);
  file.reset();
  CHECK(error_of(link->readlink(world.me())) == ENOENT);
  CHECK(error_of(link->getattr()) == ENOENT);
}

TEST_CASE("fdinfo of a pidfd shows the pid inside") {
  World world;
  Child child([] {});
  world.kernel.add(child.pid());
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
  REQUIRE(pidfd);
  std::string info = world.text(fmt::format("{}/fdinfo/{}", FakeKernel::inside(kMe), pidfd.get()));
  CHECK(info.find(fmt::format("\nPid:\t{}\n", FakeKernel::inside(child.pid()))) != std::string::npos);
}

TEST_CASE("only who might ptrace a process looks into it") {
  World world;
  Child child([] { (void)!::setresgid(4711, 4711, 4711), (void)!::setresuid(4711, 4711, 4711); });
  if (::getuid() != 0) {
    WARN("skipped: needs root to make a process of another user");
    return;
  }
  world.kernel.add(child.pid());
  world.credentials = {
      .uid = 1, .euid = 1, .suid = 1, .fsuid = 1, .gid = 1, .egid = 1, .sgid = 1, .fsgid = 1};
  for (const char* name : {"maps", "smaps", "environ", "auxv", "io", "personality", "syscall"}) {
    INFO(name);
    Caller caller = world.me();
    auto node = find(world.procfs->root(), fmt::format("{}/{}", FakeKernel::inside(child.pid()), name));
    if (node) CHECK(error_of((*node)->generate(&caller)) == EACCES);
  }
  for (const char* name : {"exe", "cwd", "root", "ns/net"}) {
    InodePtr link = world.of(child.pid(), name);
    CHECK(error_of(link->readlink(world.me())) == EACCES);
    CHECK(error_of(link->follow_magic(world.me())) == EACCES);
  }
  CHECK(error_of(world.of(child.pid(), "fd")->list(world.me())) == EACCES);
  // Addresses are not told either.
  std::string stat = world.text_of(child.pid(), "stat");
  std::vector<std::string> words = words_of(stat.substr(stat.rfind(')') + 1));
  CHECK(words[26 - 3] == "1");
  CHECK(words[28 - 3] == "0");
  // The same user, or who may ptrace anybody, sees it.
  world.credentials = {.uid = 4711,
                       .euid = 4711,
                       .suid = 4711,
                       .fsuid = 4711,
                       .gid = 4711,
                       .egid = 4711,
                       .sgid = 4711,
                       .fsgid = 4711};
  CHECK(world.try_text(fmt::format("{}/cgroup", FakeKernel::inside(child.pid()))).has_value());
  world.credentials.effective_caps = 1ull << CAP_SYS_PTRACE;
  CHECK(!world.text_of(child.pid(), "maps").empty());
}

TEST_CASE("native files: the process itself may write comm, nobody may write mem") {
  World world;
  Child child([] {});
  world.kernel.add(child.pid());
  InodePtr comm = world.of(kMe, "comm");
  UniqueFd file = must(comm->open(world.me(), O_RDWR));
  struct stat status;
  REQUIRE(::fstat(file.get(), &status) == 0);
  Attributes attributes = must(comm->getattr());
  CHECK(attributes.stx_ino == status.st_ino);
  CHECK(device_of(attributes) == status.st_dev);
  CHECK(world.procfs->path_of_descriptor(file.get()) == fmt::format("/{}/comm", FakeKernel::inside(kMe)));
  CHECK(error_of(world.of(child.pid(), "comm")->open(world.me(), O_RDWR)) == EACCES);
  CHECK(must(world.of(child.pid(), "comm")->open(world.me(), O_RDONLY)).is_open());
  CHECK(error_of(world.of(kMe, "mem")->open(world.me(), O_RDWR)) == EACCES);
  CHECK(error_of(world.of(kMe, "mem")->open(world.me(), O_WRONLY)) == EACCES);
  CHECK(error_of(world.of(child.pid(), "mem")->open(world.me(), O_RDONLY)) == EACCES);
  UniqueFd memory = must(world.of(kMe, "mem")->open(world.me(), O_RDONLY));
  int number = 42, copy = 0;
  CHECK(::pread(memory.get(), &copy, sizeof copy, reinterpret_cast<off_t>(&number)) == sizeof copy);
  CHECK(copy == 42);
}

TEST_CASE("a process that is gone") {
  World world;
  InodePtr directory, stat;
  {
    Child child([] {});
    world.kernel.add(child.pid());
    directory = world.at(std::to_string(FakeKernel::inside(child.pid())));
    stat = world.of(child.pid(), "stat");
  }
  Caller caller = world.me();
  CHECK(error_of(stat->generate(&caller)) == ESRCH);
  CHECK(error_of(directory->lookup("stat")) == ENOENT);
  CHECK(error_of(directory->list(caller)) == ENOENT);
  CHECK(error_of(directory->getattr()) == ENOENT);
}

TEST_CASE("the machine is the same in every file") {
  World world;
  size_t cpus = world.resources->cpus().size();
  size_t described = 0, counted = 0;
  for (const std::string& line : lines_of(world.text("cpuinfo")))
    described += line.starts_with("processor\t");
  for (const std::string& line : lines_of(world.text("stat")))
    counted += line.starts_with("cpu") && line[3] != ' ';
  CHECK(described == cpus);
  CHECK(counted == cpus);
  // In the kernel's own layout.
  std::string meminfo = world.text("meminfo");
  UniqueFd host(::open("/proc/meminfo", O_RDONLY));
  CHECK(lines_of(meminfo)[0] == lines_of(read_all(host.get()))[0]);
  CHECK(lines_of(meminfo).size() == lines_of(read_all(host.get())).size());
  std::vector<std::string> uptime = words_of(world.text("uptime"));
  REQUIRE(uptime.size() == 2);
  timespec now;
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  CHECK(std::abs(std::stod(uptime[0]) - static_cast<double>(now.tv_sec)) < 3);
  std::vector<std::string> load = words_of(world.text("loadavg"));
  REQUIRE(load.size() == 5);
  CHECK(load[3].find('/') != std::string::npos);
}

TEST_CASE("sysctls: our host name, a steady boot id, fresh uuids") {
  World world;
  CHECK(world.text("sys/kernel/hostname") == "inner\n");
  std::string boot_id = world.text("sys/kernel/random/boot_id");
  CHECK(boot_id.size() == 37);
  CHECK(boot_id == world.text("sys/kernel/random/boot_id"));
  CHECK(boot_id != world.text("sys/kernel/random/uuid"));
  CHECK(world.text("sys/kernel/core_pattern") == "core\n");
  CHECK(world.text("sys/net/ipv6/conf/lo/disable_ipv6") == "0\n");
}
