// Output: where a trace is written; buffered, and never in the way of the traced program when it fails.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "sandbox/errno.h"
#include "sandbox/result.h"
#include "sandbox/unique_fd.h"

namespace sandbox::trace {

// One file. Not for two threads at once.
class Output {
 public:
  explicit Output(UniqueFd fd);
  // One that could not be opened: every record is lost.
  explicit Output(Errno failure) : failure_(failure) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Where the next records go: append to it, then call end_record().
  std::string& text() { return text_; }
  // The record is whole; it reaches the file now when somebody watches (a terminal), else with the next ones.
  void end_record();
  void flush();

  int descriptor() const { return fd_.get(); }
  bool is_terminal() const { return is_terminal_; }
  bool has_failed() const { return failure_.has_value(); }
  // Why nothing is written any more: a full disk, a reader that went away. Records from then on are lost.
  const std::optional<Errno>& failure() const { return failure_; }
  uint64_t lost_records() const { return lost_records_; }

 private:
  static constexpr size_t kBatchBytes = 128 << 10;

  UniqueFd fd_;
  bool is_terminal_ = false;
  std::string text_;
  uint64_t records_in_text_ = 0, lost_records_ = 0;
  std::optional<Errno> failure_;
};

// One file for all processes, or one for each ("FILE.PID").
class Outputs {
 public:
  enum class Files { kOne, kOnePerProcess };

  // "-" is standard output, "" standard error. Errors: those of open(2).
  static Result<std::unique_ptr<Outputs>> open(const std::string& path, Files files);

  // One that is open already.
  static std::unique_ptr<Outputs> over(UniqueFd file);

  // Files of processes that cannot be opened lose their records.
  Output& of(pid_t pid);
  Output& first() { return *outputs_.begin()->second; }
  bool is_terminal() const { return !outputs_.empty() && outputs_.begin()->second->is_terminal(); }
  bool is_per_process() const { return files_ == Files::kOnePerProcess; }
  // The process is gone: its file is finished.
  void close(pid_t pid);
  void flush();

  std::optional<Errno> failure() const;
  uint64_t lost_records() const;

 private:
  explicit Outputs(Files files) : files_(files) {}
  // Errors: those of open(2).
  Result<UniqueFd> open_file(const std::string& name, int flags) const;
  void note_failure(const Output& output);

  static constexpr size_t kMaxOpenFiles = 256;

  Files files_;
  UniqueFd directory_;
  std::string name_;
  std::map<pid_t, std::unique_ptr<Output>> outputs_;  // by process; 0: all of them
  std::set<pid_t> begun_;                             // processes whose file was emptied
  std::optional<Errno> failure_;                      // of a file that is closed again
  uint64_t lost_records_ = 0;
};

}  // namespace sandbox::trace
