// Asynchronous input and output: aio and io_uring.
#include <linux/aio_abi.h>
#include <linux/io_uring.h>

#include "sentry/trace/families.h"
#include "sentry/trace/types.h"

namespace sandbox::trace {
namespace {

// ---- aio ----
constexpr Name kAioOperations[] = {{"IOCB_CMD_PREAD", 0},  {"IOCB_CMD_PWRITE", 1}, {"IOCB_CMD_FSYNC", 2},
                                   {"IOCB_CMD_FDSYNC", 3}, {"IOCB_CMD_POLL", 5},   {"IOCB_CMD_NOOP", 6},
                                   {"IOCB_CMD_PREADV", 7}, {"IOCB_CMD_PWRITEV", 8}};
constexpr uint64_t kWrite = 1, kReadVector = 7, kWriteVector = 8;
constexpr Name kAioFlags[] = {NAME(IOCB_FLAG_RESFD), NAME(IOCB_FLAG_IOPRIO)};

Value request_value(Scope& scope, const iocb& request) {
  Value value = Value::structure();
  value.add("aio_data", Value::hex(request.aio_data));
  value.add("aio_lio_opcode", choice_value(request.aio_lio_opcode, 2, kAioOperations, "IOCB_CMD_???"));
  value.add("aio_fildes", scope.descriptor(static_cast<int>(request.aio_fildes)));
  switch (request.aio_lio_opcode) {
    case kWrite:
      value.add("aio_buf", scope.bytes(request.aio_buf, request.aio_nbytes));
      break;
    case kReadVector:
    case kWriteVector:
      value.add("aio_buf", show_io_vector(scope, request.aio_buf, request.aio_nbytes,
                                          request.aio_lio_opcode == kWriteVector ? UINT64_MAX : 0));
      break;
    default:
      value.add("aio_buf", Value::address(request.aio_buf));
      break;
  }
  value.add("aio_nbytes", Value::natural(request.aio_nbytes));
  value.add("aio_offset", Value::integer(request.aio_offset));
  if (request.aio_flags != 0)
    value.add("aio_flags", flags_value(request.aio_flags, kAioFlags, "IOCB_FLAG_???"));
  if (request.aio_flags & IOCB_FLAG_RESFD)
    value.add("aio_resfd", scope.descriptor(static_cast<int>(request.aio_resfd)));
  return value;
}

Value show_request(Scope& scope, const Type&, const Source& source) {
  iocb request;
  std::memcpy(&request, source.bytes.data(), sizeof request);
  return request_value(scope, request);
}

Value show_requests(Scope& scope, const Type&, const Source& source) {
  const uint64_t count = scope.argument_before();
  const size_t shown = std::min<uint64_t>(count, scope.options().array_elements);
  if (source.number == 0) return Value::address(0);
  std::vector<uint64_t> pointers(shown);
  const size_t readable =
      scope.read_some(source.number, std::as_writable_bytes(std::span(pointers))) / sizeof(uint64_t);
  if (readable == 0 && shown != 0) return Value::address(source.number);
  Value array = Value::array();
  for (size_t i = 0; i < readable; ++i) {
    const auto request = scope.read<iocb>(pointers[i]);
    array.add(request ? request_value(scope, *request) : Value::address(pointers[i]));
  }
  array.is_cut = readable < count;
  return array;
}

constexpr Field kEventFields[] = {FIELD(io_event, data, kHexNumber), FIELD(io_event, obj, kAddressField),
                                  FIELD(io_event, res, kSignedNumber), FIELD(io_event, res2, kSignedNumber)};

// ---- io_uring ----
constexpr Name kSetupFlags[] = {NAME(IORING_SETUP_IOPOLL),
                                NAME(IORING_SETUP_SQPOLL),
                                NAME(IORING_SETUP_SQ_AFF),
                                NAME(IORING_SETUP_CQSIZE),
                                NAME(IORING_SETUP_CLAMP),
                                NAME(IORING_SETUP_ATTACH_WQ),
                                NAME(IORING_SETUP_R_DISABLED),
                                NAME(IORING_SETUP_SUBMIT_ALL),
                                NAME(IORING_SETUP_COOP_TASKRUN),
                                NAME(IORING_SETUP_TASKRUN_FLAG),
                                NAME(IORING_SETUP_SQE128),
                                NAME(IORING_SETUP_CQE32),
                                NAME(IORING_SETUP_SINGLE_ISSUER),
                                NAME(IORING_SETUP_DEFER_TASKRUN),
                                {"IORING_SETUP_NO_MMAP", 1 << 14},
                                {"IORING_SETUP_REGISTERED_FD_ONLY", 1 << 15},
                                {"IORING_SETUP_NO_SQARRAY", 1 << 16},
                                {"IORING_SETUP_HYBRID_IOPOLL", 1 << 17},
                                {"IORING_SETUP_CQE_MIXED", 1 << 18}};
constexpr Name kFeatures[] = {
    NAME(IORING_FEAT_SINGLE_MMAP),    NAME(IORING_FEAT_NODROP),          NAME(IORING_FEAT_SUBMIT_STABLE),
    NAME(IORING_FEAT_RW_CUR_POS),     NAME(IORING_FEAT_CUR_PERSONALITY), NAME(IORING_FEAT_FAST_POLL),
    NAME(IORING_FEAT_POLL_32BITS),    NAME(IORING_FEAT_SQPOLL_NONFIXED), NAME(IORING_FEAT_EXT_ARG),
    NAME(IORING_FEAT_NATIVE_WORKERS), NAME(IORING_FEAT_RSRC_TAGS),       NAME(IORING_FEAT_CQE_SKIP),
    NAME(IORING_FEAT_LINKED_FILE)};
constexpr Name kEnterFlags[] = {NAME(IORING_ENTER_GETEVENTS),       NAME(IORING_ENTER_SQ_WAKEUP),
                                NAME(IORING_ENTER_SQ_WAIT),         NAME(IORING_ENTER_EXT_ARG),
                                NAME(IORING_ENTER_REGISTERED_RING), {"IORING_ENTER_ABS_TIMER", 32},
                                {"IORING_ENTER_EXT_ARG_REG", 64},   {"IORING_ENTER_NO_IOWAIT", 128}};
constexpr Name kRegisterOperations[] = {
    NAME(IORING_REGISTER_BUFFERS),         NAME(IORING_UNREGISTER_BUFFERS),
    NAME(IORING_REGISTER_FILES),           NAME(IORING_UNREGISTER_FILES),
    NAME(IORING_REGISTER_EVENTFD),         NAME(IORING_UNREGISTER_EVENTFD),
    NAME(IORING_REGISTER_FILES_UPDATE),    NAME(IORING_REGISTER_EVENTFD_ASYNC),
    NAME(IORING_REGISTER_PROBE),           NAME(IORING_REGISTER_PERSONALITY),
    NAME(IORING_UNREGISTER_PERSONALITY),   NAME(IORING_REGISTER_RESTRICTIONS),
    NAME(IORING_REGISTER_ENABLE_RINGS),    NAME(IORING_REGISTER_FILES2),
    NAME(IORING_REGISTER_FILES_UPDATE2),   NAME(IORING_REGISTER_BUFFERS2),
    NAME(IORING_REGISTER_BUFFERS_UPDATE),  NAME(IORING_REGISTER_IOWQ_AFF),
    NAME(IORING_UNREGISTER_IOWQ_AFF),      NAME(IORING_REGISTER_IOWQ_MAX_WORKERS),
    NAME(IORING_REGISTER_RING_FDS),        NAME(IORING_UNREGISTER_RING_FDS),
    NAME(IORING_REGISTER_PBUF_RING),       NAME(IORING_UNREGISTER_PBUF_RING),
    NAME(IORING_REGISTER_SYNC_CANCEL),     NAME(IORING_REGISTER_FILE_ALLOC_RANGE),
    {"IORING_REGISTER_PBUF_STATUS", 26},   {"IORING_REGISTER_NAPI", 27},
    {"IORING_UNREGISTER_NAPI", 28},        {"IORING_REGISTER_CLOCK", 29},
    {"IORING_REGISTER_CLONE_BUFFERS", 30}, {"IORING_REGISTER_SEND_MSG_RING", 31},
    {"IORING_REGISTER_ZCRX_IFQ", 32},      {"IORING_REGISTER_RESIZE_RINGS", 33},
    {"IORING_REGISTER_MEM_REGION", 34},    {"IORING_REGISTER_QUERY", 35}};

constexpr Field kSubmissionFields[] = {FIELD(io_sqring_offsets, head, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, tail, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, ring_mask, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, ring_entries, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, flags, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, dropped, kUnsignedNumber),
                                       FIELD(io_sqring_offsets, array, kUnsignedNumber)};
constexpr Field kCompletionFields[] = {FIELD(io_cqring_offsets, head, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, tail, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, ring_mask, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, ring_entries, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, overflow, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, cqes, kUnsignedNumber),
                                       FIELD(io_cqring_offsets, flags, kUnsignedNumber)};
constexpr Type kSubmission{"", show_structure, 0, {}, "", kSubmissionFields};
constexpr Type kCompletion{"", show_structure, 0, {}, "", kCompletionFields};

// Before the call flags and sizes are read, after it the rest is filled in.
Value show_parameters(Scope& scope, const Type&, const Source& source) {
  io_uring_params parameters;
  std::memcpy(&parameters, source.bytes.data(), sizeof parameters);
  Value value = Value::structure();
  value.add("flags", flags_value(parameters.flags, kSetupFlags, "IORING_SETUP_???"));
  if (scope.is_exit()) value.add("sq_entries", Value::natural(parameters.sq_entries));
  if (scope.is_exit() || (parameters.flags & IORING_SETUP_CQSIZE) != 0)
    value.add("cq_entries", Value::natural(parameters.cq_entries));
  value.add("sq_thread_cpu", Value::natural(parameters.sq_thread_cpu));
  value.add("sq_thread_idle", Value::natural(parameters.sq_thread_idle));
  if ((parameters.flags & IORING_SETUP_ATTACH_WQ) != 0)
    value.add("wq_fd", scope.descriptor(static_cast<int>(parameters.wq_fd)));
  if (!scope.is_exit()) return value;
  value.add("features", flags_value(parameters.features, kFeatures, "IORING_FEAT_???"));
  value.add("sq_off", scope.show_object(kSubmission, parameters.sq_off));
  value.add("cq_off", scope.show_object(kCompletion, parameters.cq_off));
  return value;
}

Value show_enter_argument(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  if (source.number == 0) return Value::address(0);
  if ((scope.argument(3) & IORING_ENTER_EXT_ARG) == 0) {
    const auto mask = scope.read<uint64_t>(source.number);
    return mask ? scope.show(kSignalSet, *mask) : Value::address(source.number);
  }
  const auto argument = scope.read<io_uring_getevents_arg>(source.number);
  if (!argument) return Value::address(source.number);
  Value value = Value::structure();
  value.add("sigmask", Value::address(argument->sigmask));
  value.add("sigmask_sz", Value::natural(argument->sigmask_sz));
  value.add("ts", scope.pointer(kTimespec, argument->ts));
  return value;
}

Value show_register_argument(Scope& scope, const Type&, const Source& source) {
  if (scope.is_exit()) return {};
  constexpr uint64_t kOperationBits = 0x7fffffff;
  switch (scope.argument_before() & kOperationBits) {
    case IORING_REGISTER_BUFFERS:
      return show_io_vector(scope, source.number, scope.argument_after(), 0);
    case IORING_REGISTER_FILES:
    case IORING_REGISTER_EVENTFD:
    case IORING_REGISTER_EVENTFD_ASYNC:
      return scope.array(kDescriptorNumber, source.number, scope.argument_after());
    default:
      return Value::address(source.number);
  }
}

constexpr Type kTypes[] = {
    {"struct iocb", show_request, sizeof(iocb), kAioOperations},
    {"AioRequests", show_requests},
    {"struct io_event", show_structure, sizeof(io_event), {}, "", kEventFields},
    {"IoUringParams", show_parameters, sizeof(io_uring_params), kSetupFlags},
    {"IoUringEnterFlags", show_flags, 4, kEnterFlags, "IORING_ENTER_???"},
    {"IoUringEnterArgument", show_enter_argument},
    {"IoUringOpcode", show_choice, 4, kRegisterOperations, "IORING_REGISTER_???"},
    {"IoUringArgument", show_register_argument},
};
constexpr Names kMoreNames[] = {kFeatures, kAioFlags};

}  // namespace

Family asynchronous_family() { return {kTypes, kMoreNames}; }

}  // namespace sandbox::trace
