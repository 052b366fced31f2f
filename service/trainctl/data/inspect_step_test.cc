// What steps saw, and what checkpoints say of it, against runs of the real galley-rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "service/trainctl/testing.h"
#include "tests/support/paths.h"

namespace galley::trainctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kTokens = 17;  // of a sample, label included

class InspectStepTest : public ServiceTest {
 protected:
  InspectStepTest() {
    environment_["GALLEY_RANK_BINARY"] = JoinPath(BinDir(), "galley-rank");
    for (const std::string name : {"sea", "land"}) {
      std::string text;
      for (int i = 0; i < 60; ++i) absl::StrAppend(&text, name, " ", i * i, " ends.\n\n");
      EXPECT_TRUE(AtomicWrite(JoinPath(work(), name + ".txt"), text).ok());
      const Ran ran = Trainctl(
          {"data", "tokenize", "--input", name + ".txt", "--tokenizer", "bytes", "--output-prefix", name});
      EXPECT_EQ(ran.code, kOk) << ran.err;
    }
  }
  static std::vector<std::string> Sets(const std::string& order) {
    return {"--set",
            "data.train=[{path: sea_text_document, weight: 2}, {path: land_text_document, weight: 1}]",
            "--set", "data.order=" + order};
  }
  std::string Train(const std::string& order) {
    const std::string dir = RunDir(order);
    std::vector<std::string> arguments = {"train", "tiny.yaml", "--run-dir", dir};
    for (const std::string& set : Sets(order)) arguments.push_back(set);
    const Ran ran = Trainctl(arguments);
    EXPECT_EQ(ran.code, kOk) << ran.err;
    return dir;
  }
  nlohmann::json Step(const std::string& run, int step, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"data", "inspect", "--run", run, "--step", absl::StrCat(step)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Json(arguments);
  }
  std::string Document(const std::string& source, int64_t document) {
    const std::string name = source.substr(source.rfind('/') + 1);
    return Json(
        {"data", "inspect", name, "--document", absl::StrCat(document), "--tokenizer", "bytes"})["text"];
  }
};

class InspectStepOfOrder : public InspectStepTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Orders, InspectStepOfOrder, testing::Values("galley", "megatron"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(InspectStepOfOrder, PrintsTheTextThatItsSamplesHashStandsFor) {
  const std::string dir = Train(GetParam());
  for (const int step : {1, 7, 20}) {
    const nlohmann::json seen = Step(dir, step);
    EXPECT_EQ(seen["agrees"], true);
    EXPECT_EQ(seen["recorded"], seen["samples_hash"]);
    EXPECT_EQ(seen["attempt"], 1);
    EXPECT_THAT(std::string(seen["order"]), HasSubstr(GetParam()));
    EXPECT_THAT(std::string(seen["plan"]), HasSubstr("step-20/manifest.json"));
    ASSERT_EQ(seen["samples"].size(), 4u);
    for (const nlohmann::json& sample : seen["samples"]) {
      const int64_t position = sample["place"];
      EXPECT_EQ(sample["sample"], 4 * (step - 1) + position);
      EXPECT_EQ(sample["rank"], position / 2);  // two ranks, micro-batches of two
      EXPECT_EQ(sample["micro_batch"], 0);
      int64_t tokens = 0;
      for (const nlohmann::json& part : sample["parts"]) {
        const int64_t begin = part["tokens"][0], end = part["tokens"][1];
        const std::string document = Document(sample["source"], part["document"]);
        EXPECT_EQ(part["document_tokens"], document.size());
        EXPECT_EQ(part["text"],
                  document.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
        tokens += end - begin;
      }
      EXPECT_EQ(tokens, kTokens);
    }
  }
  const Ran table = Trainctl({"data", "inspect", "--run", dir, "--step", "3"});
  EXPECT_EQ(table.code, kOk) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("as recorded by attempt 1"), HasSubstr("micro-batch 0) of "),
                               HasSubstr("-- document ")));
}

// The samples of all steps up to a checkpoint, counted by source, are what it recorded.
TEST_P(InspectStepOfOrder, CheckpointsRecordWhatTheStepsSaw) {
  const std::string dir = Train(GetParam());
  std::map<std::string, int64_t> drawn;
  for (int step = 1; step <= 10; ++step) {
    const nlohmann::json seen = Step(dir, step, {"--ids"});
    for (const nlohmann::json& sample : seen["samples"]) ++drawn[sample["source"]];
  }
  ASSERT_EQ(drawn.size(), 2u);
  int found = 0;
  for (const nlohmann::json& row : Json({"checkpoints", dir, "--sources"})) {
    if (row["step"] != 10) continue;
    ++found;
    const int64_t samples = row["samples"];
    EXPECT_EQ(samples, drawn.at(row["source"]));
    EXPECT_EQ(row["tokens"], samples * 16);
    EXPECT_EQ(row["draws"], nlohmann::json::parse(absl::StrCat("[[0,", samples, "]]")));
    EXPECT_EQ(row["share"], static_cast<double>(samples) / 40);
  }
  EXPECT_EQ(found, 2);
  const nlohmann::json checkpoints = Json({"checkpoints", dir});
  for (const nlohmann::json& checkpoint : checkpoints) {
    int64_t tokens = 0;
    for (const nlohmann::json& source : checkpoint["sources"]) tokens += source["tokens"].get<int64_t>();
    EXPECT_EQ(checkpoint["tokens"], tokens);
    EXPECT_EQ(tokens, checkpoint["step"].get<int64_t>() * 4 * 16);
  }
  EXPECT_THAT(Trainctl({"checkpoints", dir, "-o", "wide"}).out, HasSubstr("sea_text_document "));
  EXPECT_THAT(Trainctl({"checkpoints", dir, "--sources"}).out,
              AllOf(HasSubstr("SHARE"), HasSubstr("land_text_document")));
}

TEST_F(InspectStepTest, RankSampleAndIdsChooseWhatIsPrinted) {
  const std::string dir = Train("galley");
  const nlohmann::json all = Step(dir, 5)["samples"];
  EXPECT_EQ(Step(dir, 5, {"--sample", "2"})["samples"], nlohmann::json({all[2]}));
  EXPECT_EQ(Step(dir, 5, {"--rank", "1"})["samples"], nlohmann::json({all[2], all[3]}));
  EXPECT_EQ(Step(dir, 5, {"--rank", "1", "--sample", "1"})["samples"], nlohmann::json({all[3]}));
  const nlohmann::json ids = Step(dir, 5, {"--sample", "0", "--ids"})["samples"][0]["parts"];
  std::string text;
  for (const nlohmann::json& part : ids) {
    EXPECT_FALSE(part.contains("text"));
    for (const int id : part["ids"]) text += static_cast<char>(id);
  }
  std::string expected;
  for (const nlohmann::json& part : all[0]["parts"]) expected += std::string(part["text"]);
  EXPECT_EQ(text, expected);
  EXPECT_EQ(Trainctl({"data", "inspect", "--run", dir, "--step", "5", "-o", "name"}).out, "16\n17\n18\n19\n");

  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--step", "21"},
                                             {"--step", "0"},
                                             {"--step", "5", "--rank", "2"},
                                             {"--step", "5", "--sample", "4"},
                                             {"--step", "5", "--rank", "0", "--sample", "2"},
                                             {}}) {
    std::vector<std::string> arguments = {"data", "inspect", "--run", dir};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(Trainctl(arguments).code, kUsage);
  }
  EXPECT_EQ(Trainctl({"data", "inspect"}).code, kUsage);
}

TEST_F(InspectStepTest, OtherSamplesThanRecordedAreAnError) {
  const std::string dir = Train("galley");
  const std::string metrics = JoinPath(dir, "metrics.jsonl");
  const std::string hash = Step(dir, 5)["samples_hash"];
  const std::string text = ReadFile(metrics).value();
  ASSERT_TRUE(AtomicWrite(metrics, absl::StrReplaceAll(text, {{hash, "0123456789abcdef"}})).ok());
  const Ran ran = Trainctl({"data", "inspect", "--run", dir, "--step", "5"});
  EXPECT_EQ(ran.code, kError);
  EXPECT_THAT(ran.out, HasSubstr("DIFFERS from 0123456789abcdef"));
  EXPECT_THAT(ran.err, HasSubstr("these are not the samples that the run saw"));
  EXPECT_EQ(Step(dir, 6)["agrees"], true);
  ASSERT_TRUE(RemoveTree(metrics).ok());
  EXPECT_TRUE(Step(dir, 5)["agrees"].is_null());
  EXPECT_THAT(Trainctl({"data", "inspect", "--run", dir, "--step", "5"}).out, HasSubstr("not recorded in"));

  // Without a checkpoint the recipe's data make the plan.
  ASSERT_TRUE(RemoveTree(JoinPath(dir, "checkpoints")).ok());
  EXPECT_EQ(Step(dir, 5)["samples_hash"], hash);
  EXPECT_THAT(std::string(Step(dir, 5)["plan"]), HasSubstr("recipe.yaml"));
  // A data set that was written anew is not what the run read.
  ASSERT_TRUE(RemoveTree(JoinPath(work(), "sea_text_document.idx")).ok());
  EXPECT_THAT(Trainctl({"data", "inspect", "--run", dir, "--step", "5"}).err,
              HasSubstr("sea_text_document.idx"));
}

TEST_F(InspectStepTest, AMegatronCacheIsComparedAtTheStartAndPlanSaysWhatTheIndicesCost) {
  const std::string folder = JoinPath(work(), "cache");
  ASSERT_TRUE(MakeDirs(folder).ok());
  std::vector<std::string> more = Sets("megatron");
  more.insert(more.end(), {"--set", "data.megatron.cache=cache"});
  const auto with = [&more](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::string dir = RunDir("cached");
  const Ran ran = Trainctl(with({"train", "tiny.yaml", "--run-dir", dir}));
  EXPECT_EQ(ran.code, kOk) << ran.err;
  EXPECT_THAT(ReadFile(JoinPath(dir, "logs/attempt-1.rank-0.log")).value(),
              HasSubstr("data.megatron.cache: 0 files of the train split agree"));
  ASSERT_TRUE(AtomicWrite(JoinPath(folder, "0a-GPTDataset-train-description.txt"), "{").ok());
  const Ran damaged = Trainctl(with({"train", "tiny.yaml", "--run-dir", RunDir("damaged")}));
  EXPECT_NE(damaged.code, kOk);
  EXPECT_THAT(damaged.out + damaged.err, HasSubstr("0a-GPTDataset-train-description.txt"));

  EXPECT_GT(Json(with({"plan", "tiny.yaml"}))["index_bytes_per_rank"], 4 * 80);
  EXPECT_THAT(Trainctl(with({"plan", "tiny.yaml"})).out, HasSubstr("Indices of order: megatron: "));
  EXPECT_FALSE(Json({"plan", "tiny.yaml"}).contains("index_bytes_per_rank"));
}

TEST_F(InspectStepTest, RunsOfAControllerAreKnownByName) {
  StartController();
  StartTrainerd("galley-rank");
  const std::string run = Submit("{}", Sets("megatron"));
  EXPECT_EQ(Trainctl({"watch", run}).code, kOk);
  for (const std::string& reference : {run, std::string("tiny")}) {
    EXPECT_EQ(Step(reference, 20)["agrees"], true);
  }
  EXPECT_EQ(Json({"checkpoints", run}).back()["sources"].size(), 2u);
  EXPECT_EQ(Trainctl({"data", "inspect", "--run", "nobody", "--step", "1"}).code, kNotFound);
}

}  // namespace
}  // namespace galley::trainctl
