// What the data files of tests/recipes cannot say: suggestions, paths, comparisons, texts that come from
// elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "runtime/recipe/load.h"
#include "runtime/recipe/overlay.h"
#include "runtime/recipe/schema.h"
#include "runtime/recipe/suggest.h"

namespace galley::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kSmall[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: small}
model: {family: llama, layers: 2, hidden: 64, heads: 4, ffn: 128, context: 32, vocab: 256}
data: {tokenizer: {kind: bytes}, train: [{path: data/corpus}, {path: /abs/other}]}
batch: {micro: 2, global: 8}
train: {until: 100 steps}
schedule: {lr: {peak: 1e-3}}
)";

LoadResult Small(const std::vector<std::string>& sets = {}) {
  return LoadString(kSmall, "recipe.yaml", "/home/me/run", sets);
}

TEST(Suggest, NearWordsOnly) {
  const std::vector<std::string> keys = {"hidden", "heads", "layers", "ffn"};
  EXPECT_EQ(Nearest("hiden", keys), "hidden");
  EXPECT_EQ(Nearest("haeds", keys), "heads");
  EXPECT_EQ(Nearest("fnn", keys), "ffn");
  EXPECT_EQ(Nearest("dropout", keys), "");
  EXPECT_EQ(Nearest(std::string(100000, 'x'), keys), "");
}

TEST(Load, PathsAreAbsoluteInTheSpecAndRelativeInTheText) {
  const LoadResult result = Small();
  ASSERT_TRUE(result.spec);
  EXPECT_EQ(result.spec->data.train[0].path, "/home/me/run/data/corpus");
  EXPECT_EQ(result.spec->data.train[1].path, "/abs/other");
  EXPECT_EQ(result.text.root, "/home/me/run");
  EXPECT_THAT(result.text.canonical, HasSubstr("path: data/corpus\n"));
  // The folder moves as a whole.
  RecipeText moved = result.text;
  moved.root = "/elsewhere";
  EXPECT_EQ(LoadText(moved).spec->data.train[0].path, "/elsewhere/data/corpus");
}

TEST(Load, DefaultsThatOtherFieldsDecide) {
  const LoadResult result = Small({"parallelism.data=4", "launcher.nodes=2"});
  ASSERT_TRUE(result.spec) << FormatFaults(result.faults);
  EXPECT_EQ(result.spec->model.kv_heads, 4);
  EXPECT_EQ(result.spec->launcher.ranks_per_node, 2);
  EXPECT_EQ(result.spec->model.activation, Activation::kSwiglu);
  const LoadResult gpt2 = Small({"model.family=gpt2"});
  EXPECT_EQ(gpt2.spec->model.activation, Activation::kGeluTanh);
  EXPECT_TRUE(gpt2.spec->model.tied_embeddings);
}

TEST(Load, AFileThatIsNotThere) {
  const LoadResult result = LoadFile("/nowhere/recipe.yaml");
  EXPECT_FALSE(result.spec);
  EXPECT_EQ(FormatFaults(result.faults),
            "/nowhere/recipe.yaml: error: /nowhere/recipe.yaml: No such file or directory\n");
}

// A text that was tampered with on its way, or made by another version, has places all the same.
TEST(Load, FaultsOfACanonicalTextHaveTheOriginsPlaces) {
  RecipeText text = Small({"batch.micro=4"}).text;
  const size_t at = text.canonical.find("micro: 4");
  text.canonical.replace(at, 8, "micro: 3");
  const LoadResult result = LoadText(text);
  EXPECT_EQ(
      FormatFaults(result.faults),
      "recipe.yaml:6:27: error: batch.global: 8 does not divide by batch.micro x parallelism.data = 3\n");
}

TEST(Load, OriginsThatCannotBeReadChangeNothing) {
  RecipeText text = Small().text;
  for (const char* origins :
       {"", "{", "[]", "{\"files\":3,\"places\":[]}", "{\"places\":{\"model.layers\":\"::\"}}",
        "{\"places\":{\"model.layers\":7,\"batch\":\"x:y:z\"}}"}) {
    text.origins_json = origins;
    EXPECT_TRUE(LoadText(text).spec) << origins;
  }
}

TEST(Overlay, PathsOfSet) {
  EXPECT_THAT(SplitPath("a.b").value(), ElementsAre("a", "b"));
  EXPECT_THAT(SplitPath("a[0].b").value(), ElementsAre("a", "0", "b"));
  EXPECT_THAT(SplitPath("a.0.b").value(), ElementsAre("a", "0", "b"));
  EXPECT_THAT(SplitPath("a[1][2]").value(), ElementsAre("a", "1", "2"));
  for (const char* path : {"", ".", "a.", ".a", "a..b", "a[1", "a]b", "a[1]b", "[0]x"}) {
    EXPECT_FALSE(SplitPath(path).ok()) << path;
  }
}

TEST(Compare, NamesEveryFieldThatDiffersAndItsRule) {
  const RecipeSpec before = *Small().spec;
  const RecipeSpec after =
      *Small({"model.ffn=256", "optimizer.beta2=0.95", "checkpoint.keep.last=3", "batch.micro=4"}).spec;
  EXPECT_TRUE(Compare(before, before).empty());
  std::vector<std::string> lines;
  for (const Change& c : Compare(before, after)) {
    lines.push_back(c.path + " " + c.before + ">" + c.after + " " + std::to_string(static_cast<int>(c.rule)));
  }
  EXPECT_THAT(lines, ElementsAre("model.ffn 128>256 0", "batch.micro 2>4 2", "optimizer.beta2 0.999>0.95 1",
                                 "checkpoint.keep.last >3 2"));
  EXPECT_NE(IdentityHash(before), IdentityHash(after));
}

TEST(Fault, SetFaultsDoNotSayThePathTwice) {
  Fault fault;
  fault.file = "--set batch.micro";
  fault.path = "batch.micro";
  fault.message = "must be at least 1";
  EXPECT_EQ(FormatFault(fault), "--set batch.micro: error: must be at least 1");
  fault.path = "batch.global";
  EXPECT_EQ(FormatFault(fault), "--set batch.micro: error: batch.global: must be at least 1");
}

}  // namespace
}  // namespace galley::recipe
