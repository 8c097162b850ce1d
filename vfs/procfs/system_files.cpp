// Files about the kernel: what it is, what it supports, and what containers hide.
#include <fmt/format.h>
#include <sys/utsname.h>

#include "vfs/procfs/context.h"

namespace sandbox::vfs {
namespace {

Result<std::string> generate_version(const RootContext&) {
  utsname name;
  if (::uname(&name) < 0) return last_error();
  // Who built the host's kernel, and with what, is the host's business.
  return fmt::format("{} version {} (sandbox@sandbox) (gcc) {}\n", name.sysname, name.release, name.version);
}

Result<std::string> generate_cmdline(const RootContext&) { return "sandbox\n"; }

Result<std::string> generate_filesystems(const RootContext&) {
  return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevpts\nnodev\toverlay\nnodev\tcgroup\nnodev\tcgrou"
         "p2\n";
}

Result<std::string> generate_devices(const RootContext&) {
  return "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n136 pts\n\n"
         "Block devices:\n";
}

Result<std::string> generate_execdomains(const RootContext&) { return "0-0\tLinux           \t[kernel]\n"; }
Result<std::string> generate_slabinfo(const RootContext&) {
  return "slabinfo - version: 2.1\n"
         "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables "
         "<limit> "
         "<batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n";
}
// Nothing of this kind is the workload's: modules, keys, AF_ALG, consoles.
Result<std::string> generate_nothing(const RootContext&) { return ""; }
Result<std::string> refuse(const RootContext&) { return err(EPERM); }

// The sentry cannot look into the workload's IPC namespace, so its objects are not listed; ipcs(1) asks
// the kernel itself.
Result<std::string> generate_msg(const RootContext&) {
  return "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime  "
         "    "
         "rtime      ctime\n";
}
Result<std::string> generate_sem(const RootContext&) {
  return "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
}
Result<std::string> generate_shm(const RootContext&) {
  return "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
         "atime      "
         "dtime      ctime                   rss                  swap\n";
}

constexpr RootFile kFiles[] = {
    {"version", 0444, generate_version},
    {"cmdline", 0444, generate_cmdline},
    {"filesystems", 0444, generate_filesystems},
    {"devices", 0444, generate_devices},
    {"consoles", 0444, generate_nothing},
    {"execdomains", 0444, generate_execdomains},
    {"misc", 0444, generate_nothing},
    {"modules", 0444, generate_nothing},
    {"locks", 0444, generate_nothing},
    {"keys", 0444, generate_nothing},
    {"key-users", 0444, generate_nothing},
    {"timer_list", 0400, generate_nothing},
    {"crypto", 0444, generate_nothing},
    {"slabinfo", 0400, generate_slabinfo},
    {"kmsg", 0400, refuse},
    {"sysrq-trigger", 0200, refuse},
    {"sysvipc/msg", 0444, generate_msg},
    {"sysvipc/sem", 0444, generate_sem},
    {"sysvipc/shm", 0444, generate_shm},
};

}  // namespace

std::span<const RootFile> system_files() { return kFiles; }

}  // namespace sandbox::vfs
