// Names of kinds, as recipes spell them.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

std::string NameOf(LauncherKind kind);
std::string NameOf(ExporterKind kind);
std::optional<LauncherKind> LauncherNamed(absl::string_view name);

}  // namespace galley::recipe
