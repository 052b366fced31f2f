// trainerd's end of the link: listens on a Unix socket that every rank of this node connects to. It lives on
// an EventLoop: every call must come from the loop's thread, and every callback is made there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "galley/v1/rank.pb.h"
#include "runtime/base/event_loop.h"

namespace galley::link {

// One rank process, over all its connections (the client's random session number).
using Session = uint64_t;

class Handler {
 public:
  virtual ~Handler() = default;
  // A rank connected (or came back). hello.pid is checked against what the kernel says of the peer. An error
  // closes the connection; its message goes to the rank as an Abort order first.
  virtual absl::Status OnHello(Session session, const v1::Hello& hello) = 0;
  // Each numbered report once for each server, in order. Call Server::Done(session, sequence) when it need
  // not come again. sequence 0: a Ready or Heartbeat, needs no Done.
  virtual void OnReport(Session session, uint64_t sequence, v1::Report report) = 0;
  // The connection ended; the rank may come back. Orders not acknowledged are kept for it.
  virtual void OnDisconnect(Session session) = 0;
  // The rank has taken the order that Send numbered so.
  virtual void OnOrderTaken(Session session, uint64_t sequence) = 0;
};

class Server {
 public:
  // Binds `path` (at most 107 bytes; its folder is made 0700 if missing, the socket is 0600). A socket nobody
  // listens on is replaced; one that answers is kAlreadyExists.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(EventLoop& loop, const std::string& path,
                                                        Handler& handler);
  virtual ~Server() = default;  // closes all connections and removes the socket

  // Queues an order and gives its number. It is sent again after a reconnection until the rank takes it.
  // REQUIRES: OnHello has accepted the session and Forget has not been called.
  virtual uint64_t Send(Session session, const v1::Order& order) = 0;
  // The report need not come again. Any order of calls; acknowledged up to the first one not done.
  virtual void Done(Session session, uint64_t sequence) = 0;
  virtual void Forget(Session session) = 0;  // the rank has ended
};

}  // namespace galley::link
