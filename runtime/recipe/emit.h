// Node -> YAML and JSON.
#pragma once

#include <functional>
#include <string>

#include "runtime/recipe/node.h"

namespace galley::recipe {

// Block YAML of a map; lists of single values in one line. `comment` gives the text after a value's '#', by
// path; none when it is empty.
std::string EmitYaml(const Node& map, const std::function<std::string(const std::string& path)>& comment);

// One line: "6", "[95, 5, 0]".
std::string EmitInline(const Node& value);

}  // namespace galley::recipe
