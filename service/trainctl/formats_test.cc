// Every verb in every format of -o, from a table. What a verb's JSON holds stands in docs/service.md, and is
// read from there: a key that the page does not name, or that the verb has lost, fails here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/trainctl/testing.h"
#include "service/trainctl/verbs.h"
#include "tests/support/paths.h"

namespace galley::trainctl {
namespace {

using testing::HasSubstr;
using testing::Not;
using Object = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr char kShort[] = R"({"steps": 20, "save_every": 5})";

enum class Shape {
  kOne,    // json is an object
  kMany,   // json is an array of objects
  kLines,  // json is an object a line, as it comes
};

struct Case {
  const char* verb;
  const char* arguments;  // $WORDS below are replaced
  Shape shape;
  const char* table;         // in table and wide; "" where a pipe gets less than a terminal
  const char* wide = "";     // in wide alone
  const char* refused = "";  // formats that are a usage error
  const char* after = "";    // a command that makes the next call possible
};

// $DONE: a run that SUCCEEDED, $HELD: one that is held again whenever it is resumed, $BUSY: one
// that takes steps, $NEW: a fresh run directory, $REAL: a run of the real galley-rank.
constexpr Case kOffline[] = {
    {"validate", "tiny.yaml", Shape::kOne, "tiny.yaml: valid, recipe ", "", "yaml name"},
    {"explain", "schedule.lr.decay", Shape::kOne, "default   cosine", "", "yaml name"},
    {"plan", "tiny.yaml", Shape::kOne, "Run tiny: 20 steps", "", "yaml name"},
    {"data tokenize", "--input text --tokenizer bytes --output-prefix p", Shape::kOne, "DOCUMENTS   2", "",
     "yaml"},
    {"data inspect", "p_text_document", Shape::kOne, "DOCUMENTS    2", "", "yaml"},
    {"data verify", "p_text_document", Shape::kOne, "DOCUMENTS  2", "", "yaml"},
    {"data merge", "p_text_document p_text_document.idx --output-prefix m", Shape::kOne, "DOCUMENTS  4",
     "SEQUENCES"},
    {"data split", "m --parts 2 --output-prefix m", Shape::kMany, "DOCUMENTS ", "SEQUENCES"},
    {"data stats", "p_text_document m", Shape::kMany, "MEDIAN ", "SEQUENCES"},
    {"version", "", Shape::kOne, "galley " GALLEY_VERSION},
};
constexpr Case kShared[] = {
    {"submit", "tiny.yaml --run-dir $NEW", Shape::kOne, "", "RUN DIR  "},
    {"submit --wait", "tiny.yaml --run-dir $NEW", Shape::kOne, "STATE ", "TOK/S"},
    {"list", "", Shape::kMany, "STATE ", "TOK/S"},
    {"status", "$DONE", Shape::kOne, "Next ", "Recipe "},
    {"watch", "$DONE", Shape::kOne, "STATE ", "TOK/S"},
    {"logs", "$DONE", Shape::kLines, "rank 0 of 2"},
    {"events", "$DONE", Shape::kMany, "KIND ", "FROM "},
    {"events", "$DONE --follow", Shape::kLines, "attempt_planned"},
    {"checkpoints", "$DONE", Shape::kMany, "STATUS ", "SAMPLES "},
    {"nodes", "", Shape::kMany, "CORES ", "VERSION"},
    {"resume", "$HELD", Shape::kOne, "STATE ", "TOK/S", "", "watch $HELD"},
};
constexpr Case kBusy[] = {
    {"save", "$BUSY", Shape::kOne, "Checkpoint "},
    {"cancel", "$BUSY --now --wait", Shape::kOne, "STATE ", "TOK/S"},  // said again, it is still cancelled
};
// With the real galley-rank.
constexpr Case kReal[] = {
    {"train", "tiny.yaml --run-dir $NEW", Shape::kOne, "STATE ", "TOK/S"},
    {"generate", "$REAL --prompt AAAA --max-tokens 4 --threads 1", Shape::kOne, ""},
    {"list", "--private", Shape::kMany, "STATE ", "TOK/S"},
    {"status", "$REAL", Shape::kOne, "Next ", "Recipe "},
    {"checkpoints", "$REAL", Shape::kMany, "STATUS ", "SOURCES"},
    {"checkpoints --sources", "$REAL", Shape::kMany, "SHARE ", "POSITION "},
    {"data inspect --run", "$REAL --step 3", Shape::kOne, "HASH ", "", "yaml"},
    {"events", "$REAL", Shape::kMany, "KIND ", "FROM "},
    {"logs", "$REAL", Shape::kLines, ""},
    {"watch", "$REAL", Shape::kOne, "STATE ", "TOK/S"},
};

// verb -> its keys; from the rows "| list, watch | id name ... |".
std::map<std::string, Words> DocumentedKeys() {
  std::map<std::string, Words> keys;
  const std::string page = ReadFile(JoinPath(SourceDir(), "docs/service.md")).value();
  const size_t begin = page.find("|---|---|\n", page.find("| verb | keys |"));
  const std::string table = page.substr(begin, page.find("\n\n", begin) - begin);
  Words of_run;
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const Words cells = absl::StrSplit(line, " | ");
    if (cells.size() != 2) continue;
    absl::string_view list = absl::StripSuffix(cells[1], " |");
    Words words;
    if (absl::ConsumePrefix(&list, "those, and ")) words = of_run;
    for (const absl::string_view key : absl::StrSplit(list, ' ')) words.emplace_back(key);
    if (of_run.empty()) of_run = words;
    for (const absl::string_view verb : absl::StrSplit(absl::StripPrefix(cells[0], "| "), ", ")) {
      keys[std::string(verb)] = words;
    }
  }
  return keys;
}

class FormatsTest : public ServiceTest {
 protected:
  FormatsTest() { EXPECT_TRUE(AtomicWrite(JoinPath(work(), "text"), "one\n\ntwo\n").ok()); }

  // The case's command in one format, and what must hold of its output.
  void Check(const Case& c, const std::string& format) {
    const std::string command = absl::StrCat(c.verb, " ", c.arguments, " -o ", format);
    SCOPED_TRACE(command);
    const Ran ran = Trainctl(Arguments(command));
    const Words refused = absl::StrSplit(c.refused, ' ');
    if (absl::c_linear_search(refused, format)) {
      EXPECT_EQ(ran.code, kUsage);
      EXPECT_THAT(ran.err, HasSubstr(absl::StrCat("-o ", format, " is not for this command")));
      EXPECT_EQ(ran.out, "");
      return;
    }
    ASSERT_EQ(ran.code, kOk) << ran.err;
    ASSERT_NE(ran.out, "");
    keys_ = documented_.at(c.verb);
    if (format == "table") {
      EXPECT_THAT(ran.out, HasSubstr(c.table));
      if (c.wide[0] != '\0') {
        EXPECT_THAT(ran.out, Not(HasSubstr(c.wide)));
      }
    } else if (format == "wide") {
      EXPECT_THAT(ran.out, testing::AllOf(HasSubstr(c.table), HasSubstr(c.wide)));
    } else if (format == "name") {
      EXPECT_NE(ran.out, "-\n");  // what stands for a key that no row has
    } else if (format == "yaml") {
      CheckYaml(ran.out, c.shape != Shape::kOne);
    } else if (format == "jsonl" || c.shape == Shape::kLines) {
      for (const std::string& line : Lines(ran.out)) CheckRow(Object::parse(line, nullptr, false));
    } else if (c.shape == Shape::kMany) {
      const Object rows = Object::parse(ran.out, nullptr, false);
      ASSERT_TRUE(rows.is_array() && !rows.empty()) << ran.out;
      for (const Object& row : rows) CheckRow(row);
    } else {
      CheckRow(Object::parse(ran.out, nullptr, false));
    }
    if (c.after[0] != '\0') Trainctl(Arguments(c.after));
  }

  template <size_t n>
  void CheckAll(const Case (&cases)[n]) {
    for (const Case& c : cases) {
      for (const char* format : {"table", "wide", "json", "jsonl", "yaml", "name"}) Check(c, format);
    }
  }

  std::map<std::string, std::string> words_;

 private:
  static Words Lines(const std::string& text) { return absl::StrSplit(text, '\n', absl::SkipEmpty()); }

  Words Arguments(const std::string& command) {
    Words words = absl::StrSplit(command, ' ', absl::SkipEmpty());
    for (std::string& word : words) {
      if (word == "$NEW") word = NewRunDir(kShort);
      if (const auto known = words_.find(word); known != words_.end()) word = known->second;
    }
    return words;
  }

  // The documented keys, in their order; those with "?" may be missing.
  void CheckRow(const Object& row) {
    ASSERT_TRUE(row.is_object()) << row;
    Words expected;
    for (const std::string& key : keys_) {
      const std::string name(absl::StripSuffix(key, "?"));
      if (name == key || row.contains(name)) expected.push_back(name);
    }
    Words found;
    for (const auto& [key, value] : row.items()) found.push_back(key);
    EXPECT_EQ(absl::StrJoin(found, " "), absl::StrJoin(expected, " "));
  }

  // "key: <JSON>" a line, in a list "- key: <JSON>" for the first key of each row.
  void CheckYaml(const std::string& text, bool list) {
    size_t at = 0;
    for (const std::string& line : Lines(text)) {
      const std::string& key = keys_[at++ % keys_.size()];
      const std::string begin = absl::StrCat(!list                                   ? ""
                                             : at % keys_.size() == 1 % keys_.size() ? "- "
                                                                                     : "  ",
                                             key, ": ");
      ASSERT_TRUE(absl::StartsWith(line, begin)) << line << "\nwanted: " << begin;
      EXPECT_FALSE(Object::parse(line.substr(begin.size()), nullptr, false).is_discarded()) << line;
    }
    EXPECT_EQ(at % keys_.size(), 0u) << text;
  }

  const std::map<std::string, Words> documented_ = DocumentedKeys();
  Words keys_;  // of the verb that is checked
};

TEST_F(FormatsTest, Offline) { CheckAll(kOffline); }

TEST_F(FormatsTest, RecipeAndSchemaAreTheirOwnFormat) {
  EXPECT_THAT(Trainctl({"render", "tiny.yaml"}).out, HasSubstr("\nmodel:\n"));
  EXPECT_EQ(Trainctl({"render", "tiny.yaml", "-o", "yaml"}).out, Trainctl({"render", "tiny.yaml"}).out);
  EXPECT_EQ(Json({"render", "tiny.yaml"})["model"]["hidden"], 32);
  EXPECT_EQ(Json({"schema"})["title"], "Galley recipe");
  EXPECT_EQ(Trainctl({"schema", "-o", "json"}).out, Trainctl({"schema"}).out);
  for (const char* format : {"wide", "jsonl", "name"}) {
    EXPECT_EQ(Trainctl({"render", "tiny.yaml", "-o", format}).code, kUsage) << format;
    EXPECT_EQ(Trainctl({"schema", "-o", format}).code, kUsage) << format;
  }
}

TEST_F(FormatsTest, WeightsAreYamlForTheRecipe) {
  Trainctl({"data", "tokenize", "--input", "text", "--tokenizer", "bytes", "--output-prefix", "p"});
  const std::vector<std::string> command = {"data", "weights", "p_text_document", "--tokens", "20", "-o"};
  for (const char* format : {"table", "wide", "yaml"}) {
    Words words = command;
    words.push_back(format);
    EXPECT_EQ(Trainctl(words).out,
              "# 1 source, 9 tokens; epochs are those of a run of 20 tokens\n"
              "data:\n  train:\n    - {path: p_text_document, weight: 1}  # 9 tokens, 100.00 % of the "
              "samples, 2.22 "
              "epochs\n")
        << format;
  }
  constexpr Case kRows = {"data weights", "p_text_document", Shape::kMany, ""};
  for (const char* format : {"json", "jsonl", "name"}) Check(kRows, format);
}

TEST_F(FormatsTest, OfASharedController) {
  StartService();
  words_["$DONE"] = Submit(kShort);
  ASSERT_EQ(Trainctl({"watch", words_["$DONE"]}).code, kOk);
  words_["$HELD"] = Submit(R"({"actions": [{"step": 1, "do": "nan"}]})");
  ASSERT_EQ(Trainctl({"watch", words_["$HELD"]}).code, kRunHeld);
  CheckAll(kShared);
  words_["$BUSY"] = Submit(R"({"steps": 1000000, "step_ms": 5})");
  AwaitStatus(words_["$BUSY"], [](const nlohmann::json& status) { return status["step"] > 0; });
  CheckAll(kBusy);
}

TEST_F(FormatsTest, OfTheRealRank) {
  environment_["GALLEY_RANK_BINARY"] = JoinPath(BinDir(), "galley-rank");
  words_["$REAL"] = RunDir("real");
  const Ran trained = Trainctl({"train", "tiny.yaml", "--run-dir", words_["$REAL"]});
  ASSERT_EQ(trained.code, kOk) << trained.err;
  CheckAll(kReal);
}

TEST(Formats, NoVerbIsForgotten) {
  std::set<std::string> tested = {"render", "schema", "data weights"};
  for (const Case& c : kOffline) tested.insert(c.verb);
  for (const Case& c : kShared) tested.insert(c.verb);
  for (const Case& c : kBusy) tested.insert(c.verb);
  for (const Case& c : kReal) tested.insert(c.verb);
  for (const Verb* verb : Verbs()) EXPECT_EQ(tested.count(verb->name), 1u) << verb->name;
}

}  // namespace
}  // namespace galley::trainctl
