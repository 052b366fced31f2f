// trainerd: carries out the controller's orders on this machine and tells it what happens. Everything lives
// on one event loop; only the sinks' threads and gRPC's stand beside it.
#pragma once

#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "galley/v1/node.pb.h"
#include "runtime/base/event_loop.h"
#include "runtime/base/file_lock.h"
#include "runtime/link/server.h"
#include "service/node/attempt.h"
#include "service/node/sinks.h"
#include "service/node/spool.h"
#include "service/node/uplink.h"

namespace galley::service {

struct NodeOptions {
  Uplink::Target controller;
  std::string state_dir;    // absolute; made 0700
  std::string name;         // empty: the host's
  std::string rank_binary;  // path of galley-rank
  // Belongs to one `trainctl train`: no controller for this long ends it and its ranks. Infinite: never.
  absl::Duration orphan_limit = absl::InfiniteDuration();
};

class Node : public link::Handler, public AttemptHost {
 public:
  // Takes the state folder (kAlreadyExists when another trainerd has it), adopts what lives, and dials.
  static absl::StatusOr<std::unique_ptr<Node>> Create(EventLoop& loop, NodeOptions options);
  ~Node() override;

  // Lets ranks save and leave (Stop with save), kills what is left after `grace`, then calls `done`. grace
  // zero: kill at once.
  void StopAll(const std::string& reason, absl::Duration grace, std::function<void()> done);
  // Called when the controller orders Shutdown, or stays away for orphan_limit: stop all and exit.
  void OnShutdown(std::function<void(const std::string& reason)> callback) {
    on_shutdown_ = std::move(callback);
  }

  // link::Handler
  absl::Status OnHello(link::Session session, const v1::Hello& hello) override;
  void OnReport(link::Session session, uint64_t sequence, v1::Report report) override;
  void OnDisconnect(link::Session session) override;
  void OnOrderTaken(link::Session session, uint64_t sequence) override;

  // AttemptHost
  EventLoop& loop() override { return loop_; }
  link::Server& server() override { return *server_; }
  const std::string& rank_binary() const override { return options_.rank_binary; }
  const std::string& socket_path() const override { return socket_path_; }
  std::string StatePath(const std::string& run_id) const override;
  RunSinks& SinksOf(const v1::EnsureAttempt& ensure) override;
  void Report(v1::NodeReport report, Spool::Keep keep) override;
  void Tell(v1::NodeReport report) override;
  void Sample(v1::RankReport step, bool counts) override;
  void Over(const std::string& run_id, int64_t attempt) override;

 private:
  struct Run {
    int64_t highest = 0;                    // attempt seen, started here or stopped
    std::unique_ptr<Attempt> attempt;       // of number `highest` or lower; kept once it is over
    std::optional<v1::EnsureAttempt> next;  // waits for the end of `attempt`
    std::unique_ptr<RunSinks> sinks;
    std::optional<v1::RankReport> sample;  // newest step not yet sent up
  };

  Node(EventLoop& loop, NodeOptions options, FileLock lock, Spool spool);
  absl::Status Begin();
  absl::Status LoadStates();
  void Attached();
  void OnOrder(const v1::NodeOrder& order);
  void Ensure(const v1::EnsureAttempt& ensure);
  void EnsureStopped(const v1::EnsureStopped& stopped);
  void PassOrder(const v1::RankOrder& order);
  void StartNext(Run& run);
  void AnswerStopped(const std::string& run_id, int64_t attempt);
  void SendSample(Run& run);
  void SendSamples();
  void SendMetricsAddress(const std::string& run_id, const Run& run);
  void CheckOrphaned();
  void MaybeAllStopped();
  bool AnyLiving() const;

  EventLoop& loop_;
  const NodeOptions options_;
  const FileLock lock_;
  v1::NodeInfo info_;
  std::string socket_path_;
  Spool spool_;
  std::unique_ptr<link::Server> server_;
  std::map<std::string, Run> runs_;                // by run id
  std::map<link::Session, std::string> sessions_;  // -> run id
  std::unique_ptr<Uplink> uplink_;
  std::list<std::future<void>> closing_;  // sinks of old runs
  EventLoop::Timer sample_timer_ = 0;     // 0: none set
  EventLoop::Timer orphan_timer_ = 0;
  EventLoop::Timer stop_timer_ = 0;
  bool stopping_ = false;
  std::function<void()> all_stopped_;
  std::function<void(const std::string&)> on_shutdown_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace galley::service
