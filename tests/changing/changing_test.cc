// docs/changing/README.md says what each kind of change costs. Its table is counted from an example of each
// kind that the code has already. After a change of the code that moves a count, run this test with
// GALLEY_WRITE_DOCS=1, and look at the difference: a number that grew is a design that got worse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "tests/changing/count.h"
#include "tests/support/paths.h"

namespace galley {
namespace {

std::string Source(const std::string& path) { return SourceDir() + "/" + path; }
std::string Read(const std::string& path) { return ReadFile(Source(path)).value(); }

const std::vector<Example>& Examples() {
  static const std::vector<Example> examples = {
      {"a model family", "llama", "\\bllama\\b|Llama", {"runtime/models/llama/"}, {"runtime/tokenizer/"}},
      {"an op", "rms_norm", "rms_norm|RmsNorm", {"runtime/ops/rms_norm"}, {"runtime/layers/"}},
      {"a recipe field", "optimizer.clip_norm", "\\bclip_norm\\b", {}, {"runtime/train/", "runtime/optim/"}},
      {"an exporter",
       "jsonl",
       "kJsonl|OpenJsonl|JSONL\\b|\\{\"jsonl\", (Exporter|Open)",
       {"exporters/jsonl"},
       {"service/trainctl/"}},
      {"a launcher", "local", "\\bkLocal\\b|LAUNCHER_LOCAL|MakeLocal|\"local\"", {"launcher/local"}, {}},
      {"an RPC", "Nodes", "rpc Nodes|NodesRe(quest|ply)", {}, {"service/trainctl/"}},
      // One that is no field of the reports of older versions, which rank.proto keeps.
      {"a metric",
       "global_batch_tokens",
       "global_batch_tokens",
       {},
       {"runtime/train/", "runtime/metrics/older_report.cc"}},
      {"a tokenizer kind",
       "tekken",
       "kTekken|\"tekken\"|MakeTekken|TOKENIZER_TEKKEN",
       {"runtime/tokenizer/vocab/tekken"},
       {"runtime/tokenizer/split/"}},
      {"a verb of trainctl", "nodes", "kNodesVerb", {"service/trainctl/verbs/nodes"}, {}},
  };
  return examples;
}

std::string Row(const Example& example, const Cost& cost) {
  const std::string lines =
      cost.lines.empty() ? "none" : absl::StrJoin(cost.lines, ", ", [](std::string* out, const auto& entry) {
        absl::StrAppend(out, "`", entry.first, "` ", entry.second);
      });
  return absl::StrCat("| ", example.change, " | ", example.name, " | ", cost.own_files, " | ", cost.total(),
                      " | ", lines, " |\n");
}

TEST(Changing, TheTableIsCountedFromTheCode) {
  std::string want =
      "| change | counted of | files of its own | lines elsewhere | which |\n|---|---|---|---|---|\n";
  for (const Example& example : Examples()) want += Row(example, Count(SourceDir(), example));
  constexpr char kPage[] = "docs/changing/README.md";
  constexpr char kBegin[] = "<!-- begin counted -->\n", kEnd[] = "<!-- end counted -->";
  const std::string text = Read(kPage);
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const size_t body = begin + sizeof kBegin - 1;
  if (getenv("GALLEY_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(AtomicWrite(Source(kPage), text.substr(0, body) + want + text.substr(end)).ok());
    return;
  }
  EXPECT_EQ(text.substr(body, end - body), want);
}

TEST(Changing, NoneCostsMoreThanTenLinesElsewhere) {
  for (const Example& example : Examples()) {
    const Cost cost = Count(SourceDir(), example);
    EXPECT_LE(cost.total(), 10) << Row(example, cost);
    EXPECT_GT(cost.total() + cost.own_files, 0) << example.name << " is no longer in the code";
  }
}

// The toys of tests/toys cost what the examples cost: their lists differ from the product's in as many lines.
TEST(Changing, AToyCostsWhatTheExampleCosts) {
  const Cost family = Count(SourceDir(), Examples()[0]);
  for (const char* list : {"families.cc", "makers.cc"}) {
    const std::string path = absl::StrCat("runtime/models/", list);
    EXPECT_EQ(AddedLines(Read(path), Read(absl::StrCat("tests/toys/", list))), family.lines.at(path)) << list;
  }
  // The product's exporters are declared beside the list, the toy's needs an include instead.
  EXPECT_EQ(AddedLines(Read("service/node/exporter_kinds.cc"), Read("tests/toys/exporter_kinds.cc")), 2);
}

TEST(Changing, TheCountSeesADifference) {
  EXPECT_EQ(AddedLines("a\nb\n", "a\nx\nb\ny\n"), 2);
  EXPECT_EQ(AddedLines("a\nb\n", "a\nx\n"), -1);
  const Cost cost = Count(SourceDir(), {"", "", "class Sink \\{", {}, {}});
  EXPECT_EQ(cost.lines.count("runtime/metrics/sink.h"), 1u);
}

}  // namespace
}  // namespace galley
