// The controller's answers as rows, for the command line and every other page.
#pragma once

#include "galley/v1/controller.pb.h"
#include "service/view/row.h"

namespace galley::view {

// The metrics of metric.h that `status` names are among its keys.
Row RowOf(const v1::RunSummary& run);
Row RowOf(const v1::EventMessage& event);
Row RowOf(const v1::NodeMessage& node);

}  // namespace galley::view
