// From a row's signature to decoded arguments: which type, which direction, and when it can be read.
#include "sentry/trace/decoder.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "sentry/trace/families.h"
#include "sentry/trace/scope.h"

namespace sandbox::trace {
namespace {

constexpr int kRestartBlock =
    516;  // ERESTART_RESTARTBLOCK: interrupted, and the kernel would resume the wait
constexpr int kLargestErrno = 4095;

// How the argument's type in the table wraps what it points to.
enum class Shape : uint8_t {
  kSelf,       // the type shows the register itself
  kOne,        // In<T>, Out<T>, InOut<T>
  kCounted,    // InArray<T>, InOutArray<T>: the next argument counts the elements
  kFilled,     // OutArray<T>: the call's result counts the elements
  kPair,       // InPair<T>
  kRemainder,  // Remainder<T>: written when a signal ends the wait
  kTimeLeft,   // TimeLeft<T>: a timeout, which becomes what is left of it
};

struct Wrapper {
  std::string_view prefix;
  Shape shape;
};
constexpr Wrapper kWrappers[] = {
    {"In<", Shape::kOne},
    {"Out<", Shape::kOne},
    {"InOut<", Shape::kOne},
    {"InArray<", Shape::kCounted},
    {"InOutArray<", Shape::kCounted},
    {"OutArray<", Shape::kFilled},
    {"Remainder<", Shape::kRemainder},
    {"InPair<", Shape::kPair},
    {"TimeLeft<", Shape::kTimeLeft},
};

using TypeIndex = std::unordered_map<std::string_view, const Type*>;

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      number_family(), file_family(),           memory_family(),        time_family(),
      poll_family(),   signal_family(),         process_family(),       system_family(),
      socket_family(), socket_address_family(), socket_option_family(), fcntl_family(),
      ioctl_family(),  seccomp_family(),        prctl_family(),         futex_family(),
      ipc_family(),    mount_family(),          asynchronous_family(),  kernel_family()};
  return all;
}

const TypeIndex& type_index() {
  static const TypeIndex index = [] {
    TypeIndex built;
    for (const Family& family : families())
      for (const Type& type : family.types)
        if (!type.name.empty()) built.emplace(type.name, &type);
    return built;
  }();
  return index;
}

constexpr Type kUnknownNumber{"", show_hex, 8};
constexpr Type kUnknownPointer{"", show_address};

struct ArgumentPlan {
  const Type* type = &kUnknownNumber;
  Shape shape = Shape::kSelf;
  ArgumentKind kind{};
  bool is_unwritten_at_zero = false;
  size_t output_bytes = 0;  // that are read after the call, at most; 0: it depends
};

ArgumentPlan plan_argument(const SyscallArgument& argument) {
  ArgumentPlan plan{&kUnknownNumber, Shape::kSelf, argument.kind};
  std::string_view name = argument.type_name;
  for (const Wrapper& wrapper : kWrappers) {
    if (!name.starts_with(wrapper.prefix)) continue;
    name = name.substr(wrapper.prefix.size(), name.size() - wrapper.prefix.size() - 1);
    plan.shape = wrapper.shape;
    plan.type = &kUnknownPointer;
    break;
  }
  const auto found = type_index().find(name);
  if (found != type_index().end()) plan.type = found->second;
  return plan;
}

// What Linux writes for these shapes has no pointers that are followed.
size_t output_bytes(const ArgumentPlan& plan, const DecoderOptions& options) {
  if (plan.type->output_bytes == Type::kShownBytes) return options.string_bytes;
  if (plan.type->output_bytes != 0) return plan.type->output_bytes;
  if (plan.shape == Shape::kOne) return plan.type->size;
  return plan.shape == Shape::kFilled ? plan.type->size * options.array_elements : 0;
}

bool is_failure(int64_t result) { return result < 0 && result >= -kLargestErrno; }

uint64_t as_the_kernel_sees(const SyscallArgument& argument, uint64_t number) {
  if (argument.width >= 8) return number;
  const unsigned shift = 64 - 8 * argument.width;
  return argument.is_signed ? static_cast<uint64_t>(static_cast<int64_t>(number << shift) >> shift)
                            : number << shift >> shift;
}

}  // namespace

struct Decoder::Plan {
  struct Row {
    const SyscallRow* row = nullptr;
    std::array<ArgumentPlan, 6> arguments{};
    const Type* result = &kUnknownNumber;
  };
  std::vector<Row> rows;  // by number

  const Row* find(uint32_t number) const {
    return number < rows.size() && rows[number].row != nullptr ? &rows[number] : nullptr;
  }
};

namespace {

using Registers = std::array<uint64_t, 6>;

Registers typed_registers(const SyscallRow& row, const Registers& registers) {
  Registers typed{};
  for (size_t i = 0; i < row.arguments().size(); ++i)
    typed[i] = as_the_kernel_sees(row.arguments()[i], registers[i]);
  return typed;
}

Value show_time_left(Scope& scope, const Type& type, uint64_t address) {
  if (!scope.is_exit()) return scope.pointer(type, address);
  if (scope.result() == 0)
    scope.remark_once(Value::word("Timeout"));
  else if (address != 0)
    scope.remark("left", scope.pointer(type, address));
  return {};
}

Value show_argument(Scope& scope, const ArgumentPlan& plan, uint64_t number, uint8_t width) {
  switch (plan.shape) {
    case Shape::kSelf:
      return plan.type->show(scope, *plan.type, {number, width, {}});
    case Shape::kOne:
    case Shape::kRemainder:
      return scope.pointer(*plan.type, number);
    case Shape::kCounted:
      return scope.array(*plan.type, number, scope.argument_after());
    case Shape::kPair:
      return scope.array(*plan.type, number, 2);
    case Shape::kTimeLeft:
      return show_time_left(scope, *plan.type, number);
    case Shape::kFilled:
      return scope.array(*plan.type, number, static_cast<uint64_t>(scope.result()));
  }
  return {};
}

// Whether what the argument points to is worth reading after the call.
bool was_written(const ArgumentPlan& plan, int64_t result) {
  if (plan.shape == Shape::kRemainder) return result == -EINTR || result == -kRestartBlock;
  // wait4 without a child to report.
  if (plan.is_unwritten_at_zero && result == 0) return false;
  return !is_failure(result);
}

}  // namespace

Decoder::Decoder(const DecoderOptions& options) : options_(options) {
  auto plan = std::make_unique<Plan>();
  plan->rows.resize(syscall_rows().back().number + 1);
  for (const SyscallRow& row : syscall_rows()) {
    Plan::Row& planned = plan->rows[row.number];
    planned.row = &row;
    for (size_t i = 0; i < row.arguments().size(); ++i) {
      planned.arguments[i] = plan_argument(row.arguments()[i]);
      planned.arguments[i].is_unwritten_at_zero = row.signature.result_type == "ReapedPid";
      planned.arguments[i].output_bytes = output_bytes(planned.arguments[i], options_);
    }
    const auto found = type_index().find(row.signature.result_type);
    if (found != type_index().end()) planned.result = found->second;
  }
  plan_ = std::move(plan);
}

Decoder::~Decoder() = default;

DecodedCall Decoder::entry(uint32_t number, const std::array<uint64_t, 6>& registers, Target target) const {
  DecodedCall call;
  call.number = number;
  call.registers = registers;
  const Plan::Row* plan = plan_->find(number);
  if (plan == nullptr) {
    constexpr std::array kNames = {"arg1", "arg2", "arg3", "arg4", "arg5", "arg6"};
    constexpr std::array kForeignNames = {"ebx", "ecx", "edx", "esi", "edi", "ebp"};
    for (size_t i = 0; i < registers.size(); ++i) {
      call.arguments.push_back(call.is_foreign()
                                   ? Value::hex(static_cast<uint32_t>(registers[i])).named(kForeignNames[i])
                                   : Value::hex(registers[i]).named(kNames[i]));
    }
    return call;
  }
  call.row = plan->row;
  const Registers typed = typed_registers(*plan->row, registers);
  Scope scope(options_, target, typed, Phase::kEntry, 0);
  call.arguments.reserve(plan->row->arguments().size());
  for (size_t i = 0; i < plan->row->arguments().size(); ++i) {
    const ArgumentPlan& argument = plan->arguments[i];
    scope.set_index(i);
    const bool is_output = argument.kind == ArgumentKind::kOutput;
    Value value = !is_output      ? show_argument(scope, argument, typed[i], plan->row->arguments()[i].width)
                  : typed[i] == 0 ? Value::address(0)
                                  : Value::pending();
    call.arguments.push_back(std::move(value).named(plan->row->arguments()[i].name));
  }
  return call;
}

void Decoder::exit(DecodedCall& call, int64_t result, Target target) const {
  DecodedResult& decoded = call.result.emplace();
  decoded.number = result;
  if (is_failure(result)) decoded.error = Errno(static_cast<int>(-result));
  const Plan::Row* plan = plan_->find(call.number);
  if (plan == nullptr) {
    decoded.value = Value::hex(static_cast<uint64_t>(result));
    return;
  }
  const Registers typed = typed_registers(*plan->row, call.registers);
  Scope scope(options_, target, typed, Phase::kExit, result);
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const ArgumentPlan& argument = plan->arguments[i];
    Value& value = call.arguments[i];
    const bool is_pending = value.kind == Value::Kind::kPending;
    if (!is_pending && argument.kind != ArgumentKind::kInputOutput) continue;
    scope.set_index(i);
    if (!was_written(argument, result)) {
      if (is_pending) value = Value::address(typed[i]).named(value.name);
      continue;
    }
    Value after = show_argument(scope, argument, typed[i], 8).named(value.name);
    const bool replaces = scope.take_replacement() && after.kind != Value::Kind::kAbsent;
    if (is_pending || replaces) {
      value = std::move(after);
    } else if (after.kind != Value::Kind::kAbsent && after.kind != Value::Kind::kPending && after != value) {
      Value change = Value::array().named(value.name);
      change.kind = Value::Kind::kChange;
      change.add(std::move(value)).name = {};
      change.add(std::move(after)).name = {};
      value = std::move(change);
    }
  }
  scope.set_index(0);
  if (!decoded.error)
    decoded.value = plan->result->show(scope, *plan->result, {static_cast<uint64_t>(result), 8, {}});
  decoded.remarks = scope.take_remarks();
}

std::optional<platform::OutputRanges> Decoder::outputs(const DecodedCall& call) const {
  platform::OutputRanges ranges;
  size_t used = 0;
  const Plan::Row* plan = plan_->find(call.number);
  for (size_t i = 0; plan != nullptr && i < call.arguments.size(); ++i) {
    const ArgumentPlan& argument = plan->arguments[i];
    if (argument.kind == ArgumentKind::kInputOutput) return std::nullopt;
    if (call.arguments[i].kind != Value::Kind::kPending) continue;
    const size_t size = argument.output_bytes;
    if (size == 0 || size > platform::OutputRange::kLargest || used == ranges.size()) return std::nullopt;
    ranges[used++] = {call.registers[i], static_cast<uint32_t>(size)};
  }
  return ranges;
}

std::optional<int64_t> register_argument(const SyscallRow& row, const std::array<uint64_t, 6>& registers,
                                         std::string_view name) {
  for (size_t i = 0; i < row.arguments().size(); ++i)
    if (row.arguments()[i].name == name)
      return static_cast<int64_t>(as_the_kernel_sees(row.arguments()[i], registers[i]));
  return std::nullopt;
}

const Value* find_value(const DecodedCall& call, std::string_view path) {
  const size_t dot = path.find('.');
  const std::string_view first = path.substr(0, dot);
  const auto found = std::ranges::find(call.arguments, first, &Value::name);
  if (found == call.arguments.end()) return nullptr;
  const Value* value = &*found;
  std::string_view rest = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  while (value != nullptr && !rest.empty()) {
    const size_t end = rest.find('.');
    value = value->member(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return value;
}

std::optional<int64_t> find_constant(std::string_view name) {
  static const auto constants = [] {
    std::unordered_map<std::string_view, int64_t> built;
    const auto add = [&](Names names) {
      for (const Name& entry : names) built.emplace(entry.text, static_cast<int64_t>(entry.value));
    };
    for (const Family& family : families()) {
      for (const Type& type : family.types) add(type.names);
      for (const Names& names : family.more_names) add(names);
    }
    for (int number = 1; number < 134; ++number)
      if (const std::string_view text = Errno(number).name(); text != "E?") built.emplace(text, number);
    return built;
  }();
  const auto found = constants.find(name);
  return found == constants.end() ? std::nullopt : std::optional(found->second);
}

bool decodes(std::string_view type_name) {
  SyscallArgument argument;
  argument.type_name = type_name;
  const ArgumentPlan plan = plan_argument(argument);
  return plan.type != &kUnknownNumber && plan.type != &kUnknownPointer;
}

}  // namespace sandbox::trace
