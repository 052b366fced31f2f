// The stream to the controller: opened again with back-off for as long as it takes. Lives on the event loop;
// gRPC's threads only post to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "galley/v1/node.pb.h"
#include "runtime/base/event_loop.h"

namespace galley::service {

class Uplink {
 public:
  struct Callbacks {               // on the loop
    std::function<void()> opened;  // a new stream: send hello and all that is not acknowledged
    std::function<void(const v1::NodeOrder&)> order;
    std::function<void()> closed;
  };
  struct Target {
    std::string address;     // unix:PATH or host:port
    std::string token_file;  // shown to the controller; empty: none. Open to others: kPermissionDenied
    std::string tls_ca;      // PEM of who signed the controller's certificate; empty: no TLS
  };
  // Both files are read here, once. kInvalidArgument for an address beyond this machine without both.
  static absl::StatusOr<std::unique_ptr<Uplink>> Connect(EventLoop& loop, const Target& target,
                                                         Callbacks callbacks);
  virtual ~Uplink() = default;  // ends the stream and waits for gRPC to let go of it

  // Queued in order; forgotten when the stream breaks.
  virtual void Send(const v1::NodeReport& report) = 0;
  virtual size_t queued() const = 0;
  virtual bool open() const = 0;
  virtual absl::Duration away() const = 0;  // since the controller was last heard; zero while it is there
};

}  // namespace galley::service
