// A rank that trains: from the Start order to its Finished report. Builds everything once (plan, group,
// engine, loader, saver), restores, and runs the loop.
#pragma once

#include "galley/v1/rank.pb.h"
#include "runtime/link/client.h"

namespace galley::train {

// Returns why it ended; the caller sends it. Blocks until then.
v1::Finished RunRank(link::Client& client, const v1::Start& start);

}  // namespace galley::train
