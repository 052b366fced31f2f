// The wire version (Wire in node.proto) that trainctl and a controller tell each other in the metadata of
// every call. Neither could make sense of the other's messages, which both would take for empty ones, if they
// differ.
#pragma once

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace galley::view {

inline constexpr char kWireKey[] = "galley-wire-version";

// 0, the version before there were any, where nothing is said. Metadata: gRPC's map of a call's texts.
template <class Metadata>
int WireVersionIn(const Metadata& metadata) {
  const auto found = metadata.find(kWireKey);
  int version = 0;
  if (found == metadata.end()) return 0;
  const absl::string_view text(found->second.data(), found->second.size());
  return absl::SimpleAtoi(text, &version) ? version : 0;
}

}  // namespace galley::view
