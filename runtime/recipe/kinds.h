// Names of kinds, as recipes spell them.
#pragma once

#include <string>

#include "runtime/recipe/spec.h"

namespace galley::recipe {

std::string NameOf(LauncherKind kind);
std::string NameOf(ExporterKind kind);

}  // namespace galley::recipe
