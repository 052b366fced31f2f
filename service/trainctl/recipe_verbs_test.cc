// The offline verbs as a user runs them: output, streams and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/file.h"
#include "runtime/models/families.h"
#include "runtime/recipe/schema.h"
#include "service/trainctl/verb.h"
#include "tests/support/paths.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

struct Ran {
  int code = -1;
  std::string out, err;
};

Ran Trainctl(const std::string& arguments) {
  const TempDir dir;
  const std::string out = dir.path() + "/out", err = dir.path() + "/err";
  const std::string command =
      "cd " + SourceDir() + " && " + BinDir() + "/trainctl " + arguments + " >" + out + " 2>" + err;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(out).value(), ReadFile(err).value()};
}

TEST(Validate, FaultsGoToStderrAndExitIsSix) {
  const Ran good = Trainctl("validate recipes/quickstart.yaml");
  EXPECT_EQ(good.code, kOk);
  EXPECT_THAT(good.out, StartsWith("recipes/quickstart.yaml: valid, recipe "));
  EXPECT_EQ(good.err, "");
  const Ran bad = Trainctl("validate recipes/quickstart.yaml --set batch.micro=x --set model.hiden=1");
  EXPECT_EQ(bad.code, kInvalidRecipe);
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(bad.err,
            "--set batch.micro: error: expected a whole number, got 'x'\n"
            "--set model.hiden: error: unknown key; did you mean 'hidden'?\n");
  EXPECT_EQ(Trainctl("validate nowhere.yaml").code, kNotFound);
  EXPECT_EQ(Trainctl("validate").code, kUsage);
  EXPECT_EQ(Trainctl("validate -o name recipes/quickstart.yaml").code, kUsage);
}

TEST(Validate, Json) {
  const Ran bad = Trainctl("validate -o json recipes/quickstart.yaml --set train.until=5");
  EXPECT_EQ(bad.code, kInvalidRecipe);
  const Json json = Json::parse(bad.out);
  EXPECT_EQ(json["valid"], false);
  ASSERT_EQ(json["faults"].size(), 1u);
  EXPECT_EQ(json["faults"][0]["path"], "train.until");
  EXPECT_EQ(json["faults"][0]["severity"], "error");
  const Json tr1 = Json::parse(Trainctl("validate -o json recipes/gpt2_13b_tr1.yaml").out);
  EXPECT_EQ(tr1["valid"], true);
  EXPECT_EQ(tr1["faults"].size(), 8u);
  EXPECT_EQ(tr1["faults"][0]["not_built"], true);
}

TEST(Plan, TheGoldenNumbersOfTr1) {
  const Ran plan = Trainctl("plan -o json recipes/gpt2_13b_tr1.yaml");
  EXPECT_EQ(plan.code, kOk);
  EXPECT_THAT(plan.err, HasSubstr("not built in this version"));
  const Json json = Json::parse(plan.out);
  EXPECT_EQ(json["run"]["steps"], 311541);
  EXPECT_EQ(json["model"]["parameters"], 12853386240);
  EXPECT_EQ(json["batch"]["stages"].size(), 64u);
  EXPECT_EQ(json["batch"]["stages"][63]["first_step"], 23456);
  EXPECT_EQ(json["batch"]["stages"][63]["first_samples"], 5000528);
  EXPECT_EQ(json["batch"]["legal_world_sizes"], (Json{8, 16, 32, 64, 128}));
  EXPECT_EQ(json["learning_rate"][1]["name"], "warm-up ends");
  EXPECT_EQ(json["learning_rate"][1]["step"], 8641);
  EXPECT_EQ(json["checkpoints"]["count"], 269);
  const Ran table = Trainctl("plan recipes/gpt2_13b_tr1.yaml");
  for (const char* text :
       {"311,541 steps", "12,853,386,240 parameters", "warm-up ends         8,641", "23,456"}) {
    EXPECT_THAT(table.out, HasSubstr(text));
  }
}

TEST(Plan, OfAnInvalidRecipeIsNothing) {
  const Ran plan = Trainctl("plan recipes/quickstart.yaml --set train.until=1");
  EXPECT_EQ(plan.code, kInvalidRecipe);
  EXPECT_EQ(plan.out, "");
}

TEST(Render, CanonicalTextRendersToItself) {
  const Ran first = Trainctl("render recipes/gpt2_124m.yaml");
  EXPECT_EQ(first.code, kOk);
  const TempDir dir;
  ASSERT_TRUE(AtomicWrite(dir.path() + "/again.yaml", first.out).ok());
  EXPECT_EQ(Trainctl("render -o yaml " + dir.path() + "/again.yaml").out, first.out);
}

TEST(Render, OriginsAndJson) {
  const Ran origins = Trainctl("render --origins recipes/quickstart.yaml --set batch.micro=4");
  EXPECT_THAT(origins.out, HasSubstr("  layers: 6  # recipes/quickstart.yaml:4:32\n"));
  EXPECT_THAT(origins.out, HasSubstr("  micro: 4  # --set batch.micro\n"));
  EXPECT_THAT(origins.out, HasSubstr("  seed: 1234  # default\n"));
  const Json json = Json::parse(Trainctl("render -o json recipes/quickstart.yaml").out);
  EXPECT_EQ(json["model"]["layers"], 6);
  EXPECT_EQ(json["train"]["until"], "600 steps");
  EXPECT_EQ(json["model"]["tied_embeddings"], false);
  const Json with = Json::parse(Trainctl("render -o json --origins recipes/quickstart.yaml").out);
  EXPECT_EQ(with["model"]["norm_eps"]["origin"], "default");
  EXPECT_EQ(with["model"]["layers"]["origin"], "recipes/quickstart.yaml:4:32");
}

TEST(Explain, KeysSectionsAndLists) {
  EXPECT_THAT(Trainctl("explain").out, HasSubstr("metadata: The run's name."));
  EXPECT_THAT(Trainctl("explain data.train").out, HasSubstr("data.train[].weight: "));
  const Json json = Json::parse(Trainctl("explain -o json schedule.lr.decay").out);
  EXPECT_EQ(json["default"], "cosine");
  EXPECT_EQ(json["choices"].size(), 5u);
  const Ran wrong = Trainctl("explain modl.hidden");
  EXPECT_EQ(wrong.code, kNotFound);
  EXPECT_THAT(wrong.err, HasSubstr("did you mean 'model.hidden'?"));
}

// Walks the schema along every field the tables have.
TEST(Schema, HoldsEveryKey) {
  const Json schema = Json::parse(Trainctl("schema").out);
  for (const recipe::FieldDoc& doc : recipe::AllFields(models::RecipeFamilies())) {
    Json at = schema["$defs"]["over"];
    std::string path = doc.path;
    while (!path.empty()) {
      const size_t dot = path.find('.');
      std::string key = path.substr(0, dot);
      const bool list = key.size() > 2 && key.substr(key.size() - 2) == "[]";
      if (list) key.resize(key.size() - 2);
      ASSERT_TRUE(at["properties"].contains(key)) << doc.path;
      at = at["properties"][key];
      if (list) at = at["items"];
      path = dot == std::string::npos ? "" : path.substr(dot + 1);
    }
    EXPECT_EQ(at.contains("description"), !doc.path.empty()) << doc.path;
  }
}

}  // namespace
}  // namespace galley::trainctl
