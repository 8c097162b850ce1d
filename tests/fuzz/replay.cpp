// Replays a list of file system calls, in several processes, and logs what each returned: replay ROOT
// OPERATIONS.
//
// An operation is a line `WORKER NAME ARGUMENT...`. Workers are processes that act one at a time; worker 0
// exists from the start. Paths are written without blanks: a leading % is ROOT, @null an unmapped pointer,
// @empty "", @nN a name of N bytes, @pN a path of N bytes. A descriptor is sN, the N-th slot of its worker.
// Logs carry nothing that may differ between two right answers: inode numbers are compared inside one
// snapshot only, times only when the run set them itself, sizes and link counts of directories not at all.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kWorkers = 4;
constexpr int kFirstPrivateFd = 100;  // the replayer's own descriptors live from here on
constexpr int kAnswerTimeoutMs = 10000;
constexpr time_t kOldestNow = 1000000000;  // a time the run did not set itself

std::string root;
std::vector<std::string> words;  // of the current operation
char* unmapped;
std::map<int, int> slots;
int command_ends[kWorkers][2];  // [0] coordinator's, [1] worker's
int mail_ends[kWorkers][2];

std::string format(const char* text, ...) __attribute__((format(printf, 1, 2)));
std::string format(const char* text, ...) {
  char buffer[8192];
  va_list arguments;
  va_start(arguments, text);
  vsnprintf(buffer, sizeof buffer, text, arguments);
  va_end(arguments);
  return buffer;
}

std::string printable(const std::string& bytes) {
  std::string text;
  for (unsigned char byte : bytes)
    text += byte > ' ' && byte < 127 && byte != '\\' ? std::string(1, byte) : format("\\x%02x", byte);
  return text;
}

// ROOT differs between runs that must agree.
std::string without_root(std::string text) {
  for (size_t at; (at = text.find(root)) != std::string::npos;) text.replace(at, root.size(), "%");
  return text;
}

const char* path(size_t index) {
  static std::string made[4];
  static int turn;
  const std::string& word = words.at(index);
  std::string& result = made[turn++ & 3];
  if (word == "@null") return unmapped;
  if (word == "@empty")
    result = "";
  else if (word.rfind("@n", 0) == 0)
    result.assign(atoi(word.c_str() + 2), 'n');
  else if (word.rfind("@p", 0) == 0) {
    result.assign(atoi(word.c_str() + 2), '/');
    result[0] = '.';
    result.back() = 'a';
  } else if (word[0] == '%')
    result = root + word.substr(1);
  else
    result = word;
  return result.c_str();
}

long number(size_t index) { return strtol(words.at(index).c_str(), nullptr, 0); }

int fd(size_t index) {
  const std::string& word = words.at(index);
  if (word == "cwd") return AT_FDCWD;
  if (word[0] != 's') return number(index);
  auto found = slots.find(atoi(word.c_str() + 1));
  return found == slots.end() ? -1 : found->second;
}

std::string outcome(long value) {
  if (value == -1) return format("-1 %s", strerrorname_np(errno) ? strerrorname_np(errno) : "?");
  return format("%ld", value);
}

// A new descriptor goes into the slot that the operation's last word names.
std::string into_slot(long value) {
  int saved = errno;
  if (value >= 0) {
    int slot = atoi(words.back().c_str() + 1);
    if (slots.count(slot) != 0 && slots[slot] != value) close(slots[slot]);
    slots[slot] = value;
  }
  errno = saved;
  return outcome(value);
}

std::string time_text(const timespec& when) {
  return when.tv_sec < kOldestNow ? format("%lld.%09ld", (long long)when.tv_sec, when.tv_nsec) : "now";
}

std::string stat_text(const struct stat& st) {
  bool is_directory = S_ISDIR(st.st_mode);
  return format("mode=%o uid=%d gid=%d", st.st_mode, st.st_uid, st.st_gid) +
         (is_directory ? std::string() : format(" nlink=%ld size=%ld", (long)st.st_nlink, (long)st.st_size)) +
         " mtime=" + time_text(st.st_mtim);
}

std::string stat_outcome(long value, const struct stat& st) {
  return value == 0 ? "0 " + stat_text(st) : outcome(value);
}

std::string data_text(long value, const char* data) {
  int saved = errno;
  std::string text = value > 0 ? " " + printable(std::string(data, std::min(value, 40L))) : "";
  errno = saved;
  return outcome(value) + text;
}

std::string list_directory(int dir) {
  std::string names;
  std::vector<std::string> found;
  if (lseek(dir, 0, SEEK_SET) != 0) return "lseek " + outcome(-1);
  alignas(8) char buffer[4096];
  long got;
  while ((got = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < got;) {
      auto* entry = reinterpret_cast<dirent64*>(buffer + at);
      struct stat st;
      std::string text = printable(entry->d_name) + format(":%d", entry->d_type);
      if (strcmp(entry->d_name, "..") != 0 && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
          st.st_ino != entry->d_ino)
        text += "(d_ino differs)";
      found.push_back(text);
      at += entry->d_reclen;
    }
  }
  if (got < 0) return outcome(got);
  std::sort(found.begin(), found.end());
  for (auto& name : found) names += " " + name;
  return format("%zu", found.size()) + names;
}

void become_worker(int id);

std::string fork_worker() {
  int id = number(2);
  if (id <= 0 || id >= kWorkers) return "bad worker";
  pid_t child = fork();
  if (child == 0) {
    become_worker(id);
    _exit(0);
  }
  return child > 0 ? "0" : outcome(-1);
}

std::string send_descriptor() {
  char control[CMSG_SPACE(sizeof(int))] = {};
  iovec iov{const_cast<char*>("x"), 1};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int sent = fd(2);
  memcpy(CMSG_DATA(header), &sent, sizeof sent);
  return outcome(sendmsg(mail_ends[number(3) % kWorkers][0], &message, MSG_DONTWAIT));
}

std::string take_descriptor(int id) {
  char control[CMSG_SPACE(sizeof(int))], byte;
  iovec iov{&byte, 1};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(mail_ends[id][1], &message, MSG_DONTWAIT) < 0) return outcome(-1);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return "no descriptor";
  int got;
  memcpy(&got, CMSG_DATA(header), sizeof got);
  return into_slot(got);
}

std::string write_through_mapping() {
  void* map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd(2), 0);
  if (map == MAP_FAILED) return outcome(-1);
  struct stat st;
  bool fits = fstat(fd(2), &st) == 0 && st.st_size > 3;
  if (fits) memcpy(map, "MAP", 3);
  munmap(map, 4096);
  return fits ? "0 written" : "0 too short";
}

std::string proc_link(bool opens) {
  std::string link = format("/proc/self/fd/%d", fd(2));
  if (opens) return into_slot(open(link.c_str(), number(3) | O_NONBLOCK, 0644));
  char target[8192];
  long got = readlink(link.c_str(), target, sizeof target);
  if (got < 0) return outcome(got);
  std::string text(target, got);
  if (text.size() > 10 && text.compare(text.size() - 10, 10, " (deleted)") == 0) return "deleted";
  return text.rfind("socket:", 0) == 0 || text.rfind("pipe:", 0) == 0 ? "object" : without_root(text);
}

using Operation = std::function<std::string()>;

std::map<std::string, Operation> make_path_operations() {
  static struct stat st;
  static char buffer[8192];
  return {
      {"open", [] { return into_slot(open(path(2), number(3) | O_NONBLOCK, number(4))); }},
      {"openat", [] { return into_slot(openat(fd(2), path(3), number(4) | O_NONBLOCK, number(5))); }},
      {"openat2",
       [] {
         open_how how{.flags = uint64_t(number(4) | O_NONBLOCK),
                      .mode = number(4) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? 0640u : 0u,
                      .resolve = uint64_t(number(5))};
         // openat2(2): EAGAIN when anything on the machine was renamed while it stepped up through "..".
         long opened;
         do {
           opened = syscall(SYS_openat2, fd(2), path(3), &how, sizeof how);
         } while (opened < 0 && errno == EAGAIN && how.resolve != 0);
         return into_slot(opened);
       }},
      {"stat", [] { return stat_outcome(stat(path(2), &st), st); }},
      {"lstat",
       [] {
         long value = lstat(path(2), &st);
         // ROOT is not equally long everywhere.
         if (value == 0 && S_ISLNK(st.st_mode)) st.st_size = 0;
         return stat_outcome(value, st);
       }},
      {"fstatat",
       [] {
         long value = fstatat(fd(2), path(3), &st, number(4));
         if (value == 0 && S_ISLNK(st.st_mode)) st.st_size = 0;
         return stat_outcome(value, st);
       }},
      {"statx",
       [] {
         struct statx sx{};
         long value = statx(fd(2), path(3), number(4), STATX_BASIC_STATS, &sx);
         return value == 0 ? format("0 mode=%o uid=%d gid=%d", sx.stx_mode, sx.stx_uid, sx.stx_gid)
                           : outcome(value);
       }},
      {"access", [] { return outcome(access(path(2), number(3))); }},
      {"faccessat2", [] { return outcome(syscall(SYS_faccessat2, fd(2), path(3), number(4), number(5))); }},
      {"readlink",
       [] {
         long got = readlink(path(2), buffer, sizeof buffer);
         return got < 0 ? outcome(got) : without_root(std::string(buffer, got));
       }},
      {"mkdir", [] { return outcome(mkdir(path(2), number(3))); }},
      {"mkdirat", [] { return outcome(mkdirat(fd(2), path(3), number(4))); }},
      {"rmdir", [] { return outcome(rmdir(path(2))); }},
      {"unlink", [] { return outcome(unlink(path(2))); }},
      {"unlinkat", [] { return outcome(unlinkat(fd(2), path(3), number(4))); }},
      {"rename", [] { return outcome(rename(path(2), path(3))); }},
      {"renameat2",
       [] { return outcome(syscall(SYS_renameat2, fd(2), path(3), fd(4), path(5), number(6))); }},
      {"link", [] { return outcome(link(path(2), path(3))); }},
      {"linkat", [] { return outcome(linkat(fd(2), path(3), fd(4), path(5), number(6))); }},
      {"symlink", [] { return outcome(symlink(path(2), path(3))); }},
      {"mknod", [] { return outcome(mknod(path(2), number(3), 0)); }},
      {"chmod", [] { return outcome(chmod(path(2), number(3))); }},
      {"chown", [] { return outcome(chown(path(2), number(3), number(4))); }},
      {"lchown", [] { return outcome(lchown(path(2), number(3), number(4))); }},
      {"truncate",
       [] {
         // Whether a truncation to the present size moves the times is each file system's choice.
         if (stat(path(2), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == number(3))
           return std::string("nothing to do");
         errno = 0;
         return outcome(truncate(path(2), number(3)));
       }},
      {"utimens",
       [] {
         timespec times[2] = {{number(4), number(5)}, {number(6), number(7)}};
         return outcome(utimensat(fd(2), path(3), times, number(8)));
       }},
      {"chdir", [] { return outcome(chdir(path(2))); }},
      {"getcwd",
       [] { return syscall(SYS_getcwd, buffer, number(2)) < 0 ? outcome(-1) : without_root(buffer); }},
      {"setxattr",
       [] { return outcome(lsetxattr(path(2), words.at(3).c_str(), "value", number(4), number(5))); }},
      {"getxattr",
       [] {
         long got = getxattr(path(2), words.at(3).c_str(), buffer, number(4));
         return data_text(got, buffer);
       }},
      {"removexattr", [] { return outcome(removexattr(path(2), words.at(3).c_str())); }},
      {"samefile",
       [] {
         struct stat other;
         if (lstat(path(2), &st) != 0 || lstat(path(3), &other) != 0) return outcome(-1);
         return std::string(st.st_ino == other.st_ino && st.st_dev == other.st_dev ? "same" : "different");
       }},
  };
}

std::map<std::string, Operation> make_descriptor_operations() {
  static struct stat st;
  static char buffer[8192];
  return {
      {"close",
       [] {
         int gone = fd(2);
         slots.erase(atoi(words.at(2).c_str() + 1));
         return outcome(close(gone));
       }},
      {"dup", [] { return into_slot(dup(fd(2))); }},
      {"read",
       [] {
         long got = read(fd(2), buffer, number(3));
         // A directory refuses with EISDIR or, when its position is huge, EINVAL.
         if (got < 0 && errno == EISDIR) errno = EINVAL;
         return data_text(got, buffer);
       }},
      {"pread",
       [] {
         long got = pread(fd(2), buffer, number(3), number(4));
         if (got < 0 && errno == EISDIR) errno = EINVAL;
         return data_text(got, buffer);
       }},
      {"write",
       [] {
         memset(buffer, words.at(4)[0], sizeof buffer);
         return outcome(write(fd(2), buffer, number(3)));
       }},
      {"pwrite",
       [] {
         memset(buffer, words.at(5)[0], sizeof buffer);
         return outcome(pwrite(fd(2), buffer, number(3), number(4)));
       }},
      {"lseek",
       [] {
         // A directory's positions are the file system's own business, but its start is 0.
         long at = lseek(fd(2), number(3), number(4));
         int saved = errno;
         bool is_directory = (at > 0 || number(4) != SEEK_SET || number(3) > 0) && fstat(fd(2), &st) == 0 &&
                             S_ISDIR(st.st_mode);
         errno = saved;
         return is_directory ? "directory" : outcome(at);
       }},
      {"ftruncate", [] { return outcome(ftruncate(fd(2), number(3))); }},
      {"fallocate", [] { return outcome(fallocate(fd(2), number(3), number(4), number(5))); }},
      {"fstat",
       [] {
         long value = syscall(SYS_fstat, fd(2), &st);
         if (value == 0 && S_ISLNK(st.st_mode)) st.st_size = 0;
         return stat_outcome(value, st);
       }},
      {"agree",
       [] {
         struct stat by_path;
         if (syscall(SYS_fstat, fd(2), &st) != 0 || stat(path(3), &by_path) != 0) return outcome(-1);
         bool same = st.st_ino == by_path.st_ino && st.st_dev == by_path.st_dev;
         if (same && (st.st_nlink != by_path.st_nlink || st.st_size != by_path.st_size ||
                      st.st_mode != by_path.st_mode))
           return std::string("one file, two answers");
         return std::string(same ? "same" : "different");
       }},
      {"fchmod", [] { return outcome(fchmod(fd(2), number(3))); }},
      {"fchown", [] { return outcome(fchown(fd(2), number(3), number(4))); }},
      {"futimens",
       [] {
         timespec times[2] = {{number(3), 0}, {number(4), 0}};
         return outcome(futimens(fd(2), times));
       }},
      {"fchdir", [] { return outcome(fchdir(fd(2))); }},
      {"fsetxattr",
       [] { return outcome(fsetxattr(fd(2), words.at(3).c_str(), "value", number(4), number(5))); }},
      {"fgetxattr",
       [] {
         long got = fgetxattr(fd(2), words.at(3).c_str(), buffer, number(4));
         return data_text(got, buffer);
       }},
      {"flock", [] { return outcome(flock(fd(2), number(3) | LOCK_NB)); }},
      {"lock",
       [] {
         struct flock lock{};
         lock.l_type = number(4);
         lock.l_start = number(5);
         lock.l_len = number(6);
         return outcome(fcntl(fd(2), number(3) ? F_OFD_SETLK : F_SETLK, &lock));
       }},
      {"getfl",
       [] {
         long flags = fcntl(fd(2), F_GETFL);
         if (flags < 0) return outcome(-1);
         return format("%lo", flags & (flags & O_PATH ? O_PATH : ~O_NOATIME));
       }},
      {"list", [] { return list_directory(fd(2)); }},
      {"copy",
       [] { return outcome(syscall(SYS_copy_file_range, fd(2), nullptr, fd(3), nullptr, number(4), 0)); }},
      {"sendfile",
       [] {
         // Of two wrong descriptors the position of a directory decides which one is told.
         long sent = sendfile(fd(2), fd(3), nullptr, number(4));
         return sent < 0 ? std::string("-1") : outcome(sent);
       }},
      {"mapwrite", write_through_mapping},
      {"fdlink", [] { return proc_link(false); }},
      {"reopen", [] { return proc_link(true); }},
      {"send", send_descriptor},
      {"take", [] { return take_descriptor(number(0)); }},
      {"umask", [] { return outcome(umask(number(2))); }},
      {"seteuid", [] { return outcome(syscall(SYS_setresuid, -1, number(2), -1)); }},
      {"fork", fork_worker},
      {"exit",
       [] {
         // Closed before the answer, so that the locks are gone when the next operation starts.
         for (auto& [slot, descriptor] : slots) close(descriptor);
         return std::string("gone");
       }},
  };
}

std::string carry_out(const std::string& line) {
  static const auto operations = [] {
    auto all = make_path_operations();
    all.merge(make_descriptor_operations());
    return all;
  }();
  std::istringstream split(line);
  words.clear();
  for (std::string word; split >> word;) words.push_back(word);
  auto found = words.size() < 2 ? operations.end() : operations.find(words[1]);
  if (found == operations.end()) return "unknown operation";
  errno = 0;
  return found->second();
}

void become_worker(int id) {
  char buffer[16384];
  for (;;) {
    long got = recv(command_ends[id][1], buffer, sizeof buffer - 1, 0);
    if (got <= 0) return;
    std::string line(buffer, got), answer = carry_out(line);
    if (answer.size() > 16000) answer.resize(16000);
    send(command_ends[id][1], answer.data(), answer.size(), 0);
    if (words.size() > 1 && words[1] == "exit") return;
  }
}

// One line a file: what an observer with all rights sees, links identified within this snapshot.
void snapshot(int dir, const std::string& name, std::map<std::pair<dev_t, ino_t>, int>& seen) {
  std::vector<std::string> entries;
  int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = own < 0 ? nullptr : fdopendir(own);
  if (stream == nullptr) {
    printf("  %s: %s\n", printable(name).c_str(), outcome(-1).c_str());
    return;
  }
  while (dirent* entry = readdir(stream)) entries.push_back(entry->d_name);
  std::sort(entries.begin(), entries.end());
  for (auto& entry : entries) {
    if (entry == "." || entry == "..") continue;
    struct stat st;
    std::string full = name + "/" + entry, text;
    if (fstatat(dir, entry.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      printf("  %s: %s\n", printable(full).c_str(), outcome(-1).c_str());
      continue;
    }
    auto known = seen.emplace(std::make_pair(st.st_dev, st.st_ino), int(seen.size()));
    text = format("#%d ", known.first->second) + stat_text(st);
    char buffer[8192];
    if (S_ISLNK(st.st_mode)) {
      long got = readlinkat(dir, entry.c_str(), buffer, sizeof buffer);
      // ROOT is not equally long everywhere.
      if (got == st.st_size) st.st_size = without_root(std::string(buffer, got)).size();
      text = format("#%d ", known.first->second) + stat_text(st);
      text += " -> " + (got < 0 ? outcome(got) : printable(without_root(std::string(buffer, got))));
    } else if (S_ISREG(st.st_mode)) {
      int file = openat(dir, entry.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
      uint64_t hash = 1469598103934665603u;
      long got = -1;
      while (file >= 0 && (got = read(file, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < got; ++i) hash = (hash ^ (unsigned char)buffer[i]) * 1099511628211u;
      text += got == 0 ? format(" content=%016lx", hash) : " " + outcome(-1);
      long length = file < 0 ? -1 : flistxattr(file, buffer, sizeof buffer);
      std::vector<std::string> names;
      for (long at = 0; at < length; at += strlen(buffer + at) + 1)
        if (strncmp(buffer + at, "user.", 5) == 0) names.push_back(buffer + at);
      std::sort(names.begin(), names.end());
      for (auto& attribute : names) text += " " + attribute;
      if (file >= 0) close(file);
    }
    printf("  %s: %s\n", printable(full).c_str(), text.c_str());
    if (S_ISDIR(st.st_mode)) {
      int sub = openat(dir, entry.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (sub < 0)
        printf("  %s: %s\n", printable(full).c_str(), outcome(-1).c_str());
      else
        snapshot(sub, full, seen), close(sub);
    }
  }
  closedir(stream);
}

void whole_snapshot() {
  int dir = open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::map<std::pair<dev_t, ino_t>, int> seen;
  if (dir < 0)
    printf("  root: %s\n", outcome(-1).c_str());
  else
    snapshot(dir, "%", seen), close(dir);
}

// The tree that every run starts from; on an overlay it is the lower layer.
void populate() {
  auto write_file = [](const std::string& name, const std::string& text, mode_t mode) {
    int file = open((root + "/" + name).c_str(), O_CREAT | O_WRONLY, mode);
    if (file < 0 || write(file, text.data(), text.size()) < 0) perror(name.c_str());
    close(file);
  };
  auto in_root = [](const char* name) { return root + "/" + name; };
  for (auto* dir : {"a", "a/b", "a/b/c", "d", "empty"}) mkdir(in_root(dir).c_str(), 0755);
  write_file("f", "top level file", 0644);
  write_file("a/f", "in a", 0644);
  write_file("a/b/g", std::string(5000, 'g'), 0640);
  write_file("a/b/c/h", "deep", 0600);
  write_file("d/f", "in d", 0755);
  write_file("d/g", "", 0444);
  if (symlink("f", in_root("l").c_str()) != 0 || symlink("../d", in_root("a/l").c_str()) != 0 ||
      symlink((root + "/a/b").c_str(), in_root("abs").c_str()) != 0 ||
      symlink("nowhere", in_root("broken").c_str()) != 0)
    perror("symlink");
  const timespec old[2] = {{1000, 0}, {2000, 0}};
  for (auto* name : {"f", "a/f", "a/b/g", "a/b/c/h", "d/f", "d/g", "l", "a/l", "abs", "broken", "a/b/c",
                     "a/b", "a", "d", "empty"})
    utimensat(AT_FDCWD, in_root(name).c_str(), old, AT_SYMLINK_NOFOLLOW);
}

void move_high(int& descriptor) {
  int high = fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstPrivateFd);
  close(descriptor);
  descriptor = high;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s ROOT OPERATIONS|--populate [--populated]\n", argv[0]);
    return 2;
  }
  root = argv[1];
  umask(022);
  if (strcmp(argv[2], "--populate") == 0) {
    populate();
    return 0;
  }
  std::vector<std::string> lines;
  {
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);)
      if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  if (argc < 4) {
    for (size_t at = 1; at != std::string::npos; at = root.find('/', at + 1))
      if (at > 1) mkdir(root.substr(0, at).c_str(), 0777);
    mkdir(root.c_str(), 0777);
    for (size_t at = root.find("/u"); at != std::string::npos; at = root.find('/', at + 1))
      chmod(root.substr(0, at).c_str(), 0777);
    chmod(root.c_str(), 0777);
    populate();
  }
  unmapped = static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(unmapped, 4096);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  syscall(SYS_close_range, 3, ~0u, 0);
  setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  for (int i = 0; i < kWorkers; ++i) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, command_ends[i]) != 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM, 0, mail_ends[i]) != 0)
      return 1;
    for (int end = 0; end < 2; ++end) move_high(command_ends[i][end]), move_high(mail_ends[i][end]);
  }
  if (chdir(root.c_str()) != 0) return 1;
  bool alive[kWorkers] = {true};
  if (fork() == 0) {
    become_worker(0);
    _exit(0);
  }
  int index = 0;
  for (auto& line : lines) {
    std::istringstream split(line);
    int id;
    std::string name, target;
    split >> id >> name >> target;
    ++index;
    if (name == "snapshot") {
      printf("%d snapshot\n", index);
      whole_snapshot();
      continue;
    }
    bool is_fork = name == "fork";
    int child = is_fork ? atoi(target.c_str()) : 0;
    if (id < 0 || id >= kWorkers || !alive[id] ||
        (is_fork && (child <= 0 || child >= kWorkers || alive[child]))) {
      printf("%d no such worker\n", index);
      continue;
    }
    send(command_ends[id][0], line.data(), line.size(), 0);
    pollfd wait{command_ends[id][0], POLLIN, 0};
    if (poll(&wait, 1, kAnswerTimeoutMs) != 1) {
      printf("%d %s HANGS\n", index, line.c_str());
      fflush(stdout);
      kill(0, SIGKILL);
    }
    char answer[16384];
    long got = recv(command_ends[id][0], answer, sizeof answer, 0);
    printf("%d %s = %s\n", index, line.c_str(), std::string(answer, std::max(got, 0L)).c_str());
    fflush(stdout);
    if (is_fork) alive[child] = true;
    if (name == "exit") alive[id] = false;
  }
  printf("final\n");
  whole_snapshot();
  for (auto& pair : command_ends) shutdown(pair[0], SHUT_RDWR);
  fflush(stdout);
  while (wait(nullptr) > 0) {
  }
  return 0;
}
