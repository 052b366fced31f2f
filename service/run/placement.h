// The nodes of an attempt, and which ranks each of them hosts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace galley::service {

struct Placement {
  struct Node {
    std::string name;
    std::vector<int32_t> ranks;
    bool gone = false;  // none of them lives there any more
    bool operator==(const Node&) const = default;
  };
  std::vector<Node> nodes;  // in the order of their ranks; empty: nothing was ever placed

  bool live() const {
    return std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return !node.gone; });
  }
  // Some of its nodes have been left, but not all.
  bool partly_gone() const {
    return live() && std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return node.gone; });
  }
  // nullptr: hosts none of its ranks.
  const Node* Find(absl::string_view name) const {
    const auto found =
        std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == name; });
    return found == nodes.end() ? nullptr : &*found;
  }
  // Whether ranks may live there now.
  bool LivesOn(absl::string_view name) const {
    const Node* node = Find(name);
    return node != nullptr && !node->gone;
  }
  // Empty: nobody hosts the rank.
  std::string HostOf(int32_t rank) const {
    for (const Node& node : nodes) {
      if (std::find(node.ranks.begin(), node.ranks.end(), rank) != node.ranks.end()) return node.name;
    }
    return "";
  }
  std::string Names() const {  // "a, b"
    return absl::StrJoin(nodes, ", ", [](std::string* out, const Node& node) { out->append(node.name); });
  }
  bool operator==(const Placement&) const = default;
};

}  // namespace galley::service
