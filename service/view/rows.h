// The controller's answers as rows, for the command line and every other page.
#pragma once

#include "galley/v1/controller.pb.h"
#include "service/view/row.h"

namespace galley::view {

// The metrics of metric.h that `status` names are among its keys.
Row RowOf(const v1::RunSummary& run);
Row RowOf(const v1::EventMessage& event);
Row RowOf(const v1::NodeMessage& node, absl::Time now);
Row RowOf(const v1::SubmitReply& submitted, const std::string& name);
Row RowOf(const v1::SaveReply& saved);

// Who told of a run: one whose daemons have ended is read from its directory.
enum class ReadFrom { kController, kRunDirectory };
Row StatusOf(const v1::RunSummary& run, ReadFrom source);  // RowOf, and the source

}  // namespace galley::view
