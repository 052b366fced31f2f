// The rank's end of the link to its trainerd. One background thread owns the socket: it connects, reconnects
// with back-off, writes reports and reads orders. No call but WaitOrder and Flush ever waits, so training
// goes on, step after step, while trainerd is away.
//
// What happens to a report (delivery is at least once and in order):
//   StepReport, ShardReport, CheckpointCommitted, Training, Finished, Notice
//       numbered and kept until trainerd acknowledges them; a restarted trainerd gets them again. When the
//       spool is full the oldest StepReports go first, and a Notice REPORTS_DROPPED tells how many.
//   Ready      kept for good and sent again at the start of every connection, after Hello.
//   Heartbeat  not passed to Send: SetProgress keeps the newest, and the thread sends it when it changes (at
//       most 20 a second) and at least once a second. trainerd's hang watchdog lives on these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "galley/v1/rank.pb.h"

namespace galley::link {

struct ClientOptions {
  size_t spool_bytes = size_t{64} << 20;  // of reports not yet acknowledged
  size_t max_orders = 1024;               // more waiting orders than this: the socket is not read
  absl::Duration heartbeat = absl::Seconds(1);
  absl::Duration first_retry = absl::Milliseconds(10);  // doubles up to last_retry
  absl::Duration last_retry = absl::Seconds(1);
};

class Client {
 public:
  // Starts the thread and returns at once; `path` need not exist yet. `hello` is sent at the start of every
  // connection; its pid and session are filled in here.
  static std::unique_ptr<Client> Connect(std::string path, v1::Hello hello, ClientOptions options = {});
  virtual ~Client() = default;  // drops what is not sent: Flush first

  // Never blocks on the socket. REQUIRES: the report is set, is neither Hello nor Heartbeat, and
  // is no longer than kMaxPayload.
  virtual void Send(v1::Report report) = 0;

  // Where this rank is; any change of the three counts as progress. step: the last finished one. item: counts
  // things done within the phase, such as evaluation batches.
  virtual void SetProgress(v1::Phase::Value phase, int64_t step, int64_t item = 0) = 0;

  // The next order, in the order sent. Start and Peers come once; a repeated Save, Stop, Abort or ShardReport
  // is possible (after a lost acknowledgement), so handling one twice must do no harm.
  virtual std::optional<v1::Order> Poll() = 0;
  virtual std::optional<v1::Order> WaitOrder(absl::Duration timeout) = 0;  // nullopt: timed out

  // True when every report sent so far is acknowledged before `timeout`. Call it before the process ends.
  virtual bool Flush(absl::Duration timeout) = 0;

  virtual bool connected() const = 0;
  // Zero while connected; else the time since the connection was lost, or since Connect.
  virtual absl::Duration away() const = 0;
};

}  // namespace galley::link
