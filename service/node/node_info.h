// What trainerd says of its machine.
#pragma once

#include "absl/strings/string_view.h"
#include "galley/v1/node.pb.h"

namespace galley::service {

// The name falls back to the host's.
v1::NodeInfo DescribeNode(absl::string_view name, absl::string_view incarnation);

}  // namespace galley::service
