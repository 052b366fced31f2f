// One that the code has of each kind of change that docs/changing/README.md counts, and the toys of tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/changing/count.h"

namespace galley {

const std::vector<Example>& Examples();

// Which lines of an example a toy of tests has the like of.
struct Toy {
  std::string change;                                // the example's
  std::vector<std::pair<std::string, Lines>> taken;  // the product's file, and the toy's lines for it
};

const std::vector<Toy>& Toys();

}  // namespace galley
