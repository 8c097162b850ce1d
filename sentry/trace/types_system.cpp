// What a process may do and where it is: capabilities, groups, personality, system information, reboot.
#include <linux/capability.h>
#include <linux/reboot.h>
#include <sys/personality.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

// ---- capabilities ----
constexpr Name kCapabilityVersions[] = {NAME(_LINUX_CAPABILITY_VERSION_1), NAME(_LINUX_CAPABILITY_VERSION_2),
                                        NAME(_LINUX_CAPABILITY_VERSION_3)};
constexpr Type kCapabilityVersion{"", show_choice, 4, kCapabilityVersions, "_LINUX_CAPABILITY_VERSION_???"};
using CapabilityHeaderLayout = __user_cap_header_struct;
constexpr Field kCapabilityHeaderFields[] = {FIELD(CapabilityHeaderLayout, version, kCapabilityVersion),
                                             FIELD(CapabilityHeaderLayout, pid, kProcessId)};

Value capability_set(uint64_t bits) {
  Value value;
  value.kind = Value::Kind::kFlags;
  value.base = Value::Base::kHex;
  value.number = bits;
  for (unsigned number = 0; number < 64; ++number) {
    if (((bits >> number) & 1) == 0) continue;
    if (!value.text.empty()) value.text += '|';
    const char* name = capability_name(number);
    value.text += "1<<" + (name != nullptr ? std::string(name) : natural(number));
  }
  return value;
}

Value show_capabilities(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0) return Value::address(0);
  const auto header = scope.read<CapabilityHeaderLayout>(scope.argument_before());
  if (!header) return Value::address(source.number);
  const bool are_two = header->version != _LINUX_CAPABILITY_VERSION_1;
  std::array<__user_cap_data_struct, 2> data{};
  if (!scope.read(source.number,
                  std::as_writable_bytes(std::span(data)).first(sizeof data[0] * (are_two ? 2 : 1))))
    return Value::address(source.number);
  const auto both = [&](auto member) {
    return data[0].*member | static_cast<uint64_t>(data[1].*member) << 32;
  };
  Value value = Value::structure();
  value.add("effective", capability_set(both(&__user_cap_data_struct::effective)));
  value.add("permitted", capability_set(both(&__user_cap_data_struct::permitted)));
  value.add("inheritable", capability_set(both(&__user_cap_data_struct::inheritable)));
  return value;
}

// ---- ids, personality, system ----
Value show_input_groups(Scope& scope, const Type&, const Source& source) {
  return scope.array(kGroupId, source.number, scope.argument_before());
}
Value show_output_groups(Scope& scope, const Type&, const Source& source) {
  if (scope.argument_before() == 0) return Value::address(source.number);
  return scope.array(kGroupId, source.number, static_cast<uint64_t>(scope.result()));
}

constexpr uint64_t kPersonalityBits = 0xff;
constexpr Name kPersonalities[] = {MASKED_NAME(PER_LINUX, kPersonalityBits),
                                   MASKED_NAME(PER_LINUX32, kPersonalityBits),
                                   MASKED_NAME(PER_SVR4& kPersonalityBits, kPersonalityBits),
                                   MASKED_NAME(PER_BSD, kPersonalityBits),
                                   NAME(UNAME26),
                                   NAME(ADDR_NO_RANDOMIZE),
                                   NAME(FDPIC_FUNCPTRS),
                                   NAME(MMAP_PAGE_ZERO),
                                   NAME(ADDR_COMPAT_LAYOUT),
                                   NAME(READ_IMPLIES_EXEC),
                                   NAME(ADDR_LIMIT_32BIT),
                                   NAME(SHORT_INODE),
                                   NAME(WHOLE_SECONDS),
                                   NAME(STICKY_TIMEOUTS),
                                   NAME(ADDR_LIMIT_3GB)};

Value show_personality(Scope&, const Type& type, const Source& source) {
  const auto persona = static_cast<uint32_t>(source.number);
  return persona == UINT32_MAX ? Value::hex(persona) : flags_value(persona, type.names, type.unknown);
}
Value show_personality_result(Scope& scope, const Type& type, const Source& source) {
  scope.remark({}, flags_value(source.number, type.names, type.unknown));
  return Value::hex(source.number);
}

using Utsname = struct utsname;
constexpr Field kUtsnameFields[] = {
    FIELD(Utsname, sysname, kCharacters),         FIELD(Utsname, nodename, kCharacters),
    VERBOSE_FIELD(Utsname, release, kCharacters), VERBOSE_FIELD(Utsname, version, kCharacters),
    VERBOSE_FIELD(Utsname, machine, kCharacters), VERBOSE_FIELD(Utsname, domainname, kCharacters)};
constexpr Type kLoad{"", show_unsigned, 8};
constexpr Type kLoads{"", show_elements, 0, {}, "", {}, &kLoad};
using Sysinfo = struct sysinfo;
constexpr Field kSysinfoFields[] = {
    FIELD(Sysinfo, uptime, kSignedNumber),      FIELD(Sysinfo, loads, kLoads),
    FIELD(Sysinfo, totalram, kUnsignedNumber),  FIELD(Sysinfo, freeram, kUnsignedNumber),
    FIELD(Sysinfo, sharedram, kUnsignedNumber), FIELD(Sysinfo, bufferram, kUnsignedNumber),
    FIELD(Sysinfo, totalswap, kUnsignedNumber), FIELD(Sysinfo, freeswap, kUnsignedNumber),
    FIELD(Sysinfo, procs, kUnsignedNumber),     FIELD(Sysinfo, totalhigh, kUnsignedNumber),
    FIELD(Sysinfo, freehigh, kUnsignedNumber),  FIELD(Sysinfo, mem_unit, kUnsignedNumber)};

constexpr Name kRebootMagics[] = {NAME(LINUX_REBOOT_MAGIC1), NAME(LINUX_REBOOT_MAGIC2),
                                  NAME(LINUX_REBOOT_MAGIC2A), NAME(LINUX_REBOOT_MAGIC2B),
                                  NAME(LINUX_REBOOT_MAGIC2C)};
constexpr Name kRebootCommands[] = {NAME(LINUX_REBOOT_CMD_RESTART),    NAME(LINUX_REBOOT_CMD_HALT),
                                    NAME(LINUX_REBOOT_CMD_CAD_ON),     NAME(LINUX_REBOOT_CMD_CAD_OFF),
                                    NAME(LINUX_REBOOT_CMD_POWER_OFF),  NAME(LINUX_REBOOT_CMD_RESTART2),
                                    NAME(LINUX_REBOOT_CMD_SW_SUSPEND), NAME(LINUX_REBOOT_CMD_KEXEC)};
Value show_reboot_argument(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit() || scope.argument_before() != LINUX_REBOOT_CMD_RESTART2) return {};
  return scope.string(source.number);
}

}  // namespace

constexpr Name kCapabilities[] = {NAME(CAP_CHOWN),
                                  NAME(CAP_DAC_OVERRIDE),
                                  NAME(CAP_DAC_READ_SEARCH),
                                  NAME(CAP_FOWNER),
                                  NAME(CAP_FSETID),
                                  NAME(CAP_KILL),
                                  NAME(CAP_SETGID),
                                  NAME(CAP_SETUID),
                                  NAME(CAP_SETPCAP),
                                  NAME(CAP_LINUX_IMMUTABLE),
                                  NAME(CAP_NET_BIND_SERVICE),
                                  NAME(CAP_NET_BROADCAST),
                                  NAME(CAP_NET_ADMIN),
                                  NAME(CAP_NET_RAW),
                                  NAME(CAP_IPC_LOCK),
                                  NAME(CAP_IPC_OWNER),
                                  NAME(CAP_SYS_MODULE),
                                  NAME(CAP_SYS_RAWIO),
                                  NAME(CAP_SYS_CHROOT),
                                  NAME(CAP_SYS_PTRACE),
                                  NAME(CAP_SYS_PACCT),
                                  NAME(CAP_SYS_ADMIN),
                                  NAME(CAP_SYS_BOOT),
                                  NAME(CAP_SYS_NICE),
                                  NAME(CAP_SYS_RESOURCE),
                                  NAME(CAP_SYS_TIME),
                                  NAME(CAP_SYS_TTY_CONFIG),
                                  NAME(CAP_MKNOD),
                                  NAME(CAP_LEASE),
                                  NAME(CAP_AUDIT_WRITE),
                                  NAME(CAP_AUDIT_CONTROL),
                                  NAME(CAP_SETFCAP),
                                  NAME(CAP_MAC_OVERRIDE),
                                  NAME(CAP_MAC_ADMIN),
                                  NAME(CAP_SYSLOG),
                                  NAME(CAP_WAKE_ALARM),
                                  NAME(CAP_BLOCK_SUSPEND),
                                  NAME(CAP_AUDIT_READ),
                                  NAME(CAP_PERFMON),
                                  NAME(CAP_BPF),
                                  NAME(CAP_CHECKPOINT_RESTORE)};

const char* capability_name(unsigned number) { return name_of(number, 4, kCapabilities); }

namespace {

constexpr Type kTypes[] = {
    {"CapabilityHeader", show_structure, sizeof(CapabilityHeaderLayout), {}, "", kCapabilityHeaderFields},
    {"InCapabilities", show_capabilities},
    {"OutCapabilities", show_capabilities},
    {"InGroups", show_input_groups},
    {"OutGroups", show_output_groups},
    {"Personality", show_personality, 4, kPersonalities, "PER_???"},
    {"PersonalityResult", show_personality_result, 4, kPersonalities, "PER_???"},
    {"struct utsname", show_structure, sizeof(Utsname), {}, "", kUtsnameFields},
    {"struct sysinfo", show_structure, sizeof(Sysinfo), {}, "", kSysinfoFields},
    {"RebootMagic", show_choice, 4, kRebootMagics, "LINUX_REBOOT_MAGIC_???"},
    {"RebootCommand", show_choice, 4, kRebootCommands, "LINUX_REBOOT_CMD_???"},
    {"RebootArgument", show_reboot_argument},
};
constexpr Names kMoreNames[] = {kCapabilities, kCapabilityVersions};

}  // namespace

Family system_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
