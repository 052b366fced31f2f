// The ranks of one attempt on this node, from spawn (or adoption) to the last exit record.
// Lives on the event loop.
//
//   spawn:  fork held children -> state file -> let them run. So no rank ever runs that a restarted
//           trainerd does not know of, and none runs twice.
//   death:  a rank that ends in any other way than after Finished{COMPLETED, STOPPED} with status 0 makes
//           the others useless: they get Abort at once, and SIGKILL kAbortGrace later.
//   end:    a rank's exit record is written once its process has ended and its connection has been read to
//           the end, so Finished and the last steps are never behind the exit.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "galley/v1/node.pb.h"
#include "runtime/base/event_loop.h"
#include "runtime/base/subprocess.h"
#include "runtime/link/server.h"
#include "service/node/sinks.h"
#include "service/node/spool.h"
#include "service/node/watchdog.h"

namespace galley::service {

inline constexpr absl::Duration kAbortGrace = absl::Seconds(2);

// What an attempt needs of its node.
class AttemptHost {
 public:
  virtual ~AttemptHost() = default;
  virtual EventLoop& loop() = 0;
  virtual link::Server& server() = 0;
  virtual const std::string& rank_binary() const = 0;
  virtual const std::string& socket_path() const = 0;
  virtual std::string StatePath(const std::string& run_id) const = 0;
  virtual RunSinks& SinksOf(const v1::EnsureAttempt& ensure) = 0;
  virtual void Report(v1::NodeReport report, Spool::Keep keep) = 0;
  virtual void Tell(v1::NodeReport report) = 0;  // at once or not at all: it is told again at each attach
  // A step for the controller to look at; the newest wins, but one that `counts` is never passed over.
  virtual void Sample(v1::RankReport step, bool counts) = 0;
  virtual void Over(const std::string& run_id, int64_t attempt) = 0;  // the last rank has ended. Called once
};

class Attempt {
 public:
  explicit Attempt(AttemptHost& host, v1::EnsureAttempt ensure);
  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void Start();                                  // once; a rank that cannot be started is a rank that exited
  void Adopt(const v1::AttemptState& state);     // instead of Start
  void Order(int rank, const v1::Order& order);  // -1: all ranks
  void Attached();                               // tells the controller what it must know and may have lost
  void Committed(int64_t step);                  // no shard up to it is told any more
  void Stop(const std::string& reason);          // Abort now, SIGKILL after the grace
  void Kill();                                   // SIGKILL now

  // From the link. False: this pid is no living rank of this attempt.
  bool Hello(link::Session session, const v1::Hello& hello);
  void OnReport(link::Session session, uint64_t sequence, const v1::Report& report);
  void OnDisconnect(link::Session session);
  void OnOrderTaken(link::Session session, uint64_t sequence);

  const std::string& run_id() const { return ensure_.run_id(); }
  int64_t number() const { return ensure_.attempt(); }
  bool over() const { return living_ == 0 && began_; }

 private:
  struct Rank {
    Process process;
    bool living = false;              // no exit record yet
    std::optional<Process::End> end;  // the process has ended; its connection may still hold reports
    link::Session session = 0;        // 0: never connected
    bool connected = false;
    std::deque<v1::Order> waiting;       // for the first connection
    std::optional<std::string> address;  // of Ready
    bool has_peers = false;
    // By step, until their checkpoint is committed, where rank 0 lives on another node.
    std::map<int64_t, v1::ShardReport> shards;
    std::optional<v1::Finished> finished;
    int64_t step = 0;
  };

  bool HostsAll() const;
  v1::Start StartOf(int number) const;
  Rank* Of(link::Session session, int* number);
  void Watch(int number);
  void ProcessEnded(int number);
  void Finish(int number);  // writes the exit record
  void EndAttempt();
  void AbortOthers(const std::string& reason);
  void SendOrder(Rank& rank, const v1::Order& order);
  void CheckHang();
  void StartWatchdog();
  void SaveState();
  absl::Status SpawnAll();

  void TakeReady(int number, Rank& rank, const v1::Report& report);
  void TellReady(int number, const Rank& rank);
  void TellShard(int number, const v1::ShardReport& shard);
  void TakeStep(int number, Rank& rank, link::Session session, uint64_t sequence, const v1::Report& report);
  void TakeShard(int number, Rank& rank, uint64_t sequence, const v1::ShardReport& report);
  struct HeldShard {
    link::Session session;
    uint64_t sequence;
    v1::ShardReport report;
  };
  void ForwardShard(HeldShard shard);
  v1::NodeReport FromRank(int number, const v1::Report& report) const;
  void Up(int number, const v1::Report& report, Spool::Keep keep);

  AttemptHost& host_;
  v1::EnsureAttempt ensure_;
  std::map<int, Rank> ranks_;
  int living_ = 0;
  bool began_ = false;
  bool aborting_ = false;
  Watchdog watchdog_;
  EventLoop::Timer watchdog_timer_ = 0;
  EventLoop::Timer kill_timer_ = 0;
  // A shard report is done when rank 0 has taken it: (rank 0's order number) -> whom to tell.
  std::map<uint64_t, std::pair<link::Session, uint64_t>> shards_;
  std::vector<HeldShard> held_shards_;  // for rank 0's first connection
  // Posted callbacks hold it too: false once gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Path of a rank's log, "<run_dir>/logs/attempt-2.rank-0.log".
std::string RankLog(const std::string& run_dir, int64_t attempt, int rank);
// The last lines of a file, at most `bytes`, as valid UTF-8.
std::string LogTail(const std::string& path, size_t bytes = 4096);

}  // namespace galley::service
