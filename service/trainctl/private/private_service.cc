#include "service/trainctl/private/private_service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/base/executable.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/base/subprocess.h"
#include "runtime/base/user_dirs.h"

namespace galley::trainctl {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr absl::Duration kEndTimeout = absl::Seconds(60);  // after the controller has ended, for trainerd
constexpr int kMostRestarts = 3;                           // within a minute

absl::StatusOr<std::string> Beside(const std::string& program) {
  ASSIGN_OR_RETURN(std::string path, PathBesideOurs(program));
  if (FileExists(path)) return path;
  return absl::NotFoundError(absl::StrCat(path, ": missing; it belongs beside trainctl"));
}

std::string LastLine(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok() || text->empty()) return "";
  const size_t end = text->find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text->rfind('\n', end);
  return text->substr(begin == std::string::npos ? 0 : begin + 1,
                      end - (begin == std::string::npos ? -1 : begin));
}

// One daemon: its child process, and how to start it again.
class Daemon {
 public:
  Daemon(std::vector<std::string> arguments, std::string log_path, bool owned)
      : arguments_(std::move(arguments)), log_path_(std::move(log_path)), owned_(owned) {}
  ~Daemon() { Release(); }

  absl::Status Start() {
    Release();
    int fds[2] = {-1, -1};
    if (owned_ && pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
    absl::StatusOr<Process> process = Spawn({.argv = arguments_, .log_path = log_path_, .stdin_fd = fds[0]});
    if (fds[0] >= 0) close(fds[0]);
    lifeline_ = fds[1];
    RETURN_IF_ERROR(process.status());
    process_ = *std::move(process);
    lives_ = true;
    return absl::OkStatus();
  }
  // The child reads the end of its standard input.
  void Release() {
    if (lifeline_ >= 0) close(lifeline_);
    lifeline_ = -1;
  }
  // True, and the child is reaped, when it has ended.
  bool Ended() {
    if (!lives_) return true;
    if (!process_.Ended()) return false;
    process_.Reap();
    lives_ = false;
    return true;
  }
  bool WaitEnd(absl::Duration timeout) {
    struct pollfd fd = {pidfd(), POLLIN, 0};
    const int ms =
        timeout == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(timeout));
    while (!Ended()) {
      if (poll(&fd, 1, ms) == 0) return false;
    }
    return true;
  }
  void Terminate() {
    if (lives_) process_.Signal(SIGTERM);
  }
  // Whether it may be started again: not more often than a few times a minute.
  bool MayRestart() {
    const absl::Time now = absl::Now();
    while (!restarts_.empty() && now - restarts_.front() > absl::Minutes(1)) restarts_.pop_front();
    if (restarts_.size() >= kMostRestarts) return false;
    restarts_.push_back(now);
    return true;
  }
  int pidfd() const { return process_.pidfd(); }
  const std::string& log_path() const { return log_path_; }

 private:
  const std::vector<std::string> arguments_;
  const std::string log_path_;
  const bool owned_;
  Process process_;
  bool lives_ = false;  // not reaped yet
  int lifeline_ = -1;   // closed, it ends the child
  std::deque<absl::Time> restarts_;
};

class Service : public PrivateService {
 public:
  Service(std::vector<std::string> controller, std::vector<std::string> trainerd, const std::string& logs,
          std::unique_ptr<Client> client)
      : controller_(std::move(controller), JoinPath(logs, "controller.log"), /*owned=*/true),
        trainerd_(std::move(trainerd), JoinPath(logs, "trainerd.log"), /*owned=*/false),
        client_(std::move(client)),
        wake_(eventfd(0, EFD_CLOEXEC)) {}

  ~Service() override {
    if (keeper_.joinable()) {
      const uint64_t one = 1;
      if (write(wake_, &one, sizeof one) < 0) LogWarning("eventfd: ", strerror(errno));
      keeper_.join();
    }
    controller_.Release();
    controller_.WaitEnd(
        absl::InfiniteDuration());  // it ends by itself: at once, or after the ranks' last save
    // No rank is left for it; one that never met the controller would wait for it in vain.
    trainerd_.Terminate();
    trainerd_.WaitEnd(kEndTimeout);
    close(wake_);
  }

  absl::Status Start() {
    RETURN_IF_ERROR(controller_.Start());
    RETURN_IF_ERROR(AwaitController());
    RETURN_IF_ERROR(trainerd_.Start());
    keeper_ = std::thread(&Service::Keep, this);
    return absl::OkStatus();
  }
  Client& client() override { return *client_; }

 private:
  absl::Status AwaitController() {
    const absl::Time deadline = absl::Now() + kStartTimeout;
    while (absl::Now() < deadline) {
      if (client_->Version(absl::Milliseconds(500)).ok()) return absl::OkStatus();
      if (controller_.Ended()) {
        return absl::FailedPreconditionError(
            absl::StrCat("the private controller did not start: ", LastLine(controller_.log_path())));
      }
    }
    return absl::UnavailableError(
        absl::StrCat("the private controller does not answer; see ", controller_.log_path()));
  }

  // Starts a daemon that died again. Runs survive both: ranks go on while either is away.
  void Keep() {
    while (true) {
      struct pollfd fds[3] = {
          {wake_, POLLIN, 0}, {controller_.pidfd(), POLLIN, 0}, {trainerd_.pidfd(), POLLIN, 0}};
      if (poll(fds, 3, -1) < 0) continue;
      if (fds[0].revents != 0) return;
      for (Daemon* daemon : {&controller_, &trainerd_}) {
        if (!daemon->Ended()) continue;
        LogWarning("a private daemon died (", daemon->log_path(), "); starting it again");
        if (!daemon->MayRestart() || !daemon->Start().ok()) {
          LogError("it keeps dying; resume the run when the cause is gone");
          return;
        }
      }
    }
  }

  Daemon controller_;
  Daemon trainerd_;
  std::unique_ptr<Client> client_;
  int wake_;
  std::thread keeper_;
};

absl::StatusOr<PrivateRun> ReadEntry(const std::string& path, const std::string& id) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  const size_t line = text.find('\n');
  if (line == std::string::npos) return absl::DataLossError(absl::StrCat(path, ": not an entry"));
  const size_t end = text.find('\n', line + 1);
  return PrivateRun{id, text.substr(line + 1, end == std::string::npos ? end : end - line - 1),
                    text.substr(0, line)};
}

bool IsPrivateRunDir(const std::string& dir) {
  return FileExists(JoinPath(dir, absl::StrCat(kPrivateState, "/run")));
}

absl::StatusOr<std::string> Registry(const Globals& globals) {
  ASSIGN_OR_RETURN(std::string state, StateFolder(globals.state_dir));
  return JoinPath(state, "private");
}

}  // namespace

absl::StatusOr<std::string> PrivateAddress(const std::string& run_id) {
  ASSIGN_OR_RETURN(std::string folder, SocketFolder());
  return absl::StrCat("unix:", folder, "/p-", run_id, ".sock");
}

absl::StatusOr<std::unique_ptr<PrivateService>> PrivateService::Start(const std::string& run_dir,
                                                                      const std::string& run_id) {
  ASSIGN_OR_RETURN(std::string controller, Beside("galley-controller"));
  ASSIGN_OR_RETURN(std::string trainerd, Beside("trainerd"));
  ASSIGN_OR_RETURN(std::string address, PrivateAddress(run_id));
  const std::string state = JoinPath(run_dir, kPrivateState);
  const std::string logs = JoinPath(run_dir, "logs");
  RETURN_IF_ERROR(MakeDirs(logs));  // and with it the run directory, open to all; the state below is not
  RETURN_IF_ERROR(MakeDirs(state, 0700));
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Open(address, {}));
  std::vector<std::string> node = {trainerd,      "--controller",          address,
                                   "--state-dir", JoinPath(state, "node"), "--private"};
  if (const char* rank_binary = getenv("GALLEY_RANK_BINARY"); rank_binary != nullptr) {
    node.insert(node.end(), {"--rank-binary", rank_binary});
  }
  auto service = std::make_unique<Service>(
      std::vector<std::string>{controller, "--listen", address, "--state-dir", state, "--owned"},
      std::move(node), logs, std::move(client));
  RETURN_IF_ERROR(service->Start());
  return service;
}

absl::Status RememberPrivate(const Globals& globals, const PrivateRun& run) {
  ASSIGN_OR_RETURN(std::string registry, Registry(globals));
  RETURN_IF_ERROR(MakeDirs(registry, 0700));
  RETURN_IF_ERROR(AtomicWrite(JoinPath(run.run_dir, absl::StrCat(kPrivateState, "/run")),
                              absl::StrCat(run.run_dir, "\n", run.name, "\n", run.run_id, "\n"), 0600));
  return AtomicWrite(JoinPath(registry, run.run_id), absl::StrCat(run.run_dir, "\n", run.name, "\n"), 0600);
}

absl::StatusOr<std::vector<PrivateRun>> PrivateRuns(const Globals& globals) {
  ASSIGN_OR_RETURN(std::string registry, Registry(globals));
  const absl::StatusOr<std::vector<std::string>> ids = ListDir(registry);
  std::vector<std::pair<absl::Time, PrivateRun>> made;
  for (const std::string& id : ids.ok() ? *ids : std::vector<std::string>{}) {
    const std::string path = JoinPath(registry, id);
    absl::StatusOr<PrivateRun> run = ReadEntry(path, id);
    struct stat info;
    if (!run.ok() || !IsPrivateRunDir(run->run_dir) || stat(path.c_str(), &info) != 0) continue;
    made.emplace_back(absl::TimeFromTimespec(info.st_mtim), *std::move(run));
  }
  std::stable_sort(made.begin(), made.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<PrivateRun> runs;
  for (auto& [time, run] : made) runs.push_back(std::move(run));
  return runs;
}

absl::StatusOr<PrivateRun> FindPrivate(const Globals& globals, const std::string& reference) {
  ASSIGN_OR_RETURN(std::string as_path, AbsolutePath(reference));
  if (IsPrivateRunDir(as_path)) {
    ASSIGN_OR_RETURN(std::string text, ReadFile(JoinPath(as_path, absl::StrCat(kPrivateState, "/run"))));
    const size_t first = text.find('\n'), second = text.find('\n', first + 1);
    if (second == std::string::npos)
      return absl::DataLossError(absl::StrCat(as_path, ": its .service/run is damaged"));
    PrivateRun run{text.substr(second + 1, text.find('\n', second + 1) - second - 1),
                   text.substr(first + 1, second - first - 1), text.substr(0, first)};
    if (run.run_dir != as_path) {
      return absl::FailedPreconditionError(absl::StrCat(as_path, ": this run was made as ", run.run_dir,
                                                        " and its state names that folder; move it back"));
    }
    return run;
  }
  ASSIGN_OR_RETURN(const std::vector<PrivateRun> runs, PrivateRuns(globals));
  const auto named =
      std::find_if(runs.begin(), runs.end(), [&](const PrivateRun& run) { return run.run_id == reference; });
  if (named != runs.end()) return *named;
  for (const PrivateRun& run : runs) {
    if (run.name == reference) return run;
  }
  std::vector<PrivateRun> fitting;
  for (const PrivateRun& run : runs) {
    if (reference.size() >= 4 && absl::StartsWith(run.run_id, reference)) fitting.push_back(run);
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.size() > 1)
    return absl::InvalidArgumentError(absl::StrCat(reference, ": several private runs begin so"));
  return absl::NotFoundError(absl::StrCat("no run has the id, name or directory '", reference, "'"));
}

}  // namespace galley::trainctl
