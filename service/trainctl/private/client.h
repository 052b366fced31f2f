// The controller, from trainctl's side. Errors carry the code of the exit: kUnavailable when no controller
// answers, else what the controller said.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "galley/v1/controller.pb.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

// What a call to a controller beyond this machine brings along.
struct Credentials {
  std::string token_file;  // GALLEY_TOKEN_FILE
  std::string tls_ca;      // GALLEY_TLS_CA: certificates to trust, PEM
};

class Client {
 public:
  // --controller, GALLEY_CONTROLLER or the user's socket. Does not connect yet.
  static absl::StatusOr<std::unique_ptr<Client>> Open(const Globals& globals);
  static absl::StatusOr<std::unique_ptr<Client>> Open(const std::string& address,
                                                      const Credentials& credentials);
  virtual ~Client() = default;

  virtual absl::StatusOr<v1::VersionReply> Version(absl::Duration timeout) = 0;  // waits for the controller
  virtual absl::StatusOr<v1::SubmitReply> Submit(const v1::SubmitRequest& request) = 0;
  virtual absl::StatusOr<v1::RunSummary> Get(const std::string& run) = 0;
  virtual absl::StatusOr<v1::ListReply> List(const v1::ListRequest& request) = 0;
  virtual absl::StatusOr<v1::RunSummary> Stop(const v1::StopRequest& request) = 0;
  virtual absl::StatusOr<v1::RunSummary> Resume(const v1::ResumeRequest& request) = 0;
  virtual absl::StatusOr<v1::SaveReply> Save(const v1::SaveRequest& request, absl::Duration timeout) = 0;
  virtual absl::StatusOr<v1::CheckpointsReply> Checkpoints(const std::string& run) = 0;
  virtual absl::StatusOr<v1::NodesReply> Nodes() = 0;

  // Streams: `take` is called for each message until the stream ends, `take` says false, or the time is
  // over, which is kDeadlineExceeded.
  virtual absl::Status Watch(const v1::WatchRequest& request, absl::Duration timeout,
                             const std::function<bool(const v1::WatchReply&)>& take) = 0;
  virtual absl::Status Events(const v1::EventsRequest& request,
                              const std::function<bool(const v1::EventMessage&)>& take) = 0;
  virtual absl::Status Logs(const v1::LogsRequest& request,
                            const std::function<bool(const v1::LogChunk&)>& take) = 0;

  // From any thread: every stream that runs now ends with kCancelled.
  virtual void CancelStreams() = 0;
  virtual const std::string& address() const = 0;
};

}  // namespace galley::trainctl
