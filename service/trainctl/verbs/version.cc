// trainctl version: of this program.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "service/trainctl/output/rows.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

std::function<int()> Declare(CLI::App&, const Globals& globals) {
  return [&globals] {
    if (globals.output == "table" || globals.output == "wide") {
      printf("galley %s\n", GALLEY_VERSION);
    } else {
      PrintRow(globals, {}, "version", {{"version", GALLEY_VERSION}});
    }
    return kOk;
  };
}

}  // namespace

constinit const Verb kVersionVerb = {"version", "Print the version", Declare};

}  // namespace galley::trainctl
