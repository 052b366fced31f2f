// Messages between the ranks of a group over UCX tag matching, and the one place where a lost peer or an
// abort ends the waiting.
//
// A collective is BeginCollective, any number of Send, Recv, Take and Progress, then EndCollective. Messages
// of one pair in one collective are matched in order. When Progress fails the group is broken: posted
// receives have been taken back, the peers have been told, and everything after fails with the same status.
//
// One thread at a time, but for Abort. Nothing of ours is allocated after Connect (UCX grows its own pools
// when more messages than ever are in flight).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/comm/liveness.h"
#include "runtime/comm/ucx_group.h"

namespace galley::comm {

// A message in flight.
struct Transfer {
  class Messenger* owner = nullptr;
  void* request = nullptr;  // UCX's, while not done
  int64_t bytes = 0;
  int peer = 0;
  bool receives = false;
  bool in_use = false;
  bool done = false;  // never, when it failed: nothing may be built on what it should have brought
};

class Messenger {
 public:
  static absl::StatusOr<std::unique_ptr<Messenger>> Create(const UcxOptions& options);
  ~Messenger();
  const std::string& address() const { return address_; }
  absl::Status Connect(int rank, const std::vector<std::string>& addresses);

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(peers_.size()); }

  absl::Status BeginCollective();
  Transfer* Send(int to, const void* data, int64_t bytes);
  Transfer* Recv(int from, void* data, int64_t bytes);
  // When `transfer` is done: gives it back, sets the pointer to null and returns true. Null counts as done.
  static bool Take(Transfer*& transfer);
  // Lets messages move. Yields the processor, then sleeps for moments, when nothing moves for long.
  absl::Status Progress();
  // Until all that was sent is on its way without further help from this process.
  absl::Status EndCollective();

  void Abort(const std::string& reason);

  struct Ucx;  // what UCX keeps for us; defined in messenger.cc

 private:
  // The last words of a rank to each of its peers. The rank that a failure began with is passed on, so that
  // all name the same one.
  struct Notice {
    enum Kind : uint32_t { kNone, kLeft, kLost, kGaveUp };
    uint32_t kind = kNone;
    int32_t about = -1;     // the rank that left, was lost, or was aborted
    uint32_t sequence = 0;  // the last collective that the speaker took part in
  };
  struct Hello {
    uint64_t cookie = 0;
    int32_t rank = 0;
    int32_t size = 0;
  };
  struct Peer {
    Messenger* owner = nullptr;
    void* endpoint = nullptr;
    bool reports_failure = false;  // UCX tells of its loss
    bool lost = false;
    Notice notice;  // once notice_came
    bool notice_came = false;
    void* notice_request = nullptr;
    Hello hello;
    Transfer* hello_out = nullptr;
    Transfer* hello_in = nullptr;
    bool greeted = false;  // its hello has come
    std::array<Transfer*, 2> early_out{};
    std::array<Transfer*, 2> early_in{};
  };
  friend struct Ucx;

  explicit Messenger(const UcxOptions& options);
  absl::Status Open();
  absl::Status ConnectPeers(const std::vector<std::string>& addresses);
  absl::Status Greet();
  bool Greeted(int peer);
  absl::Status GreetingFailure(int peer) const;
  absl::Status GreetingTimeout() const;
  Transfer* Claim(int peer, int64_t bytes, bool receives);
  void Completed(Transfer* transfer, int ucs_status, int64_t bytes);
  void Failed(int peer, const char* why);
  void ListenForNotice(int peer);
  absl::Status CheckPeers();
  absl::Status Break(absl::Status status, Notice::Kind kind, int about);
  void Drain();
  void Leave();
  void DropEndpoints();
  void SayFarewell(int64_t patience_ns);

  const UcxOptions options_;
  int rank_ = 0;
  std::string address_;
  Liveness liveness_;
  std::vector<Peer> peers_;  // by rank
  std::vector<Transfer> transfers_;
  Hello hello_;               // ours
  std::vector<char> early_;   // while connecting
  Notice farewell_;           // ours
  int unsaid_ = 0;            // messages of the farewell that are not yet on their way
  std::unique_ptr<Ucx> ucx_;  // last: the worker goes before what its callbacks write to

  bool connected_ = false;
  uint32_t sequence_ = 0;  // of the collective in progress or, between two, of the last one
  absl::Status broken_;
  absl::Status transfer_error_;  // the ranks disagree about a message
  absl::Status failure_;         // of a message on this host, while its cause is not known
  int64_t failed_at_ns_ = 0;
  int64_t idle_ = 0;
  int64_t busy_ = 0;
  int64_t next_check_ns_ = 0;

  std::atomic<bool> abort_requested_{false};
  std::mutex abort_mutex_;
  std::string abort_reason_;  // guarded by abort_mutex_
};

}  // namespace galley::comm
