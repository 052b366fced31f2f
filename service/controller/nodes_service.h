// What trainerds call.
#pragma once

#include "galley/v1/node.grpc.pb.h"
#include "service/controller/core.h"
#include "service/controller/gate.h"

namespace galley::service {

class NodesService : public v1::Nodes::CallbackService {
 public:
  NodesService(Core& core, const Gate& gate) : core_(core), gate_(gate) {}
  grpc::ServerBidiReactor<v1::NodeReport, v1::NodeOrder>* Attach(
      grpc::CallbackServerContext* context) override;

 private:
  Core& core_;
  const Gate& gate_;
};

}  // namespace galley::service
