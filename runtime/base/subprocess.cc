#include "runtime/base/subprocess.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

extern char** environ;

namespace galley {
namespace {

// Between fork and exec only async-signal-safe calls are allowed, so everything is made ready before.
struct ChildPlan {
  std::vector<char*> argv, envp;
  int in = -1, out = -1, err = -1;  // -1: that of ours
  int go = -1, go_parent = -1;
  bool own_session = true;
};

[[noreturn]] void RunChild(const ChildPlan& plan) {
  ::close(plan.go_parent);  // else the child would hold its own end open
  if (plan.own_session) ::setsid();
  // exec resets handlers, but what is ignored or blocked stays so: a daemon's SIGPIPE is not the program's.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int s = 1; s < 32; ++s) ::sigaction(s, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(plan.in, 0);
  if (plan.out >= 0) ::dup2(plan.out, 1);
  if (plan.err >= 0) ::dup2(plan.err, 2);
  // A byte is the release; the end of the stream, which the parent's death makes too, says that nobody
  // wants us.
  char go;
  ssize_t n;
  do {
    n = ::read(plan.go, &go, 1);
  } while (n < 0 && errno == EINTR);
  if (n != 1) ::_exit(125);
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);  // ours are so anyway; this is for libraries'
  ::execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  // strerror may allocate and lock; this only looks up.
  const char* why = ::strerrordesc_np(errno);
  if (why == nullptr) why = "unknown error";
  for (const char* part : {"cannot execute ", static_cast<const char*>(plan.argv[0]), ": ", why, "\n"}) {
    (void)!::write(2, part, std::strlen(part));
  }
  ::_exit(127);
}

std::vector<std::string> Environment(const SpawnOptions& options) {
  std::map<std::string, std::string> all;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::pair<std::string, std::string> entry = absl::StrSplit(*e, absl::MaxSplits('=', 1));
    all[entry.first] = entry.second;
  }
  for (const auto& [name, value] : options.environment) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(absl::StrCat(name, "=", value));
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

absl::StatusOr<int> OpenPidfd(pid_t pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0 && errno == ESRCH) return absl::NotFoundError(absl::StrCat("process ", pid, " has ended"));
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("pidfd_open of process ", pid));
  return fd;
}

}  // namespace

std::string BootId() {
  absl::StatusOr<std::string> id = ReadFile("/proc/sys/kernel/random/boot_id");
  return id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : "unknown";
}

absl::StatusOr<uint64_t> ProcessStartTime(pid_t pid) {
  const absl::Status gone = absl::NotFoundError(absl::StrCat("process ", pid, " has ended"));
  absl::StatusOr<std::string> stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!stat.ok()) return gone;
  // The second field is a name in brackets that may hold anything; the third follows the last bracket.
  const size_t bracket = stat->rfind(')');
  if (bracket == std::string::npos) return gone;
  const std::vector<std::string> fields = absl::StrSplit(absl::string_view(*stat).substr(bracket + 2), ' ');
  uint64_t start = 0;
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X" || !absl::SimpleAtoi(fields[19], &start)) {
    return gone;
  }
  return start;
}

Process::Process(Process&& other) noexcept
    : identity_(std::move(other.identity_)), pidfd_(std::exchange(other.pidfd_, -1)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(identity_, other.identity_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Process::~Process() {
  if (pidfd_ >= 0) ::close(pidfd_);
}

absl::StatusOr<Process> Process::Adopt(const ProcessIdentity& identity) {
  const absl::Status gone = absl::NotFoundError(absl::StrCat("process ", identity.pid, " has ended"));
  if (identity.boot_id != BootId()) return gone;
  Process process;
  process.identity_ = identity;
  ASSIGN_OR_RETURN(process.pidfd_, OpenPidfd(identity.pid));
  // Looked at after the pidfd is open: from here on the pid cannot become another process unnoticed.
  ASSIGN_OR_RETURN(uint64_t start, ProcessStartTime(identity.pid));
  if (start != identity.start_time) return gone;
  return process;
}

bool Process::Ended() const {
  pollfd fd{pidfd_, POLLIN, 0};
  return ::poll(&fd, 1, 0) == 1;
}

void Process::Signal(int signal) { (void)::syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0); }

Process::End Process::Reap() {
  siginfo_t info{};
  int rc;
  do {
    rc = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_), &info, WEXITED);
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) return {};  // not our child
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {-1, info.si_status};
}

absl::StatusOr<HeldProcess> HeldProcess::Spawn(const SpawnOptions& options) {
  CHECK(!options.argv.empty());
  std::vector<std::string> argv = options.argv, env = Environment(options);
  ChildPlan plan{Pointers(argv), Pointers(env)};
  plan.own_session = options.own_session;
  int log = -1;
  if (!options.log_path.empty()) {
    log = ::open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) return ErrnoStatus(errno, options.log_path);
  }
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  plan.in = options.stdin_fd >= 0 ? options.stdin_fd : null;
  plan.out = options.stdout_fd >= 0 ? options.stdout_fd : log;
  plan.err = log;
  int go[2] = {-1, -1};
  pid_t pid = -1;
  int error = 0;
  // Not a pipe: Release must not be killed by SIGPIPE where the child is dead already.
  if (null < 0 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) != 0) {
    error = errno;
  } else {
    plan.go = go[0];
    plan.go_parent = go[1];
    pid = ::fork();
    if (pid == 0) RunChild(plan);
    if (pid < 0) error = errno;
  }
  for (int fd : {log, null, go[0]}) {
    if (fd >= 0) ::close(fd);
  }
  HeldProcess held;
  held.go_ = go[1];
  if (pid < 0) return ErrnoStatus(error, absl::StrCat("cannot start ", options.argv[0]));
  held.process_.identity_ = {pid, 0, BootId()};
  // It cannot be reaped by anyone else, so its pid is still its own here.
  ASSIGN_OR_RETURN(held.process_.pidfd_, OpenPidfd(pid));
  ASSIGN_OR_RETURN(held.process_.identity_.start_time, ProcessStartTime(pid));
  return held;
}

HeldProcess::HeldProcess(HeldProcess&& other) noexcept
    : process_(std::move(other.process_)), go_(std::exchange(other.go_, -1)) {}

HeldProcess::~HeldProcess() {
  if (go_ < 0) return;
  ::close(go_);
  if (process_.pidfd() >= 0) process_.Reap();  // it ends at once
}

Process HeldProcess::Release() && {
  const char byte = 1;
  (void)::send(go_, &byte, 1, MSG_NOSIGNAL);
  ::close(std::exchange(go_, -1));
  return std::move(process_);
}

absl::StatusOr<Process> Spawn(const SpawnOptions& options) {
  ASSIGN_OR_RETURN(HeldProcess held, HeldProcess::Spawn(options));
  return std::move(held).Release();
}

}  // namespace galley
