// trainctl data merge: several data sets to one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "service/trainctl/data/input.h"
#include "service/trainctl/data/rewritten.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string output;
};

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  std::vector<std::string> prefixes;
  for (const std::string& path : arguments.paths) prefixes.push_back(DatasetPrefixOf(path));
  ByteProgress line;
  ASSIGN_OR_RETURN(const data::RewriteReport report,
                   data::MergeDatasets(prefixes, arguments.output, [&line](const data::RewriteProgress& p) {
                     line.Show(p.bytes, p.total);
                   }));
  PrintRewritten(report, /*many=*/false, globals);
  return absl::OkStatus();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("paths", arguments->paths,
                 "Prefixes of .bin and .idx, or one of the two files each; in this order")
      ->required();
  app.add_option("--output-prefix", arguments->output, "P writes P.bin and P.idx")->required();
  return [arguments, &globals]() -> int {
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataMergeVerb = {"data merge", "Put data sets together, one after the other", Declare};

}  // namespace galley::trainctl
