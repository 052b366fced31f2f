// trainctl data weights: a blend for the recipe, from sizes or from lists of other programs.
#include <CLI/CLI.hpp>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/tools/blend_weights.h"
#include "service/trainctl/data/input.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::vector<std::string> data_path;
  std::string data_args, per_split, file_list;
  std::vector<std::string> epochs;
  std::optional<double> alpha, temperature;
  std::optional<int64_t> tokens, samples, sequence_length;
};

// What was named, and sets for validation that came with it.
struct Lists {
  data::BlendList train;
  std::vector<data::BlendEntry> valid;
  bool has_test = false;
};

absl::Status TakeSplits(const data::SplitBlends& splits, const std::string& path, Lists& lists) {
  if (!splits.train.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": train is null; a recipe needs data to train on"));
  }
  lists.train = *splits.train;
  if (splits.valid.has_value()) lists.valid = splits.valid->entries;
  lists.has_test = splits.test.has_value();
  return absl::OkStatus();
}

absl::StatusOr<Lists> ReadLists(const Arguments& a) {
  const int given = static_cast<int>(!a.paths.empty()) + !a.data_path.empty() + !a.data_args.empty() +
                    !a.per_split.empty() + !a.file_list.empty();
  if (given != 1) {
    return absl::InvalidArgumentError(
        "data weights: give prefixes, or one of --data-path, --data-args-path, "
        "--per-split-data-args-path and --data-file-list");
  }
  Lists lists;
  if (!a.paths.empty()) {
    for (const std::string& path : a.paths) lists.train.entries.push_back({DatasetPrefixOf(path)});
    return lists;
  }
  if (!a.data_path.empty()) {
    ASSIGN_OR_RETURN(lists.train, data::ParseDataPath(absl::StrJoin(a.data_path, " "), "--data-path"));
    return lists;
  }
  const std::string& path = !a.data_args.empty()   ? a.data_args
                            : !a.per_split.empty() ? a.per_split
                                                   : a.file_list;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  if (!a.file_list.empty()) {
    ASSIGN_OR_RETURN(lists.train, data::ParseFileList(text, path));
    return lists;
  }
  // No prefix begins with a brace: a file of splits is known by it, whichever option names it.
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (!a.per_split.empty() || (first != std::string::npos && text[first] == '{')) {
    ASSIGN_OR_RETURN(const data::SplitBlends splits, data::ParsePerSplit(text, path));
    RETURN_IF_ERROR(TakeSplits(splits, path, lists));
    return lists;
  }
  ASSIGN_OR_RETURN(lists.train, data::ParseDataPath(text, path));
  return lists;
}

absl::StatusOr<data::WeighOptions> OptionsOf(const Arguments& a) {
  data::WeighOptions options{.alpha = a.alpha};
  if (a.temperature.has_value()) options.alpha = 1 / *a.temperature;
  for (const std::string& text : a.epochs) {
    const size_t equal = text.rfind('=');
    const std::string name = equal == std::string::npos ? "" : text.substr(0, equal);
    double epochs = 0;
    if (!absl::SimpleAtod(equal == std::string::npos ? text : text.substr(equal + 1), &epochs)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--epochs ", text, ": give a number for all, or SOURCE=NUMBER or CORPUS=NUMBER"));
    }
    options.epochs[name] = epochs;
  }
  if (a.samples.has_value() != a.sequence_length.has_value()) {
    return absl::InvalidArgumentError("data weights: --samples and --sequence-length go together");
  }
  options.tokens = a.tokens;
  if (a.samples.has_value()) {
    int64_t tokens = 0;
    if (__builtin_mul_overflow(*a.samples, *a.sequence_length, &tokens)) {
      return absl::InvalidArgumentError("data weights: --samples times --sequence-length is beyond a number");
    }
    options.tokens = tokens;
  }
  return options;
}

// As it is where YAML takes it for nothing else, else in quotes.
std::string YamlText(const std::string& text) {
  bool plain = !text.empty() &&
               (isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '/' || text[0] == '.');
  for (const char c : text)
    plain = plain && (isalnum(static_cast<unsigned char>(c)) != 0 || strchr("_-./+", c) != nullptr);
  return plain ? text : nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Distinct names for metrics, from the last part of the paths.
std::vector<std::string> NamesOf(const std::vector<data::BlendEntry>& entries) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const data::BlendEntry& entry : entries) {
    std::string name;
    for (const char c : BaseName(entry.path)) {
      name.push_back(isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' ? c : '_');
    }
    std::string distinct = name;
    for (int n = 2; !taken.insert(distinct).second; ++n) distinct = absl::StrCat(name, "_", n);
    names.push_back(std::move(distinct));
  }
  return names;
}

void PrintRecipe(const data::WeighedBlend& blend, const Lists& lists) {
  int64_t tokens = 0;
  for (const data::WeighedSource& source : blend.sources) tokens += source.tokens;
  absl::PrintF("# %d %s, %d tokens", blend.sources.size(), blend.sources.size() == 1 ? "source" : "sources",
               tokens);
  if (blend.tokens.has_value()) absl::PrintF("; epochs are those of a run of %d tokens", *blend.tokens);
  absl::PrintF("\ndata:\n  train:\n");
  for (const data::WeighedSource& source : blend.sources) {
    absl::PrintF("    - {path: %s, weight: %s}  # %d tokens, %.2f %% of the samples", YamlText(source.path),
                 data::NumberText(source.weight), source.tokens, source.share * 100);
    if (source.epochs.has_value()) absl::PrintF(", %.3g epochs", *source.epochs);
    absl::PrintF("%s%s\n", source.corpus.empty() ? "" : ", ", source.corpus);
  }
  if (!lists.valid.empty()) {
    const std::vector<std::string> names = NamesOf(lists.valid);
    absl::PrintF("  valid:\n");
    for (size_t i = 0; i < names.size(); ++i) {
      absl::PrintF("    - {name: %s, path: %s}\n", YamlText(names[i]), YamlText(lists.valid[i].path));
    }
  }
  if (!lists.valid.empty() || lists.has_test) absl::PrintF("  split: [1, 0, 0]\n");
}

void PrintNotes(const data::WeighedBlend& blend, const Lists& lists) {
  for (const std::string& path : blend.left_out) {
    fprintf(stderr, "trainctl: %s: left out, its weight is 0\n", path.c_str());
  }
  if (lists.train.weighted && blend.sources.size() == 1) {
    fprintf(stderr,
            "trainctl: one source with a weight; with order: megatron, add megatron: {blend_one_source: "
            "true} to be "
            "read as Megatron reads it\n");
  }
  if (lists.has_test)
    fprintf(stderr, "trainctl: the list's test sets are not for a recipe; name them to an evaluation\n");
}

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  ASSIGN_OR_RETURN(const Lists lists, ReadLists(arguments));
  ASSIGN_OR_RETURN(const data::WeighOptions options, OptionsOf(arguments));
  ASSIGN_OR_RETURN(const data::WeighedBlend blend, data::WeighBlend(lists.train, options));
  if (globals.output == "table" || globals.output == "wide" || globals.output == "yaml") {
    PrintRecipe(blend, lists);
  } else {
    std::vector<Row> rows;
    for (const data::WeighedSource& source : blend.sources) {
      rows.push_back({{"path", source.path},
                      {"weight", source.weight},
                      {"share", source.share},
                      {"documents", source.documents},
                      {"tokens", source.tokens},
                      {"epochs", source.epochs.has_value() ? Value(*source.epochs) : Value()},
                      {"corpus", source.corpus.empty() ? Value() : Value(source.corpus)}});
    }
    PrintRows(globals, {}, "path", rows);
  }
  PrintNotes(blend, lists);
  return absl::OkStatus();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  app.add_option("paths", a.paths,
                 "Prefixes of .bin and .idx; weighed by size unless an option says otherwise");
  app.add_option("--data-path", a.data_path, "Megatron's list: prefixes, or weights and prefixes in turn");
  app.add_option("--data-args-path", a.data_args,
                 "A file that holds such a list, or Megatron's JSON of splits");
  app.add_option("--per-split-data-args-path", a.per_split, "Megatron's JSON of train, valid and test lists");
  app.add_option("--data-file-list", a.file_list, "A file of lines: weight, prefix, corpus");
  app.add_option("--epochs", a.epochs,
                 "How often sources are read: a number for all, SOURCE=N or CORPUS=N; may be given again")
      ->allow_extra_args(false);
  CLI::Option* alpha =
      app.add_option("--alpha", a.alpha, "Weights by size to this power: 1 in proportion, 0 all alike");
  app.add_option("--temperature", a.temperature, "The same as --alpha 1/T")
      ->check(CLI::PositiveNumber)
      ->excludes(alpha);
  CLI::Option* tokens =
      app.add_option("--tokens", a.tokens, "Tokens that the run reads: epochs are counted for it")
          ->check(CLI::PositiveNumber);
  app.add_option("--samples", a.samples, "Samples that the run reads; with --sequence-length")
      ->check(CLI::PositiveNumber)
      ->excludes(tokens);
  app.add_option("--sequence-length", a.sequence_length, "Tokens of a sample")->check(CLI::PositiveNumber);
  return [arguments, &globals]() -> int {
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataWeightsVerb = {"data weights", "Print a blend of data sets for the recipe",
                                         Declare};

}  // namespace galley::trainctl
