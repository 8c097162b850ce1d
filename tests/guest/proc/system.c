// The files of /proc that describe the machine, and the calls that must agree with them.
#include "../guest.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static long long meminfo(const char* field) {
  char* text = guest_read_file("/proc/meminfo");
  char* at = strstr(text, field);
  return at == NULL ? -1 : atoll(at + strlen(field) + 1);
}

TEST(reading_from_the_start_is_fresh) {
  int fd = MUST(open("/proc/uptime", O_RDONLY));
  char first[64] = {0}, second[64] = {0}, third[64] = {0};
  CHECK(read(fd, first, 63) > 0);
  guest_sleep_ms(60);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK(read(fd, second, 63) > 0);
  CHECK(atof(second) > atof(first));
  guest_sleep_ms(60);
  CHECK(pread(fd, third, 63, 0) > 0);
  CHECK(atof(third) > atof(second));
  CHECK_EQ(read(fd, third, 63), 0);
  char last[64] = {0};
  struct iovec pieces[2] = {{last, 2}, {last + 2, 61}};
  guest_sleep_ms(60);
  CHECK(preadv(fd, pieces, 2, 0) > 0);
  CHECK(atof(last) > atof(third));
  guest_sleep_ms(60);
  CHECK(preadv2(fd, pieces, 2, 0, 0) > 0);
  CHECK(atof(last) > atof(third) + 0.1);
}

TEST(memory_information_is_fresh) {
  int fd = MUST(open("/proc/meminfo", O_RDONLY));
  static char before[8192], after[8192];
  CHECK(read(fd, before, sizeof before - 1) > 100);
  char* map = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  REQUIRE(map != MAP_FAILED);
  memset(map, 1, 64 << 20);
  CHECK(pread(fd, after, sizeof after - 1, 0) > 100);
  CHECK(strcmp(before, after) != 0);
  OK(lseek(fd, 0, SEEK_SET));
  memset(before, 0, sizeof before);
  // In small pieces, as some readers do.
  size_t have = 0;
  ssize_t got;
  while (have < sizeof before - 1 && (got = read(fd, before + have, 100)) > 0) have += got;
  CHECK(strncmp(before, "MemTotal:", 9) == 0);
  CHECK(strstr(before, "MemAvailable:") != NULL && strstr(before, "SwapTotal:") != NULL);
}

static long long field_in(const char* text, const char* field) {
  const char* at = strstr(text, field);
  return at == NULL ? -1 : atoll(at + strlen(field) + 1);
}

// What is wrong with `size` bytes of meminfo; NULL: nothing. There is a place for one byte more.
static char* complaint_about(char* text, ssize_t size) {
  static const char* halves[][3] = {{"Active:", "Active(anon):", "Active(file):"}, {"Inactive:", "Inactive(anon):", "Inactive(file):"}};
  if (size < 500 || text[size - 1] != '\n' || strncmp(text, "MemTotal:", 9) != 0) return "a text without its start or end";
  text[size] = 0;
  for (int i = 0; i < 2; ++i)
    if (field_in(text, halves[i][0]) != field_in(text, halves[i][1]) + field_in(text, halves[i][2])) return "lines of two moments";
  return NULL;
}

static void* read_whole(void* shared) {
  char text[8192];
  char* complaint = NULL;
  for (int round = 0; round < 300 && complaint == NULL; ++round)
    complaint = complaint_about(text, pread(*(int*)shared, text, sizeof text - 1, 0));
  return complaint;
}

// In two reads, and meanwhile others open the file.
static void* open_and_read(void* unused) {
  (void)unused;
  char text[8192];
  char* complaint = NULL;
  for (int round = 0; round < 300 && complaint == NULL; ++round) {
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t begin = read(fd, text, 300);
    sched_yield();
    ssize_t rest = read(fd, text + 300, sizeof text - 301);
    complaint = begin == 300 ? complaint_about(text, begin + rest) : "a short read";
    close(fd);
  }
  return complaint;
}

// Several threads, one descriptor or one of each, and memory that comes and goes.
TEST(reading_together_is_never_torn) {
  int fd = MUST(open("/proc/meminfo", O_RDONLY));
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) REQUIRE(pthread_create(&threads[i], NULL, i < 2 ? read_whole : open_and_read, &fd) == 0);
  for (int round = 0; round < 20; ++round) {
    size_t size = (round % 4 + 1) << 20;
    char* map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    REQUIRE(map != MAP_FAILED);
    munmap(map, size);
  }
  for (int i = 0; i < 4; ++i) {
    void* complaint = NULL;
    pthread_join(threads[i], &complaint);
    if (complaint != NULL) GUEST_FAILED("%s", (char*)complaint);
  }
  // No more than was asked for, and nothing for a descriptor that cannot be read.
  char byte[2] = {0, 'x'};
  CHECK_EQ(pread(fd, byte, 1, 0), 1);
  CHECK(byte[0] == 'M' && byte[1] == 'x');
  CHECK_EQ(pread(fd, byte, 0, 0), 0);
  ERR(syscall(SYS_pread64, fd, 8, 100, 0), EFAULT);
  int unreadable = MUST(open("/proc/meminfo", O_PATH));
  ERR(pread(unreadable, byte, 1, 0), EBADF);
}

// What was opened, read in part or spliced before stays what it was, whoever opens the file next.
TEST(an_opened_text_is_ones_own) {
  int pipe_ends[2];
  OK(pipe(pipe_ends));
  int early = MUST(open("/proc/uptime", O_RDONLY));
  char first[64] = {0}, spliced[64] = {0}, later[64] = {0};
  CHECK_EQ(read(early, first, 1), 1);
  int passing = MUST(open("/proc/uptime", O_RDONLY));
  ssize_t size = OK(splice(passing, NULL, pipe_ends[1], NULL, 63, 0));
  OK(close(passing));
  guest_sleep_ms(60);
  int late = MUST(open("/proc/uptime", O_RDONLY));
  CHECK(read(late, later, 63) > 0);
  CHECK(read(early, first + 1, 62) > 0);
  CHECK_EQ(read(pipe_ends[0], spliced, 63), size);
  CHECK(strchr(first, '\n') != NULL && strchr(spliced, '\n') != NULL && strchr(later, '\n') != NULL);
  CHECK(atof(later) > atof(spliced));
  CHECK(atof(later) > atof(first));
  CHECK(atof(spliced) >= atof(first));
}

TEST(memory_agrees_with_sysinfo) {
  struct sysinfo info;
  OK(sysinfo(&info));
  long long total = (long long)info.totalram * info.mem_unit / 1024;
  CHECK(llabs(total - meminfo("MemTotal")) < 1024);
  CHECK(meminfo("MemFree") <= meminfo("MemTotal"));
  CHECK(meminfo("MemAvailable") <= meminfo("MemTotal"));
  CHECK(info.uptime >= 0);
  CHECK(info.procs > 0);
}

TEST(processors_agree) {
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof set, &set));
  int by_affinity = CPU_COUNT(&set), by_cpuinfo = 0, by_stat = 0;
  char* text = guest_read_file("/proc/cpuinfo");
  for (char* at = text; (at = strstr(at, "processor\t")) != NULL; ++at) by_cpuinfo++;
  text = guest_read_file("/proc/stat");
  CHECK(strncmp(text, "cpu  ", 5) == 0);
  for (char* at = text; (at = strstr(at, "\ncpu")) != NULL; ++at) by_stat++;
  CHECK(by_affinity <= by_cpuinfo && by_affinity > 0);
  CHECK_EQ(by_stat, by_cpuinfo);
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), by_cpuinfo);
  CHECK(strstr(text, "btime ") != NULL && strstr(text, "ctxt ") != NULL);
}

TEST(small_files) {
  const char* names[] = {"version", "uptime", "loadavg", "filesystems", "cmdline", "stat", "vmstat", "swaps", "diskstats", "partitions", "devices", "mounts", "interrupts"};
  char path[64];
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    snprintf(path, sizeof path, "/proc/%s", names[i]);
    // A machine without a disk lists none.
    int is_of_disks = strcmp(names[i], "diskstats") == 0 || strcmp(names[i], "partitions") == 0;
    if (guest_read_file(path)[0] == 0 && !is_of_disks) GUEST_FAILED("%s is empty", path);
    struct stat st;
    OK(stat(path, &st));
    CHECK(S_ISREG(st.st_mode) || strcmp(names[i], "mounts") == 0);
  }
  double one, five, fifteen;
  int running, all, last;
  CHECK_EQ(sscanf(guest_read_file("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &one, &five, &fifteen, &running, &all, &last), 6);
  struct utsname name;
  OK(uname(&name));
  CHECK(strstr(guest_read_file("/proc/version"), name.release) != NULL);
  if (geteuid() != 0) ERR(open("/proc/uptime", O_WRONLY), EACCES);
}

TEST(kernel_parameters) {
  struct utsname name;
  OK(uname(&name));
  char want[128];
  snprintf(want, sizeof want, "%s\n", name.nodename);
  CHECK_STR(guest_read_file("/proc/sys/kernel/hostname"), want);
  snprintf(want, sizeof want, "%s\n", name.release);
  CHECK_STR(guest_read_file("/proc/sys/kernel/osrelease"), want);
  CHECK(atoi(guest_read_file("/proc/sys/kernel/pid_max")) > 1000);
  CHECK_EQ(strlen(guest_read_file("/proc/sys/kernel/random/uuid")), 37);
  CHECK(strcmp(guest_read_file("/proc/sys/kernel/random/uuid"), guest_read_file("/proc/sys/kernel/random/uuid")) != 0);
  CHECK_EQ(strlen(guest_read_file("/proc/sys/kernel/random/boot_id")), 37);
  CHECK(atoi(guest_read_file("/proc/sys/fs/pipe-max-size")) > 0);
  CHECK(atoi(guest_read_file("/proc/sys/kernel/ngroups_max")) > 0);
  guest_read_file("/proc/sys/vm/overcommit_memory");
  guest_read_file("/proc/sys/fs/file-max");
  guest_read_file("/proc/sys/net/core/somaxconn");
}

TEST(network_of_the_own_namespace) {
  CHECK(strstr(guest_read_file("/proc/net/dev"), "lo:") != NULL);
  guest_read_file("/proc/net/tcp");
  guest_read_file("/proc/net/unix");
  guest_read_file("/proc/self/net/route");
  OK(access("/proc/net/if_inet6", F_OK));
}

TEST(sysfs_and_cgroups) {
  char* online = guest_read_file("/sys/devices/system/cpu/online");
  CHECK(online[0] >= '0' && online[0] <= '9');
  OK(access("/sys/devices/system/cpu/cpu0", F_OK));
  OK(access("/sys/fs/cgroup", F_OK));
  OK(access("/sys/class/net/lo", F_OK));
}

TEST(tools_agree) {
  CHECK_EQ(system("free >/dev/null && uptime >/dev/null && nproc >/dev/null && ps aux >/dev/null"), 0);
}
