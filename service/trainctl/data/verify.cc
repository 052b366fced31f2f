// trainctl data verify: the whole of a data set, against its checksums and a vocabulary.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/tokenizer/tokenizer.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string path;
  std::string tokenizer;
  int64_t vocab = 0;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
};

void PrintReport(const std::string& prefix, const data::VerifyReport& report, const Globals& globals) {
  const data::DatasetInfo& info = report.info;
  const data::DatasetOrigin& origin = info.origin;
  if (IsJson(globals)) {
    Json faults = Json::array();
    for (const absl::Status& fault : report.faults) faults.push_back(std::string(fault.message()));
    Json json = {{"path", prefix},
                 {"sound", report.faults.empty()},
                 {"documents", info.documents},
                 {"sequences", info.sequences},
                 {"tokens", info.tokens},
                 {"token_type", std::string(data::Name(info.type))},
                 {"checksums", report.has_info}};
    json["vocab"] = report.vocab > 0 ? Json(report.vocab) : Json();
    json["tokenizer"] = origin.tokenizer.empty() ? Json() : Json(origin.tokenizer);
    json["append_eod"] = origin.tokenizer.empty() ? Json() : Json(origin.append_eod);
    json["faults"] = std::move(faults);
    printf("%s\n",
           json.dump(globals.output == "json" ? 2 : -1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  if (globals.output == "name") {
    printf("%s\n", prefix.c_str());
  } else {
    const std::string tokenizer =
        origin.tokenizer.empty()
            ? "not known"
            : absl::StrCat(origin.tokenizer, ", ",
                           origin.append_eod ? "documents end with the end-of-document id"
                                             : "without end-of-document ids");
    absl::PrintF(
        "PATH       %s\nDOCUMENTS  %d\nSEQUENCES  %d\nTOKENS     %d (%s)\nTOKENIZER  %s\nCHECKSUMS  "
        "%s\nIDS        %s\nFAULTS     %d\n",
        prefix, info.documents, info.sequences, info.tokens, data::Name(info.type), tokenizer,
        report.has_info ? "compared" : "none were written: flipped bits of ids go unnoticed",
        report.vocab > 0 ? absl::StrCat("held to a vocabulary of ", report.vocab)
                         : "not checked; give --vocab or --tokenizer",
        report.faults.size());
  }
  for (const absl::Status& fault : report.faults) {
    absl::FPrintF(stderr, "trainctl: %s\n", fault.message());
  }
}

absl::StatusOr<bool> Run(const Arguments& arguments, const Globals& globals) {
  absl::string_view prefix = arguments.path;
  if (!absl::ConsumeSuffix(&prefix, ".idx")) absl::ConsumeSuffix(&prefix, ".bin");
  data::VerifyOptions options{.vocab = arguments.vocab, .threads = arguments.threads};
  if (!arguments.tokenizer.empty()) {
    ASSIGN_OR_RETURN(const tokenizer::TokenizerSpec spec, tokenizer::ParseTokenizer(arguments.tokenizer));
    ASSIGN_OR_RETURN(const std::unique_ptr<tokenizer::Tokenizer> tokenizer, tokenizer::MakeTokenizer(spec));
    ASSIGN_OR_RETURN(options.tokenizer_fingerprint, data::TokenizerFingerprint(spec));
    if (options.vocab == 0) options.vocab = tokenizer->vocab();
  }
  const std::string path(prefix);
  ASSIGN_OR_RETURN(const data::VerifyReport report, data::VerifyDataset(path, options));
  PrintReport(path, report, globals);
  return report.faults.empty();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("path", arguments->path, "Prefix of .bin and .idx, or one of the two files")->required();
  app.add_option("--vocab", arguments->vocab,
                 "Ids must be below this; default: as the data set's own metadata")
      ->check(CLI::PositiveNumber);
  app.add_option("--tokenizer", arguments->tokenizer,
                 "Hold ids to its vocabulary, and its files to those the data set was made with");
  app.add_option("--threads", arguments->threads, "Threads that read")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [arguments, &globals]() -> int {
    if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl", "name"}); code != kOk)
      return code;
    const absl::StatusOr<bool> sound = Run(*arguments, globals);
    if (!sound.ok()) return Fail(sound.status());
    return *sound ? kOk : kError;
  };
}

}  // namespace

constinit const Verb kDataVerifyVerb = {"data verify",
                                        "Read a data set wholly: its structure, checksums and ids", Declare};

}  // namespace galley::trainctl
