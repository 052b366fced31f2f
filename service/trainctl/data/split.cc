// trainctl data split: one data set to several, by documents.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/status.h"
#include "service/trainctl/data/input.h"
#include "service/trainctl/data/rewritten.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::string path;
  std::string output;
  std::vector<double> shares;
  std::vector<std::string> names;
  data::Cut cut;
};

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  data::Cut cut = arguments.cut;
  cut.shares = arguments.shares;
  if (static_cast<int>(!cut.shares.empty()) + (cut.parts > 0) + (cut.documents > 0) != 1) {
    return absl::InvalidArgumentError("data split: give one of --shares, --parts and --documents");
  }
  const size_t named = arguments.names.size();
  const auto prefix_of = [&](int64_t part, int64_t parts) {
    if (named > 0) return absl::StrCat(arguments.output, "_", arguments.names[static_cast<size_t>(part)]);
    // As wide as the last, so that names sort as the parts do.
    const int width = static_cast<int>(absl::StrCat(parts - 1).size());
    return absl::StrFormat("%s_%0*d", arguments.output, width, part);
  };
  if (named > 0) {
    const auto expected = cut.shares.empty() ? static_cast<size_t>(cut.parts) : cut.shares.size();
    if (named != expected) {
      return absl::InvalidArgumentError(absl::StrCat("data split: ", named, " --names for ", expected,
                                                     " parts; give one for each, and --shares or --parts"));
    }
  }
  ByteProgress line;
  ASSIGN_OR_RETURN(
      const data::RewriteReport report,
      data::SplitDataset(DatasetPrefixOf(arguments.path), cut, prefix_of,
                         [&line](const data::RewriteProgress& p) { line.Show(p.bytes, p.total); }));
  PrintRewritten(report, /*many=*/true, globals);
  return absl::OkStatus();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  app.add_option("path", a.path, "Prefix of .bin and .idx, or one of the two files")->required();
  app.add_option("--output-prefix", a.output, "P writes P_0, P_1, ..., or P_NAME with --names")->required();
  app.add_option("--shares", a.shares, "Shares of the documents, such as 949,50,1")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--parts", a.cut.parts, "So many parts, of equal numbers of documents")
      ->check(CLI::Range(1, 100000));
  app.add_option("--documents", a.cut.documents, "So many documents in a part")->check(CLI::PositiveNumber);
  app.add_option("--names", a.names, "Names of the parts, such as train,valid,test")
      ->delimiter(',')
      ->allow_extra_args(false);
  return [arguments, &globals]() -> int {
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataSplitVerb = {"data split", "Cut a data set apart by documents, in their order",
                                       Declare};

}  // namespace galley::trainctl
