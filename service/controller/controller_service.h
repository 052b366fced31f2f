// What users call: thin handlers that read, ask Core and reply.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "galley/v1/controller.grpc.pb.h"
#include "service/controller/core.h"
#include "service/controller/gate.h"

namespace galley::service {

grpc::Status ToGrpc(const absl::Status& status);

// Both must outlive it. Its destructor waits for every handler's work.
std::unique_ptr<v1::Controller::CallbackService> MakeControllerService(Core& core, const Gate& gate,
                                                                       const std::string& state_dir);

}  // namespace galley::service
