// Writing batches of records.
#include "sentry/trace/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sandbox/write_all.h"

namespace sandbox::trace {

Output::Output(UniqueFd fd) : fd_(std::move(fd)), is_terminal_(::isatty(fd_.get()) == 1) {}

void Output::end_record() {
  ++records_in_text_;
  if (is_terminal_ || text_.size() >= kBatchBytes) flush();
}

void Output::flush() {
  if (!failure_) {
    if (auto written = write_all(fd_.get(), text_); !written) failure_ = written.error();
  }
  if (failure_) lost_records_ += records_in_text_;
  records_in_text_ = 0;
  text_.clear();
}

Result<UniqueFd> Outputs::open_file(const std::string& name, int flags) const {
  UniqueFd fd(::openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666));
  if (!fd) return last_error();
  return fd;
}

Result<std::unique_ptr<Outputs>> Outputs::open(const std::string& path, Files files) {
  std::unique_ptr<Outputs> outputs(new Outputs(files));
  if (path.empty() || path == "-") {
    outputs->files_ = Files::kOne;
    UniqueFd copy(::fcntl(path.empty() ? STDERR_FILENO : STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!copy) return last_error();
    outputs->outputs_.emplace(0, std::make_unique<Output>(std::move(copy)));
    return outputs;
  }
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  outputs->name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  outputs->directory_ = UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!outputs->directory_) return last_error();
  if (files == Files::kOne) {
    auto file = outputs->open_file(outputs->name_, O_TRUNC);
    if (!file) return std::unexpected(file.error());
    outputs->outputs_.emplace(0, std::make_unique<Output>(*std::move(file)));
  }
  return outputs;
}

std::unique_ptr<Outputs> Outputs::over(UniqueFd file) {
  std::unique_ptr<Outputs> outputs(new Outputs(Files::kOne));
  outputs->outputs_.emplace(0, std::make_unique<Output>(std::move(file)));
  return outputs;
}

Output& Outputs::of(pid_t pid) {
  const pid_t key = files_ == Files::kOne ? 0 : pid;
  if (auto found = outputs_.find(key); found != outputs_.end()) return *found->second;
  if (outputs_.size() >= kMaxOpenFiles) close(outputs_.begin()->first);
  // A process that comes again after its file was closed for want of descriptors goes on where it was.
  const int flags = begun_.insert(pid).second ? O_TRUNC : O_APPEND;
  auto fd = open_file(fmt::format("{}.{}", name_, key), flags);
  auto output = fd ? std::make_unique<Output>(*std::move(fd)) : std::make_unique<Output>(fd.error());
  return *outputs_.emplace(key, std::move(output)).first->second;
}

void Outputs::note_failure(const Output& output) {
  lost_records_ += output.lost_records();
  if (output.failure() && !failure_) failure_ = output.failure();
}

void Outputs::close(pid_t pid) {
  if (files_ == Files::kOne) return;
  auto found = outputs_.find(pid);
  if (found == outputs_.end()) return;
  found->second->flush();
  note_failure(*found->second);
  outputs_.erase(found);
}

void Outputs::flush() {
  for (auto& [pid, output] : outputs_) output->flush();
}

std::optional<Errno> Outputs::failure() const {
  if (failure_) return failure_;
  for (const auto& [pid, output] : outputs_)
    if (output->failure()) return output->failure();
  return std::nullopt;
}

uint64_t Outputs::lost_records() const {
  uint64_t lost = lost_records_;
  for (const auto& [pid, output] : outputs_) lost += output->lost_records();
  return lost;
}

}  // namespace sandbox::trace
