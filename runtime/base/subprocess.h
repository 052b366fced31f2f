// Processes that outlive the one that started them, held by pidfd so that a reused pid is never signalled.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace galley {

// A process over time: pids are reused, (boot, pid, start time) are not.
struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat
  std::string boot_id;
};

std::string BootId();  // of this boot of the machine
// kNotFound when there is no such process or it has ended (a zombie included).
absl::StatusOr<uint64_t> ProcessStartTime(pid_t pid);

// A process we can wait for and signal. Movable; the destructor lets go of it and does not end it.
class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  // kNotFound when that very process is no more.
  static absl::StatusOr<Process> Adopt(const ProcessIdentity& identity);

  const ProcessIdentity& identity() const { return identity_; }
  int pidfd() const { return pidfd_; }  // readable once the process has ended
  bool Ended() const;                   // whether Reap would return at once
  void Signal(int signal);              // one that has ended is ignored

  // How it ended; waits for a child that runs. code: exit status, or -1 when a signal ended it or nobody
  // can tell (an adopted process was another's child). signal: 0 for none.
  struct End {
    int code = -1;
    int signal = 0;
  };
  End Reap();

 private:
  friend class HeldProcess;
  ProcessIdentity identity_;
  int pidfd_ = -1;
};

struct SpawnOptions {
  std::vector<std::string> argv;                                      // argv[0]: path of the program
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to, or in place of, our own
  std::string log_path = {};  // stdout and stderr, appended; empty: those of ours
  int stdin_fd = -1;          // -1: /dev/null
  int stdout_fd = -1;         // instead of the log
  bool own_session = true;    // the terminal's signals do not reach it
};

// A child that exists and has a pid but does not run its program before Release. In between the parent writes
// down what it needs to find the child again; if it dies before that, the child ends unseen.
class HeldProcess {
 public:
  static absl::StatusOr<HeldProcess> Spawn(const SpawnOptions& options);
  HeldProcess(HeldProcess&& other) noexcept;
  ~HeldProcess();  // not released: the child ends

  const ProcessIdentity& identity() const { return process_.identity(); }
  // A program that cannot be executed ends with status 127 and says why in the log.
  Process Release() &&;

 private:
  HeldProcess() = default;
  Process process_;
  int go_ = -1;
};

// A child that runs its program at once.
absl::StatusOr<Process> Spawn(const SpawnOptions& options);

}  // namespace galley
