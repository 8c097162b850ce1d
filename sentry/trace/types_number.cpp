// Plain numbers, descriptors, ids, strings and buffers.
#include <linux/limits.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

Value show_descriptor(Scope& scope, const Type&, const Source& source) {
  return scope.descriptor(static_cast<int>(source.number));
}

Value show_directory(Scope& scope, const Type&, const Source& source) {
  return scope.directory(static_cast<int>(source.number));
}

// -1 means "no change" or "none", although ids are unsigned.
Value show_id(Scope&, const Type&, const Source& source) {
  const auto id = static_cast<uint32_t>(source.number);
  return id == UINT32_MAX ? Value::integer(-1) : Value::natural(id);
}

Value show_device(Scope&, const Type&, const Source& source) {
  const uint64_t device = source.number;
  return Value::expression("makedev(" + hex(major(device)) + ", " + hex(minor(device)) + ")",
                           Value::natural(device));
}

Value show_path(Scope& scope, const Type&, const Source& source) { return scope.path(source.number); }
Value show_string(Scope& scope, const Type&, const Source& source) { return scope.string(source.number); }

// Each pointer is read in blocks, each string on its own; ends at the null pointer.
Value show_string_array(Scope& scope, const Type&, const Source& source) {
  if (source.number == 0) return Value::address(0);
  Value array = Value::array();
  std::vector<uint64_t> pointers(scope.options().array_elements + 1);
  const size_t count =
      scope.read_some(source.number, std::as_writable_bytes(std::span(pointers))) / sizeof(uint64_t);
  if (count == 0) return Value::address(source.number);
  for (size_t i = 0; i < count; ++i) {
    if (pointers[i] == 0) return array;
    if (i == scope.options().array_elements) break;
    array.add(scope.string(pointers[i]));
  }
  array.is_cut = true;
  return array;
}

// Only counted: an environment is long, and full of secrets.
Value show_environment(Scope& scope, const Type&, const Source& source) {
  constexpr size_t kBlock = 64, kLimit = 1 << 12;
  if (source.number == 0) return Value::address(0);
  std::array<uint64_t, kBlock> pointers;
  size_t total = 0;
  while (total < kLimit) {
    const size_t count = scope.read_some(source.number + total * sizeof(uint64_t),
                                         std::as_writable_bytes(std::span(pointers))) /
                         sizeof(uint64_t);
    for (size_t i = 0; i < count; ++i, ++total)
      if (pointers[i] == 0)
        return Value::expression(
            hex(source.number) + " /* " + natural(total) + (total == 1 ? " var */" : " vars */"),
            Value::natural(total));
    if (count < kBlock) break;
  }
  return Value::address(source.number);
}

Value show_input_bytes(Scope& scope, const Type&, const Source& source) {
  return scope.bytes(source.number, scope.argument_after());
}

// Never more than the call says it wrote, nor than the caller's buffer holds.
Value show_output_bytes(Scope& scope, const Type&, const Source& source) {
  const uint64_t written = std::min(static_cast<uint64_t>(scope.result()), scope.argument_after());
  return scope.bytes(source.number, written);
}

Value show_random_bytes(Scope& scope, const Type& type, const Source& source) {
  Value value = show_output_bytes(scope, type, source);
  value.is_hexadecimal = true;
  return value;
}

// A call whose result is 0 and that fills the whole buffer.
Value show_filled_bytes(Scope& scope, const Type&, const Source& source) {
  return scope.bytes(source.number, scope.argument_after());
}

Value show_output_path(Scope& scope, const Type&, const Source& source) { return scope.path(source.number); }

Value show_descriptor_pair(Scope& scope, const Type&, const Source& source) {
  return scope.array(kDescriptorNumber, source.number, 2);
}

// `total`: bytes that the vectors hold together, at most.
Value show_vector(Scope& scope, uint64_t address, uint64_t count, uint64_t total) {
  if (address == 0) return Value::address(0);
  const size_t shown = std::min<uint64_t>(count, std::min<size_t>(scope.options().array_elements, IOV_MAX));
  std::vector<iovec> vectors(shown);
  const size_t readable =
      scope.read_some(address, std::as_writable_bytes(std::span(vectors))) / sizeof(iovec);
  if (readable == 0 && count != 0) return Value::address(address);
  Value array = Value::array();
  for (size_t i = 0; i < readable; ++i) {
    const auto base = reinterpret_cast<uint64_t>(vectors[i].iov_base);
    const uint64_t length = std::min<uint64_t>(vectors[i].iov_len, total);
    total -= length;
    Value part = Value::structure();
    part.add("iov_base", total == 0 && length == 0 ? Value::address(base) : scope.bytes(base, length));
    part.add("iov_len", Value::natural(vectors[i].iov_len));
    array.add(std::move(part));
  }
  array.is_cut = readable < count;
  return array;
}

Value show_input_vector(Scope& scope, const Type&, const Source& source) {
  return show_vector(scope, source.number, scope.argument_after(), UINT64_MAX);
}

Value show_output_vector(Scope& scope, const Type&, const Source& source) {
  return show_vector(scope, source.number, scope.argument_after(), static_cast<uint64_t>(scope.result()));
}

// Of another process: its addresses mean nothing here.
Value show_remote_vector(Scope& scope, const Type&, const Source& source) {
  return show_vector(scope, source.number, scope.argument_after(), 0);
}

}  // namespace

Value show_io_vector(Scope& scope, uint64_t address, uint64_t count, uint64_t total) {
  return show_vector(scope, address, count, total);
}

constexpr Type kSignedNumber{"", show_signed};
constexpr Type kUnsignedNumber{"", show_unsigned};
constexpr Type kHexNumber{"", show_hex};
constexpr Type kAddressField{"", show_address, 8};
constexpr Type kPaddingField{"", show_nothing};
constexpr Type kCharacters{"", show_characters};
constexpr Type kRawBytes{"", show_raw_bytes};
constexpr Type kDescriptorNumber{"Fd", show_descriptor, 4};
constexpr Type kUserId{"Uid", show_id, 4};
constexpr Type kGroupId{"Gid", show_id, 4};
constexpr Type kProcessId{"Pid", show_signed, 4};
constexpr Type kDevice{"DeviceNumber", show_device, 8};

namespace {

constexpr Type kTypes[] = {
    kDescriptorNumber,
    kUserId,
    kGroupId,
    kProcessId,
    kDevice,
    {"DirFd", show_directory, 4},
    {"PidFd", show_descriptor, 4},
    {"Int", show_signed},
    {"UInt", show_unsigned},
    {"Long", show_signed},
    {"ULong", show_unsigned},
    {"Hex", show_hex},
    {"UnusedHalf", show_nothing},
    {"Hex32", show_hex},
    {"int", show_signed, 4},
    {"uint32_t", show_unsigned, 4},
    {"int64_t", show_signed, 8},
    {"uint64_t", show_unsigned, 8},
    {"Size", show_unsigned},
    {"Offset", show_signed},
    {"Length", show_signed},
    {"Count", show_unsigned},
    {"Milliseconds", show_signed},
    {"Seconds", show_unsigned},
    {"TimerId", show_signed, 4},
    {"IpcId", show_signed},
    {"WatchDescriptor", show_signed},
    {"ProtectionKey", show_signed},
    {"Priority", show_signed},
    {"AioContext", show_hex, 8},
    {"MountId", show_unsigned, 8},
    {"Address", show_address, 8},
    {"Status", show_signed},
    {"ByteCount", show_signed},
    {"NoReturn", show_signed},
    {"PathPtr", show_path},
    {"StringPtr", show_string},
    {"StringArrayPtr", show_string_array},
    {"EnvironmentPtr", show_environment},
    {"InBytes", show_input_bytes},
    {.name = "OutBytes", .show = show_output_bytes, .output_bytes = Type::kShownBytes},
    {.name = "RandomBytes", .show = show_random_bytes, .output_bytes = Type::kShownBytes},
    {.name = "FilledBytes", .show = show_filled_bytes, .output_bytes = Type::kShownBytes},
    {"OutPath", show_output_path},
    {"AnyPtr", show_address},
    {"GenericFlags", show_hex},
    {"RemoteVector", show_remote_vector},
    {"InVector", show_input_vector},
    {"OutVector", show_output_vector},
    {.name = "DescriptorPair", .show = show_descriptor_pair, .output_bytes = 2 * sizeof(int)},
};

}  // namespace

Family number_family() { return {kTypes}; }

}  // namespace sandbox::trace
