// How often recipes are prepared: once in each program on a recipe's way from trainctl over the controller to
// its ranks, and a test says so (tests/runs/prepare_count_test.cc).
#pragma once

namespace galley::prepare {

// Called by each preparation. For that test it also adds a line with the program's name to the file that
// GALLEY_PREPARATIONS names in the environment; in every other process it does nothing.
void CountPreparation();

}  // namespace galley::prepare
