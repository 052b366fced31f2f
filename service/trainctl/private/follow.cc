#include "service/trainctl/private/follow.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/metrics/metric.h"
#include "runtime/metrics/report.h"
#include "service/view/names.h"

namespace galley::trainctl {
namespace {

bool StandsStill(v1::RunState::Value state) { return view::IsOver(state) || view::IsWaiting(state); }

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kPlainLine = absl::Seconds(10);

sigset_t EndSignals() {
  sigset_t mask;
  sigemptyset(&mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&mask, signal);
  return mask;
}

// The line that says how far a run is.
class Progress {
 public:
  Progress() : tty_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() { Clear(); }

  void OnRun(const v1::RunSummary& run) {
    const bool moved = run.state() != run_.state() || run.attempt() != run_.attempt();
    run_ = run;
    if (!moved) return;
    std::string line = absl::StrCat(run.name(), " ", run.run_id(), ": ", view::NameOf(run.state()));
    if (run.attempt() > 1 && run.state() == v1::RunState::LAUNCHING)
      absl::StrAppend(&line, ", attempt ", run.attempt());
    if (!run.reason().empty()) absl::StrAppend(&line, ": ", run.reason());
    Say(line);
  }
  void OnStep(const metrics::StepRecord& step) {
    if (step.attempt() == last_.attempt() && step.step() <= last_.step()) return;
    last_.Follow(step);
    const double took = step.Get<"step_seconds">().value_or(0);
    seconds_ = seconds_ == 0 ? took : 0.9 * seconds_ + 0.1 * took;
    const absl::Time now = absl::Now();
    const bool evaluated = step.Get<"validation_loss">().has_value();
    if (now - drawn_ < (tty_ ? kRedraw : kPlainLine) && step.step() != run_.total_steps() && !evaluated)
      return;
    drawn_ = now;
    Draw();
  }
  void Say(const std::string& line) {
    Clear();
    fprintf(stderr, "%s\n", line.c_str());
  }

 private:
  void Draw() {
    const int64_t left = run_.total_steps() - last_.step();
    std::string line = absl::StrFormat("step %d/%d  loss %.4f", last_.step(), run_.total_steps(),
                                       last_.Get<"loss">().value_or(0));
    if (const auto loss = last_.Get<"validation_loss">()) absl::StrAppendFormat(&line, "  val %.4f", *loss);
    absl::StrAppend(&line, "  ", view::Compact(last_.Get<"tokens_per_second">().value_or(0)), " tok/s");
    if (const auto mfu = last_.Get<"mfu">()) absl::StrAppendFormat(&line, "  mfu %.1f%%", 100 * *mfu);
    if (left > 0) absl::StrAppend(&line, "  ETA ", view::Duration(seconds_ * static_cast<double>(left)));
    if (!tty_) {
      fprintf(stderr, "%s\n", line.c_str());
      return;
    }
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col) {
      line.resize(size.ws_col - 1);
    }
    fprintf(stderr, "\r\033[K%s", line.c_str());
    fflush(stderr);
    drawn_line_ = true;
  }
  void Clear() {
    if (drawn_line_) fprintf(stderr, "\n");
    drawn_line_ = false;
  }

  const bool tty_;
  bool drawn_line_ = false;
  v1::RunSummary run_;
  metrics::StepRecord last_;  // the last step, and what stays of those before it
  double seconds_ = 0;        // of a step, smoothed
  absl::Time drawn_ = absl::InfinitePast();
};

// Waits for signals on a thread of its own, since the watching one sits in a read.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void(int count)> on_signal)
      : on_signal_(std::move(on_signal)), end_(eventfd(0, EFD_CLOEXEC)), thread_([this] { Run(); }) {}
  ~SignalWatch() {
    const uint64_t one = 1;
    while (write(end_, &one, sizeof one) < 0) {
    }
    thread_.join();
    close(end_);
  }
  int count() const { return count_; }

 private:
  void Run() {
    const sigset_t mask = EndSignals();
    const int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    while (true) {
      struct pollfd fds[2] = {{end_, POLLIN, 0}, {signals, POLLIN, 0}};
      if (poll(fds, 2, -1) < 0) continue;
      if (fds[0].revents != 0) break;
      struct signalfd_siginfo info;
      if (read(signals, &info, sizeof info) == sizeof info) on_signal_(++count_);
    }
    close(signals);
  }
  std::function<void(int)> on_signal_;
  int end_;
  std::atomic<int> count_ = 0;
  std::thread thread_;
};

// Follows one run: shows what the controller tells of it, and turns signals into a stop.
class Follower {
 public:
  Follower(Client& client, const std::string& run, const FollowOptions& options)
      : client_(client), run_(run), options_(options) {}

  absl::StatusOr<Followed> Follow() {
    SignalWatch signals([this](int count) { OnSignal(count); });
    const absl::Time deadline = absl::Now() + options_.timeout;
    while (true) {
      const absl::Status status = Watch(deadline - absl::Now());
      followed_.interrupted = signals.count() > 0;
      if (leave_ || (status.ok() && StandsStill(followed_.run.state()))) return followed_;
      if (absl::IsDeadlineExceeded(status)) {
        return absl::DeadlineExceededError(
            absl::StrCat("run ", run_, " is still ", view::NameOf(followed_.run.state())));
      }
      // A private controller that died is being started again.
      if (absl::IsUnavailable(status) && options_.owns_run && ++failures_ <= 30) {
        client_.Version(absl::Seconds(1)).status().IgnoreError();
        continue;
      }
      if (!status.ok()) return status;
    }
  }

 private:
  absl::Status Watch(absl::Duration timeout) {
    v1::WatchRequest request;
    request.set_run(run_);
    request.set_steps(options_.show_steps);
    request.set_since_event(seen_);
    return client_.Watch(request, timeout, [this](const v1::WatchReply& reply) {
      OnReply(reply);
      return !leave_;
    });
  }

  void OnReply(const v1::WatchReply& reply) {
    MutexLock lock(mutex_);
    failures_ = 0;
    if (reply.has_run()) {
      followed_.run = reply.run();
      progress_.OnRun(reply.run());
    } else if (reply.has_step()) {
      progress_.OnStep(metrics::FromReport(reply.step()));
    } else {
      seen_ = std::max(seen_, reply.event().seq());
      if (reply.event().kind() == v1::EventKind::NOTED) progress_.Say(reply.event().message());
    }
  }

  // On the thread that waits for signals. The lock is let go while the controller is asked: its replies want
  // it too.
  void OnSignal(int count) {
    Say(!options_.owns_run ? "the run goes on; watch it again with: trainctl watch " + run_
        : count == 1       ? "saving, then pausing (once more: pause without a save)"
                           : "pausing without a save");
    if (!options_.owns_run) {
      leave_ = true;
      client_.CancelStreams();
      return;
    }
    v1::StopRequest stop;
    stop.set_run(run_);
    stop.set_pause(true);
    stop.set_now(count > 1);
    stop.set_reason("interrupted");
    const absl::Status stopped = client_.Stop(stop).status();
    if (!stopped.ok()) Say(std::string(stopped.message()));
  }

  void Say(const std::string& line) {
    MutexLock lock(mutex_);
    progress_.Say(line);
  }

  Client& client_;
  const std::string& run_;
  const FollowOptions& options_;
  Mutex mutex_;  // two threads write the progress line
  Progress progress_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> leave_ = false;
  // Of the thread that watches.
  Followed followed_;
  int64_t seen_ = 0;
  int failures_ = 0;
};

// The metrics that `list` names.
void AddMetrics(bool wide, std::vector<Column>& columns) {
  for (const metrics::Metric& metric : metrics::kMetrics) {
    if (metric.list != nullptr && metric.list_wide == wide)
      columns.push_back({metric.name, metric.list, metric.list_wide});
  }
}

std::vector<Column> MakeRunColumns() {
  std::vector<Column> columns = {{"id", "ID"}, {"name", "NAME"}, {"state", "STATE"}, {"progress", "STEP"}};
  AddMetrics(/*wide=*/false, columns);
  for (const Column& column :
       {Column{"attempt", "ATTEMPT"}, {"checkpoint_step", "CHECKPOINT"}, {"reason", "REASON"}}) {
    columns.push_back(column);
  }
  AddMetrics(/*wide=*/true, columns);
  for (const Column& column :
       {Column{"eta_seconds", "ETA S", true}, {"run_dir", "RUN DIR", true}, {"updated", "UPDATED", true}}) {
    columns.push_back(column);
  }
  return columns;
}

}  // namespace

void BlockSignals() {
  const sigset_t mask = EndSignals();
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
}

absl::StatusOr<Followed> Follow(Client& client, const std::string& run, const FollowOptions& options) {
  return Follower(client, run, options).Follow();
}

int ExitCodeOf(const Followed& followed) {
  switch (followed.run.state()) {
    case v1::RunState::SUCCEEDED:
      return kOk;
    case v1::RunState::FAILED:
      return kRunFailed;
    case v1::RunState::CANCELLED:
      return kRunCancelled;
    case v1::RunState::HELD:
      return kRunHeld;
    case v1::RunState::PAUSED:
      return followed.interrupted ? kInterrupted : kPending;
    default:
      return followed.interrupted ? kInterrupted : kOk;
  }
}

const std::vector<Column>& RunColumns() {
  static const auto& columns = *new std::vector<Column>(MakeRunColumns());
  return columns;
}

}  // namespace galley::trainctl
