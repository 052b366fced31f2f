// trainctl data stats: counts of documents, lengths and tokens.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status.h"
#include "runtime/data/tools/stats.h"
#include "service/trainctl/data/input.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string tokenizer;
  std::optional<int32_t> eod;
  size_t top = 20;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
};

constexpr int kBar = 40;

std::string Bar(int64_t count, int64_t most) {
  if (count == 0 || most == 0) return "";
  return std::string(static_cast<size_t>(std::max<int64_t>(1, count * kBar / most)), '#');
}

double Percent(int64_t part, int64_t whole) {
  return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// As in C, so that spaces, line ends and parts of characters show.
std::string TextOf(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  std::string text;
  if (!tokenizer.Decode(std::span(&id, 1), text, /*continued=*/true).ok()) return "no such token";
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

Row RowOf(const data::DatasetStats& stats, const std::string& path, size_t top) {
  const data::LengthStats lengths = stats.lengths.Summary();
  std::vector<std::string> frequent, bins;
  for (const data::TokenCount& token : stats.Frequent(top)) {
    frequent.push_back(absl::StrCat("{\"id\":", token.id, ",\"count\":", token.count, "}"));
  }
  for (const data::LengthStats::Bin& bin : lengths.histogram) {
    bins.push_back(
        absl::StrCat("{\"from\":", bin.from, ",\"to\":", bin.to, ",\"documents\":", bin.documents, "}"));
  }
  const bool known = stats.eod.has_value();
  const double share = Percent(stats.eod_endings, stats.documents - stats.empty_documents);
  const auto list = [](const std::vector<std::string>& items) {
    return Nested{absl::StrCat("[", absl::StrJoin(items, ","), "]"), ""};
  };
  return {{"path", path},
          {"documents", stats.documents},
          {"sequences", stats.sequences},
          {"tokens", stats.tokens},
          {"token_type", std::string(data::Name(stats.type))},
          {"length_min", lengths.min},
          {"length_mean", lengths.mean},
          {"length_median", lengths.median},
          {"length_p99", lengths.p99},
          {"length_max", lengths.max},
          {"empty_documents", stats.empty_documents},
          {"eod", known ? Value(int64_t{*stats.eod}) : Value()},
          {"eod_endings", known ? Value(stats.eod_endings) : Value()},
          {"eod_percent", known ? Value(share) : Value()},
          {"distinct_tokens", stats.distinct()},
          {"ids_outside", stats.outside},
          {"frequent", list(frequent)},
          {"length_histogram", list(bins)},
          {"token_counts", Nested{absl::StrCat("[", absl::StrJoin(stats.counts, ","), "]"), ""}}};
}

void PlotLengths(const data::DatasetStats& stats) {
  const data::LengthStats lengths = stats.lengths.Summary();
  int64_t most = 0;
  for (const data::LengthStats::Bin& bin : lengths.histogram) most = std::max(most, bin.documents);
  absl::PrintF("\n%-23s %12s  %6s\n", "TOKENS A DOCUMENT", "DOCUMENTS", "%");
  for (const data::LengthStats::Bin& bin : lengths.histogram) {
    const std::string range =
        bin.from == bin.to ? absl::StrCat(bin.from) : absl::StrCat(bin.from, "-", bin.to);
    absl::PrintF("%-23s %12d  %6.2f  %s\n", range, bin.documents, Percent(bin.documents, stats.documents),
                 Bar(bin.documents, most));
  }
}

// Frequency by rank: how much of the text the commonest tokens make.
void PlotTokens(const data::DatasetStats& stats) {
  const std::vector<data::TokenCount> all = stats.Frequent(stats.counts.size());
  absl::PrintF("\n%-23s %12s  %6s\n", "TOKENS BY RANK", "COUNT", "%");
  for (size_t from = 1; from <= all.size(); from *= 2) {
    const size_t to = std::min(from * 2 - 1, all.size());
    int64_t count = 0;
    for (size_t rank = from; rank <= to; ++rank) count += all[rank - 1].count;
    const std::string range = from == to ? absl::StrCat(from) : absl::StrCat(from, "-", to);
    absl::PrintF("%-23s %12d  %6.2f  %s\n", range, count, Percent(count, stats.tokens),
                 Bar(count, stats.tokens));
  }
}

void PrintFrequent(const data::DatasetStats& stats, const tokenizer::Tokenizer* tokenizer, size_t top) {
  absl::PrintF("\n%-8s %27s  %6s\n", "TOKEN", "COUNT", "%");
  for (const data::TokenCount& token : stats.Frequent(top)) {
    absl::PrintF("%-8d %27d  %6.2f  %s\n", token.id, token.count, Percent(token.count, stats.tokens),
                 tokenizer != nullptr ? TextOf(*tokenizer, token.id) : "");
  }
}

absl::Status Run(const Arguments& arguments, const Globals& globals) {
  static const std::vector<Column> columns = {{"path", "PATH"},
                                              {"documents", "DOCUMENTS"},
                                              {"tokens", "TOKENS"},
                                              {"sequences", "SEQUENCES", true},
                                              {"token_type", "TYPE", true},
                                              {"length_min", "MIN"},
                                              {"length_mean", "MEAN"},
                                              {"length_median", "MEDIAN"},
                                              {"length_p99", "P99"},
                                              {"length_max", "MAX"},
                                              {"empty_documents", "EMPTY"},
                                              {"eod_percent", "EOD%"},
                                              {"distinct_tokens", "DISTINCT"},
                                              {"ids_outside", "OUTSIDE", true}};
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  data::StatsOptions options{.eod = arguments.eod, .threads = arguments.threads};
  if (!arguments.tokenizer.empty()) {
    ASSIGN_OR_RETURN(const tokenizer::TokenizerSpec spec, tokenizer::ParseTokenizer(arguments.tokenizer));
    ASSIGN_OR_RETURN(tokenizer, tokenizer::MakeTokenizer(spec));
  }
  std::vector<Row> rows;
  data::DatasetStats sum;
  for (const std::string& path : arguments.paths) {
    ASSIGN_OR_RETURN(data::DatasetStats stats, data::CountDataset(DatasetPrefixOf(path), options));
    rows.push_back(RowOf(stats, stats.prefix, arguments.top));
    if (rows.size() == 1) {
      sum = std::move(stats);
    } else {
      data::Add(stats, sum);
    }
  }
  const bool table = globals.output == "table" || globals.output == "wide";
  if (table && rows.size() > 1) rows.push_back(RowOf(sum, "all", 0));
  PrintRows(globals, columns, "path", rows);
  if (!table) return absl::OkStatus();
  PlotLengths(sum);
  PlotTokens(sum);
  PrintFrequent(sum, tokenizer.get(), arguments.top);
  return absl::OkStatus();
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  app.add_option("paths", a.paths, "Prefixes of .bin and .idx, or one of the two files each")->required();
  app.add_option("--tokenizer", a.tokenizer,
                 "Show the text of frequent tokens with it: bytes, gpt2:DIR, or a tokenizer's file");
  app.add_option("--eod", a.eod, "Id that should end documents (default: as the data set's metadata say)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top", a.top, "How many of the most frequent tokens are listed")->capture_default_str();
  app.add_option("--threads", a.threads, "Threads that read")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [arguments, &globals]() -> int {
    const absl::Status status = Run(*arguments, globals);
    return status.ok() ? static_cast<int>(kOk) : Fail(status);
  };
}

}  // namespace

constinit const Verb kDataStatsVerb = {"data stats", "Count documents, lengths and tokens", Declare};

}  // namespace galley::trainctl
