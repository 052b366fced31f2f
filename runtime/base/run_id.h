// Names of runs that nobody chose.
#pragma once

#include <string>

namespace galley {

// 8 characters of a-z and 2-7, of the system's random numbers: 40 bits, so that ids hardly ever meet.
std::string NewRunId();

}  // namespace galley
