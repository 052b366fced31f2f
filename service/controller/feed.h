// Who looks on: a watcher of one run. Calls come in order, under the controller's lock: they must not block
// and must not call back.
#pragma once

#include "galley/v1/controller.pb.h"

namespace galley::service {

class Feed {
 public:
  virtual ~Feed() = default;
  virtual void OnEvent(const v1::EventMessage&) {}
  virtual void OnSummary(const v1::RunSummary&) {}
  virtual void OnStep(const v1::StepReport&) {}
  virtual void OnEnd() = 0;  // the run stands still; nothing more comes
};

// The way down to a node. Same rules.
class NodeLink {
 public:
  virtual ~NodeLink() = default;
  virtual void Send(const v1::NodeOrder& order) = 0;
};

}  // namespace galley::service
