// trainctl data inspect: what an indexed data set holds, a document's text, and what a run's step saw.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/store/indexed_dataset.h"
#include "runtime/tokenizer/tokenizer.h"
#include "service/trainctl/data/inspect_step.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string path;
  InspectStep step;
  std::optional<int64_t> document;
  std::string tokenizer;
};

void Print(const Json& json, const Globals& globals) {
  printf("%s\n",
         json.dump(globals.output == "json" ? 2 : -1, ' ', false, Json::error_handler_t::replace).c_str());
}

absl::Status PrintSummary(const data::IndexedDataset& set, const Globals& globals) {
  RETURN_IF_ERROR(set.Verify());
  ASSIGN_OR_RETURN(const uint64_t fingerprint, set.Fingerprint());
  const int64_t bytes = set.tokens() * data::ItemSize(set.type());
  const std::string type(data::Name(set.type()));
  if (IsJson(globals)) {
    Print({{"path", set.prefix()},
           {"documents", set.documents()},
           {"sequences", set.sequences()},
           {"tokens", set.tokens()},
           {"token_type", type},
           {"bin_bytes", bytes},
           {"multimodal", set.multimodal()},
           {"fingerprint", Hex(fingerprint)}},
          globals);
  } else if (globals.output == "name") {
    printf("%s\n", set.prefix().c_str());
  } else {
    const double mean =
        set.documents() > 0 ? static_cast<double>(set.tokens()) / static_cast<double>(set.documents()) : 0;
    absl::PrintF(
        "PATH         %s\nDOCUMENTS    %d\nSEQUENCES    %d\nTOKENS       %d (%.1f a document)\n"
        "TOKEN TYPE   %s\nBIN          %d bytes\nFINGERPRINT  %s\n",
        set.prefix(), set.documents(), set.sequences(), set.tokens(), mean, type, bytes, Hex(fingerprint));
  }
  return absl::OkStatus();
}

absl::Status PrintDocument(const data::IndexedDataset& set, const Arguments& arguments,
                           const Globals& globals) {
  const int64_t document = *arguments.document;
  if (document < 0 || document >= set.documents()) {
    return absl::NotFoundError(absl::StrCat(set.idx_path(), ": no document ", document, "; it holds ",
                                            set.documents(), ", numbered from 0"));
  }
  ASSIGN_OR_RETURN(const data::Range range, set.DocumentTokens(document));
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, set.ReadTokens(range));
  std::optional<std::string> text;
  if (!arguments.tokenizer.empty()) {
    ASSIGN_OR_RETURN(const tokenizer::TokenizerSpec spec, tokenizer::ParseTokenizer(arguments.tokenizer));
    ASSIGN_OR_RETURN(const std::unique_ptr<tokenizer::Tokenizer> tokenizer, tokenizer::MakeTokenizer(spec));
    text.emplace();
    RETURN_IF_ERROR(Annotate(tokenizer->Decode(ids, *text), set.bin_path()));
  }
  if (IsJson(globals)) {
    Json json = {{"path", set.prefix()}, {"document", document}, {"first_token", range.begin}, {"ids", ids}};
    if (text.has_value()) json["text"] = *text;
    Print(json, globals);
  } else if (text.has_value()) {
    fwrite(text->data(), 1, text->size(), stdout);
    if (text->empty() || text->back() != '\n') putchar('\n');
  } else {
    printf("%s\n", absl::StrJoin(ids, " ").c_str());
  }
  return absl::OkStatus();
}

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  if (!arguments.step.run.empty()) return PrintStep(arguments.step, globals);
  absl::string_view prefix = arguments.path;
  if (!absl::ConsumeSuffix(&prefix, ".idx")) absl::ConsumeSuffix(&prefix, ".bin");
  ASSIGN_OR_RETURN(const data::IndexedDataset set, data::IndexedDataset::Open(std::string(prefix)));
  return arguments.document.has_value() ? PrintDocument(set, arguments, globals) : PrintSummary(set, globals);
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::Option* path =
      app.add_option("path", arguments->path, "Prefix of .bin and .idx, or one of the two files");
  CLI::Option* document =
      app.add_option("--document", arguments->document, "Print this document, counted from 0");
  app.add_option("--tokenizer", arguments->tokenizer,
                 "Decode with it: bytes, gpt2:DIR, or a tokenizer's file; without, ids are printed")
      ->needs(document);
  InspectStep& step = arguments->step;
  CLI::Option* run =
      app.add_option("--run", step.run, "A run's id, name or directory: print what a step of it saw")
          ->excludes(path);
  app.add_option("--step", step.step, "The step, counted from 1")->needs(run);
  app.add_option("--rank", step.rank, "Only what this rank saw")->needs(run);
  app.add_option("--sample", step.sample, "Only this sample of the step (of the rank), counted from 0")
      ->needs(run);
  app.add_flag("--ids", step.ids, "Ids in place of text")->needs(run);
  return [arguments, &globals]() -> int {
    if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl", "name"}); code != kOk)
      return code;
    if (arguments->path.empty() && (arguments->step.run.empty() || !arguments->step.step.has_value())) {
      fprintf(stderr, "trainctl: name a data set, or a run with --run R --step N\n");
      return kUsage;
    }
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataInspectVerb = {
    "data inspect", "Show what a data set holds, one of its documents, or what a step saw", Declare};

}  // namespace galley::trainctl
