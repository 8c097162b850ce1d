// seccomp and BPF: classic programs instruction by instruction, bpf(2)'s commands and attributes.
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

constexpr Name kOperations[] = {NAME(SECCOMP_SET_MODE_STRICT), NAME(SECCOMP_SET_MODE_FILTER),
                                NAME(SECCOMP_GET_ACTION_AVAIL), NAME(SECCOMP_GET_NOTIF_SIZES)};
constexpr Name kFlags[] = {
    NAME(SECCOMP_FILTER_FLAG_TSYNC),       NAME(SECCOMP_FILTER_FLAG_LOG),
    NAME(SECCOMP_FILTER_FLAG_SPEC_ALLOW),  NAME(SECCOMP_FILTER_FLAG_NEW_LISTENER),
    NAME(SECCOMP_FILTER_FLAG_TSYNC_ESRCH), NAME(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)};
constexpr Name kActions[] = {NAME(SECCOMP_RET_KILL_PROCESS), NAME(SECCOMP_RET_KILL_THREAD),
                             NAME(SECCOMP_RET_TRAP),         NAME(SECCOMP_RET_ERRNO),
                             NAME(SECCOMP_RET_USER_NOTIF),   NAME(SECCOMP_RET_TRACE),
                             NAME(SECCOMP_RET_LOG),          NAME(SECCOMP_RET_ALLOW)};

// ---- classic BPF ----
constexpr uint16_t kClassBits = 7, kModeBits = 0xe0, kSizeBits = 0x18, kOperationBits = 0xf0, kSourceBit = 8,
                   kReturnBits = 0x18;
constexpr Name kClasses[] = {NAME(BPF_LD),  NAME(BPF_LDX), NAME(BPF_ST),  NAME(BPF_STX),
                             NAME(BPF_ALU), NAME(BPF_JMP), NAME(BPF_RET), NAME(BPF_MISC)};
constexpr Name kModes[] = {NAME(BPF_IMM), NAME(BPF_ABS), NAME(BPF_IND),
                           NAME(BPF_MEM), NAME(BPF_LEN), NAME(BPF_MSH)};
constexpr Name kSizes[] = {NAME(BPF_W), NAME(BPF_H), NAME(BPF_B)};
constexpr Name kArithmetic[] = {NAME(BPF_ADD), NAME(BPF_SUB), NAME(BPF_MUL), NAME(BPF_DIV),
                                NAME(BPF_OR),  NAME(BPF_AND), NAME(BPF_LSH), NAME(BPF_RSH),
                                NAME(BPF_NEG), NAME(BPF_MOD), NAME(BPF_XOR)};
constexpr Name kJumps[] = {NAME(BPF_JA), NAME(BPF_JEQ), NAME(BPF_JGT), NAME(BPF_JGE), NAME(BPF_JSET)};
constexpr Name kReturns[] = {NAME(BPF_K), NAME(BPF_X), NAME(BPF_A)};

std::string bits_name(uint16_t code, uint16_t bits, Names names) {
  const char* name = name_of(code & bits, 2, names);
  return name != nullptr ? std::string(name) : hex(code & bits);
}

std::string code_text(uint16_t code) {
  std::string text = bits_name(code, kClassBits, kClasses);
  const auto source = [&] { return code & kSourceBit ? "BPF_X" : "BPF_K"; };
  switch (code & kClassBits) {
    case BPF_LD:
    case BPF_LDX:
      return text + "|" + bits_name(code, kSizeBits, kSizes) + "|" + bits_name(code, kModeBits, kModes);
    case BPF_ALU:
      return text + "|" + source() + "|" + bits_name(code, kOperationBits, kArithmetic);
    case BPF_JMP:
      return text + "|" + source() + "|" + bits_name(code, kOperationBits, kJumps);
    case BPF_RET:
      return text + "|" + bits_name(code, kReturnBits, kReturns);
    case BPF_MISC:
      return text + "|" +
             ((code & 0xf8) == BPF_TXA   ? "BPF_TXA"
              : (code & 0xf8) == BPF_TAX ? "BPF_TAX"
                                         : hex(code & 0xf8));
    default:
      return (code & ~kClassBits) != 0 ? text + "|" + hex(code & ~kClassBits) : text;
  }
}

std::string operand_text(uint16_t code, uint32_t operand) {
  if ((code & kClassBits) != BPF_RET || (code & kReturnBits) != BPF_K) return hex(operand);
  const char* action = name_of(operand & SECCOMP_RET_ACTION_FULL, 4, kActions);
  if (action == nullptr) return hex(operand);
  const uint32_t data = operand & SECCOMP_RET_DATA;
  return data == 0 ? std::string(action) : action + std::string("|") + hex(data);
}

Value show_instruction(Scope&, const Type&, const Source& source) {
  sock_filter instruction;
  std::memcpy(&instruction, source.bytes.data(), sizeof instruction);
  const bool is_jump = (instruction.code & kClassBits) == BPF_JMP;
  std::string text = is_jump ? "BPF_JUMP(" : "BPF_STMT(";
  text += code_text(instruction.code) + ", " + operand_text(instruction.code, instruction.k);
  if (is_jump) text += ", " + hex(instruction.jt) + ", " + hex(instruction.jf);
  return Value::word(text + ")");
}
constexpr Type kInstruction{"", show_instruction, sizeof(sock_filter)};

Value program_at(Scope& scope, uint64_t address) {
  if (address == 0) return Value::address(0);
  const auto program = scope.read<sock_fprog>(address);
  if (!program) return Value::address(address);
  Value value = Value::structure();
  value.add("len", Value::natural(program->len));
  value.add("filter", bpf_program_at(scope, reinterpret_cast<uint64_t>(program->filter), program->len));
  return value;
}

Value show_seccomp_argument(Scope& scope, const Type&, const Source& source) {
  static constexpr Type kAction{"", show_choice, 4, kActions, "SECCOMP_RET_???"};
  switch (scope.argument(0)) {
    case SECCOMP_SET_MODE_FILTER:
      return scope.is_exit() ? Value{} : program_at(scope, source.number);
    case SECCOMP_GET_ACTION_AVAIL:
      return scope.is_exit() ? Value{} : scope.pointer(kAction, source.number);
    case SECCOMP_GET_NOTIF_SIZES: {
      if (!scope.is_exit()) return Value::pending();
      const auto sizes = scope.read<seccomp_notif_sizes>(source.number);
      if (!sizes) return Value::address(source.number);
      Value value = Value::structure();
      value.add("seccomp_notif", Value::natural(sizes->seccomp_notif));
      value.add("seccomp_notif_resp", Value::natural(sizes->seccomp_notif_resp));
      value.add("seccomp_data", Value::natural(sizes->seccomp_data));
      return value;
    }
    default:
      return scope.is_exit() ? Value{} : Value::address(source.number);
  }
}

// ---- bpf(2) ----
constexpr Name kBpfCommands[] = {NAME(BPF_MAP_CREATE),        NAME(BPF_MAP_LOOKUP_ELEM),
                                 NAME(BPF_MAP_UPDATE_ELEM),   NAME(BPF_MAP_DELETE_ELEM),
                                 NAME(BPF_MAP_GET_NEXT_KEY),  NAME(BPF_PROG_LOAD),
                                 NAME(BPF_OBJ_PIN),           NAME(BPF_OBJ_GET),
                                 NAME(BPF_PROG_ATTACH),       NAME(BPF_PROG_DETACH),
                                 NAME(BPF_PROG_TEST_RUN),     NAME(BPF_PROG_GET_NEXT_ID),
                                 NAME(BPF_MAP_GET_NEXT_ID),   NAME(BPF_PROG_GET_FD_BY_ID),
                                 NAME(BPF_MAP_GET_FD_BY_ID),  NAME(BPF_OBJ_GET_INFO_BY_FD),
                                 NAME(BPF_PROG_QUERY),        NAME(BPF_RAW_TRACEPOINT_OPEN),
                                 NAME(BPF_BTF_LOAD),          NAME(BPF_BTF_GET_FD_BY_ID),
                                 NAME(BPF_TASK_FD_QUERY),     NAME(BPF_MAP_LOOKUP_AND_DELETE_ELEM),
                                 NAME(BPF_MAP_FREEZE),        NAME(BPF_BTF_GET_NEXT_ID),
                                 NAME(BPF_MAP_LOOKUP_BATCH),  NAME(BPF_MAP_LOOKUP_AND_DELETE_BATCH),
                                 NAME(BPF_MAP_UPDATE_BATCH),  NAME(BPF_MAP_DELETE_BATCH),
                                 NAME(BPF_LINK_CREATE),       NAME(BPF_LINK_UPDATE),
                                 NAME(BPF_LINK_GET_FD_BY_ID), NAME(BPF_LINK_GET_NEXT_ID),
                                 NAME(BPF_ENABLE_STATS),      NAME(BPF_ITER_CREATE),
                                 NAME(BPF_LINK_DETACH),       NAME(BPF_PROG_BIND_MAP),
                                 {"BPF_TOKEN_CREATE", 36},    {"BPF_PROG_STREAM_READ_BY_FD", 37}};
constexpr Name kMapTypes[] = {NAME(BPF_MAP_TYPE_UNSPEC),
                              NAME(BPF_MAP_TYPE_HASH),
                              NAME(BPF_MAP_TYPE_ARRAY),
                              NAME(BPF_MAP_TYPE_PROG_ARRAY),
                              NAME(BPF_MAP_TYPE_PERF_EVENT_ARRAY),
                              NAME(BPF_MAP_TYPE_PERCPU_HASH),
                              NAME(BPF_MAP_TYPE_PERCPU_ARRAY),
                              NAME(BPF_MAP_TYPE_STACK_TRACE),
                              NAME(BPF_MAP_TYPE_CGROUP_ARRAY),
                              NAME(BPF_MAP_TYPE_LRU_HASH),
                              NAME(BPF_MAP_TYPE_LRU_PERCPU_HASH),
                              NAME(BPF_MAP_TYPE_LPM_TRIE),
                              NAME(BPF_MAP_TYPE_ARRAY_OF_MAPS),
                              NAME(BPF_MAP_TYPE_HASH_OF_MAPS),
                              NAME(BPF_MAP_TYPE_DEVMAP),
                              NAME(BPF_MAP_TYPE_SOCKMAP),
                              NAME(BPF_MAP_TYPE_CPUMAP),
                              NAME(BPF_MAP_TYPE_XSKMAP),
                              NAME(BPF_MAP_TYPE_SOCKHASH),
                              NAME(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY),
                              NAME(BPF_MAP_TYPE_QUEUE),
                              NAME(BPF_MAP_TYPE_STACK),
                              NAME(BPF_MAP_TYPE_SK_STORAGE),
                              NAME(BPF_MAP_TYPE_DEVMAP_HASH),
                              NAME(BPF_MAP_TYPE_STRUCT_OPS),
                              NAME(BPF_MAP_TYPE_RINGBUF),
                              NAME(BPF_MAP_TYPE_INODE_STORAGE),
                              NAME(BPF_MAP_TYPE_TASK_STORAGE),
                              NAME(BPF_MAP_TYPE_BLOOM_FILTER)};
constexpr Name kProgramTypes[] = {NAME(BPF_PROG_TYPE_UNSPEC),
                                  NAME(BPF_PROG_TYPE_SOCKET_FILTER),
                                  NAME(BPF_PROG_TYPE_KPROBE),
                                  NAME(BPF_PROG_TYPE_SCHED_CLS),
                                  NAME(BPF_PROG_TYPE_SCHED_ACT),
                                  NAME(BPF_PROG_TYPE_TRACEPOINT),
                                  NAME(BPF_PROG_TYPE_XDP),
                                  NAME(BPF_PROG_TYPE_PERF_EVENT),
                                  NAME(BPF_PROG_TYPE_CGROUP_SKB),
                                  NAME(BPF_PROG_TYPE_CGROUP_SOCK),
                                  NAME(BPF_PROG_TYPE_LWT_IN),
                                  NAME(BPF_PROG_TYPE_LWT_OUT),
                                  NAME(BPF_PROG_TYPE_LWT_XMIT),
                                  NAME(BPF_PROG_TYPE_SOCK_OPS),
                                  NAME(BPF_PROG_TYPE_SK_SKB),
                                  NAME(BPF_PROG_TYPE_CGROUP_DEVICE),
                                  NAME(BPF_PROG_TYPE_SK_MSG),
                                  NAME(BPF_PROG_TYPE_RAW_TRACEPOINT),
                                  NAME(BPF_PROG_TYPE_CGROUP_SOCK_ADDR),
                                  NAME(BPF_PROG_TYPE_LWT_SEG6LOCAL),
                                  NAME(BPF_PROG_TYPE_LIRC_MODE2),
                                  NAME(BPF_PROG_TYPE_SK_REUSEPORT),
                                  NAME(BPF_PROG_TYPE_FLOW_DISSECTOR),
                                  NAME(BPF_PROG_TYPE_CGROUP_SYSCTL),
                                  NAME(BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE),
                                  NAME(BPF_PROG_TYPE_CGROUP_SOCKOPT),
                                  NAME(BPF_PROG_TYPE_TRACING),
                                  NAME(BPF_PROG_TYPE_STRUCT_OPS),
                                  NAME(BPF_PROG_TYPE_EXT),
                                  NAME(BPF_PROG_TYPE_LSM),
                                  NAME(BPF_PROG_TYPE_SK_LOOKUP),
                                  NAME(BPF_PROG_TYPE_SYSCALL)};
constexpr Name kUpdateFlags[] = {{"BPF_ANY", 0, 0}, NAME(BPF_NOEXIST), NAME(BPF_EXIST), NAME(BPF_F_LOCK)};

void add_map(Scope& scope, Value& value, const bpf_attr& attributes) {
  value.add("map_type", choice_value(attributes.map_type, 4, kMapTypes, "BPF_MAP_TYPE_???"));
  value.add("key_size", Value::natural(attributes.key_size));
  value.add("value_size", Value::natural(attributes.value_size));
  value.add("max_entries", Value::natural(attributes.max_entries));
  value.add("map_flags", Value::hex(attributes.map_flags));
  value.add("inner_map_fd", scope.descriptor(static_cast<int>(attributes.inner_map_fd)));
  value.add("map_name",
            Value::string(std::string(attributes.map_name, strnlen(attributes.map_name, BPF_OBJ_NAME_LEN))));
}

void add_element(Scope& scope, Value& value, const bpf_attr& attributes, uint64_t command) {
  value.add("map_fd", scope.descriptor(static_cast<int>(attributes.map_fd)));
  value.add("key", Value::address(attributes.key));
  if (command == BPF_MAP_GET_NEXT_KEY)
    value.add("next_key", Value::address(attributes.next_key));
  else if (command != BPF_MAP_DELETE_ELEM)
    value.add("value", Value::address(attributes.value));
  if (command == BPF_MAP_UPDATE_ELEM || command == BPF_MAP_LOOKUP_ELEM)
    value.add("flags", flags_value(attributes.flags, kUpdateFlags, "BPF_???"));
}

void add_program(Scope& scope, Value& value, const bpf_attr& attributes) {
  value.add("prog_type", choice_value(attributes.prog_type, 4, kProgramTypes, "BPF_PROG_TYPE_???"));
  value.add("insn_cnt", Value::natural(attributes.insn_cnt));
  value.add("insns", Value::address(attributes.insns));
  value.add("license", scope.string(attributes.license));
  value.add("log_level", Value::natural(attributes.log_level));
  value.add("log_size", Value::natural(attributes.log_size));
  value.add("log_buf", Value::address(attributes.log_buf));
  value.add("prog_flags", Value::hex(attributes.prog_flags));
  value.add("prog_name", Value::string(std::string(attributes.prog_name,
                                                   strnlen(attributes.prog_name, BPF_OBJ_NAME_LEN))));
}

Value show_bpf_attributes(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  const auto attributes = scope.read_prefix<bpf_attr>(source.number, scope.argument_after());
  if (source.number == 0 || !attributes) return Value::address(source.number);
  Value value = Value::structure();
  switch (const uint64_t command = scope.argument(0); command) {
    case BPF_MAP_CREATE:
      add_map(scope, value, *attributes);
      break;
    case BPF_MAP_LOOKUP_ELEM:
    case BPF_MAP_UPDATE_ELEM:
    case BPF_MAP_DELETE_ELEM:
    case BPF_MAP_GET_NEXT_KEY:
    case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
      add_element(scope, value, *attributes, command);
      break;
    case BPF_PROG_LOAD:
      add_program(scope, value, *attributes);
      break;
    case BPF_OBJ_PIN:
    case BPF_OBJ_GET:
      value.add("pathname", scope.path(attributes->pathname));
      value.add("bpf_fd", scope.descriptor(static_cast<int>(attributes->bpf_fd)));
      value.add("file_flags", Value::hex(attributes->file_flags));
      break;
    case BPF_PROG_ATTACH:
    case BPF_PROG_DETACH:
      value.add("target_fd", scope.descriptor(static_cast<int>(attributes->target_fd)));
      value.add("attach_bpf_fd", scope.descriptor(static_cast<int>(attributes->attach_bpf_fd)));
      value.add("attach_type", Value::natural(attributes->attach_type));
      value.add("attach_flags", Value::hex(attributes->attach_flags));
      break;
    default:
      return Value::address(source.number);
  }
  return value;
}

constexpr Type kTypes[] = {
    {"SeccompOperation", show_choice, 4, kOperations, "SECCOMP_SET_MODE_???"},
    {"SeccompFlags", show_flags, 4, kFlags, "SECCOMP_FILTER_FLAG_???"},
    {"SeccompArgument", show_seccomp_argument},
    {"BpfCommand", show_choice, 4, kBpfCommands, "BPF_???"},
    {"BpfAttributes", show_bpf_attributes},
};
constexpr Names kMoreNames[] = {kActions, kMapTypes, kProgramTypes};

}  // namespace

Value bpf_program_at(Scope& scope, uint64_t address, uint64_t count) {
  return scope.array(kInstruction, address, std::min<uint64_t>(count, BPF_MAXINSNS));
}

Family seccomp_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
