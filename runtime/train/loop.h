// The loop over steps: step, evaluate, save, report, and the agreement of all ranks on when to stop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "galley/v1/rank.pb.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/link/client.h"
#include "runtime/plan/plan.h"
#include "runtime/train/batches.h"
#include "runtime/train/dataset.h"
#include "runtime/train/orders.h"
#include "runtime/train/restore.h"
#include "runtime/train/saver.h"
#include "runtime/train/step.h"

namespace galley::train {

// All of it built by rank.cc and outliving the loop.
struct LoopParts {
  const plan::Plan& plan;
  Stepper& stepper;
  const DataSet& data;
  Batches& batches;
  std::vector<ValidationSet>& validation;  // none when the recipe never evaluates
  Saver& saver;
  Orders& orders;
  link::Client& client;
  checkpoint::Facts origin;  // for manifests
  int64_t rank = 0;
  int64_t attempt = 1;
};

// Runs from `state` to the end of the plan, a stop or a failure. Every rank returns for the same step.
v1::Finished RunLoop(const LoopParts& parts, RunState state);

}  // namespace galley::train
