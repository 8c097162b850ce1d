// ioctl: a request by name, its argument as the request says; unknown ones by the four parts of their number.
#include <linux/ioctl.h>

#include <unordered_map>

#include "sentry/trace/digits.h"
#include "sentry/trace/families.h"
#include "sentry/trace/ioctl_entry.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

using Requests = std::unordered_map<uint32_t, const IoctlEntry*>;

const Requests& requests() {
  static const Requests all = [] {
    Requests built;
    for (const auto& table : {terminal_requests(), file_requests(), network_requests()})
      for (const IoctlEntry& entry : table) built.emplace(static_cast<uint32_t>(entry.name.value), &entry);
    return built;
  }();
  return all;
}

// Names alone, of every other request in the kernel's headers.
constexpr Name kOtherRequests[] = {
#define IOCTL_NAME(name, number) {#name, number},
#include "sentry/trace/ioctl_names.def"
#undef IOCTL_NAME
};

const IoctlEntry* find_request(uint64_t request) {
  const auto found = requests().find(static_cast<uint32_t>(request));
  return found == requests().end() ? nullptr : found->second;
}

const char* other_name(uint64_t request) {
  static const auto all = [] {
    std::unordered_map<uint32_t, const char*> built;
    for (const Name& name : kOtherRequests) built.emplace(static_cast<uint32_t>(name.value), name.text);
    return built;
  }();
  const auto found = all.find(static_cast<uint32_t>(request));
  return found == all.end() ? nullptr : found->second;
}

std::string parts_of(uint32_t request) {
  static constexpr const char* kDirections[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ",
                                                "_IOC_READ|_IOC_WRITE"};
  return std::string("_IOC(") + kDirections[_IOC_DIR(request)] + ", " + hex(_IOC_TYPE(request)) + ", " +
         hex(_IOC_NR(request)) + ", " + hex(_IOC_SIZE(request)) + ")";
}

Value show_request(Scope&, const Type&, const Source& source) {
  const IoctlEntry* entry = find_request(source.number);
  const char* name = entry != nullptr ? entry->name.text : other_name(source.number);
  if (name == nullptr)
    return Value::expression(parts_of(static_cast<uint32_t>(source.number)), Value::natural(source.number));
  Value value;
  value.kind = Value::Kind::kEnumerator;
  value.number = source.number;
  value.text = name;
  return value;
}

Value show_ioctl_argument(Scope& scope, const Type&, const Source& source) {
  const IoctlEntry* entry = find_request(scope.argument(1));
  if (entry == nullptr || (entry->type == nullptr && entry->use != IoctlEntry::Use::kNothing))
    return scope.is_exit() ? Value{} : Value::address(source.number);
  switch (entry->use) {
    case IoctlEntry::Use::kNothing:
      return {};
    case IoctlEntry::Use::kNumber:
    case IoctlEntry::Use::kDescriptor:
      return scope.is_exit() ? Value{} : entry->type->show(scope, *entry->type, {source.number, 4, {}});
    case IoctlEntry::Use::kIn:
      return scope.is_exit() ? Value{} : scope.pointer(*entry->type, source.number);
    case IoctlEntry::Use::kOut:
      if (!scope.is_exit()) return source.number == 0 ? Value::address(0) : Value::pending();
      return scope.pointer(*entry->type, source.number);
    case IoctlEntry::Use::kInOut:
      return scope.pointer(*entry->type, source.number);
  }
  return {};
}

Value show_ioctl_result(Scope& scope, const Type&, const Source& source) {
  const IoctlEntry* entry = find_request(scope.argument(1));
  if (entry != nullptr && entry->use == IoctlEntry::Use::kDescriptor)
    return scope.descriptor(static_cast<int>(source.number));
  return Value::integer(static_cast<int64_t>(source.number));
}

constexpr Type kTypes[] = {
    {"IoctlRequest", show_request},
    {"IoctlArgument", show_ioctl_argument},
    {"IoctlResult", show_ioctl_result},
};

std::span<const Names> all_names() {
  static const std::vector<Name> named = [] {
    std::vector<Name> built;
    for (const auto& [number, entry] : requests()) built.push_back(entry->name);
    return built;
  }();
  static const Names tables[] = {named, kOtherRequests};
  return tables;
}

}  // namespace

Family ioctl_family() { return {kTypes, all_names()}; }

}  // namespace sandbox::trace
