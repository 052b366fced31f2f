// Where the sources and the built programs are. Functions, not macros: a path on the command line of every
// test would keep ccache from sharing objects between checkouts.
#pragma once

#include <string>

namespace galley {

std::string SourceDir();  // the repository
std::string BinDir();     // built programs

}  // namespace galley
