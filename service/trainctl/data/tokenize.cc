// trainctl data tokenize: JSONL or plain text to an indexed data set.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/data/store/dataset_info.h"
#include "service/trainctl/data/input.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::vector<std::string> inputs;
  std::string tokenizer;
  std::string output_prefix;
  std::string json_key = "text";
  std::string document;
  bool append_eod = false;
  bool add_special_tokens = false;
  bool special_tokens_in_text = false;
  std::string eod;
  int64_t skip_bad = 0;
  bool restart = false;
  int workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
};

class ProgressBar {
 public:
  void operator()(const data::TokenizeProgress& p) {
    const bool done = p.input_bytes >= p.input_total;
    line_->Show(p.input_bytes, p.input_total, p.seconds,
                absl::StrFormat("%d documents  %.1fM tokens  %.1f MB/s  %s %s", p.documents,
                                static_cast<double>(p.tokens) / 1e6, p.MegabytesPerSecond(),
                                done ? "took" : "ETA", ClockText(done ? p.seconds : p.SecondsLeft())));
  }

 private:
  std::shared_ptr<ProgressLine> line_ = std::make_shared<ProgressLine>();
};

absl::StatusOr<data::TokenizeOptions> OptionsOf(const Arguments& arguments) {
  data::TokenizeOptions options;
  options.inputs = arguments.inputs;
  options.output = data::DatasetPrefix(arguments.output_prefix, arguments.json_key);
  options.json_key = arguments.json_key;
  options.append_eod = arguments.append_eod;
  options.add_special_tokens = arguments.add_special_tokens;
  options.special_tokens_in_text = arguments.special_tokens_in_text;
  options.workers = arguments.workers;
  options.skip_bad = arguments.skip_bad;
  options.restart = arguments.restart;
  options.bad_line = [](const std::string& line) {
    // On a terminal the progress bar stands on this line.
    fprintf(stderr, "%strainctl: left out: %s\n", ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "",
            line.c_str());
  };
  if (!arguments.document.empty()) {
    options.document = arguments.document == "line"   ? data::DocumentUnit::kLine
                       : arguments.document == "file" ? data::DocumentUnit::kFile
                                                      : data::DocumentUnit::kParagraph;
    for (const std::string& input : options.inputs) {
      if (!data::IsJsonl(input)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(input, ": a line of JSONL is a document; --document is for plain text, leave it out"));
    }
  }
  return options;
}

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  ASSIGN_OR_RETURN(data::TokenizeOptions options, OptionsOf(arguments));
  ASSIGN_OR_RETURN(tokenizer::TokenizerSpec spec, tokenizer::ParseTokenizer(arguments.tokenizer));
  spec.eod = arguments.eod;
  spec.special_tokens_in_text = arguments.special_tokens_in_text;
  ASSIGN_OR_RETURN(const std::unique_ptr<tokenizer::Tokenizer> tokenizer, tokenizer::MakeTokenizer(spec));
  ASSIGN_OR_RETURN(options.tokenizer_fingerprint, data::TokenizerFingerprint(spec));
  options.progress = ProgressBar();
  ASSIGN_OR_RETURN(const data::TokenizeProgress done, data::Tokenize(*tokenizer, options));
  const std::string type(data::Name(data::TokenTypeFor(tokenizer->vocab())));
  if (IsJson(globals)) {
    const nlohmann::ordered_json json = {
        {"path", options.output},      {"documents", done.documents},
        {"tokens", done.tokens},       {"token_type", type},
        {"vocab", tokenizer->vocab()}, {"text_bytes", done.text_bytes},
        {"seconds", done.seconds},     {"megabytes_per_second", done.MegabytesPerSecond()},
        {"bad_lines", done.bad_lines}, {"resumed_documents", done.resumed_documents}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    printf("%s\n", json.dump(globals.output == "json" ? 2 : -1, ' ', false, replace).c_str());
  } else if (globals.output == "name") {
    printf("%s\n", options.output.c_str());
  } else {
    absl::PrintF(
        "PATH        %s\nDOCUMENTS   %d\nTOKENS      %d\nTOKEN TYPE  %s\nVOCAB       %d\n"
        "TEXT        %.1f MB\n"
        "TIME        %.1f s, %.1f MB/s\n",
        options.output, done.documents, done.tokens, type, tokenizer->vocab(),
        static_cast<double>(done.text_bytes) / 1e6, done.seconds, done.MegabytesPerSecond());
    if (done.bad_lines > 0) absl::PrintF("BAD LINES   %d left out\n", done.bad_lines);
    if (done.resumed_documents > 0) absl::PrintF("RESUMED     after %d documents\n", done.resumed_documents);
  }
  return absl::OkStatus();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  app.add_option("--input", a.inputs, "Text files, .jsonl or plain, also .gz and .zst; their order is kept")
      ->required();
  app.add_option("--tokenizer", a.tokenizer, tokenizer::CommandLineForms())->required();
  app.add_option("--output-prefix", a.output_prefix, "P writes P_<json-key>_document.bin and .idx")
      ->required();
  app.add_option("--json-key", a.json_key, "Key of the text in a line of JSONL")->capture_default_str();
  app.add_option("--document", a.document, "What a document of plain text is (default: paragraph)")
      ->check(CLI::IsMember({"line", "paragraph", "file"}));
  app.add_flag("--append-eod", a.append_eod, "End every document with the end-of-document id");
  app.add_option("--eod", a.eod, "The token that ends documents (default: the tokenizer's own)");
  app.add_flag("--add-special-tokens", a.add_special_tokens,
               "Put around every document what the tokenizer's own template does, such as BOS");
  app.add_flag("--special-tokens-in-text", a.special_tokens_in_text,
               "Special tokens written in a text become their ids, not text");
  app.add_option("--skip-bad", a.skip_bad,
                 "Leave out up to so many bad lines, each named on stderr; one more fails the whole")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag(
      "--restart", a.restart,
      "Begin anew where an earlier tokenisation to this prefix was stopped (default: go on with it)");
  app.add_option("--workers", a.workers, "Threads that tokenize")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [arguments, &globals]() -> int {
    if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl", "name"}); code != kOk)
      return code;
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataTokenizeVerb = {"data tokenize", "Make an indexed data set from text", Declare};

}  // namespace galley::trainctl
