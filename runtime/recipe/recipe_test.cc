// What the data files of tests/recipes cannot say: suggestions,
// paths, comparisons, texts that come from elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "runtime/recipe/kinds.h"
#include "runtime/recipe/leaf.h"
#include "runtime/recipe/load.h"
#include "runtime/recipe/overlay.h"
#include "runtime/recipe/schema.h"
#include "runtime/recipe/suggest.h"

namespace galley::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kSmall[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: small}
model: {family: grouped, layers: 2, hidden: 64, heads: 4, ffn: 128, context: 32, vocab: 256}
data: {tokenizer: {kind: bytes}, train: [{path: data/corpus}, {path: /abs/other}]}
batch: {micro: 2, global: 8}
train: {until: 100 steps}
schedule: {lr: {peak: 1e-3}}
)";

// Two families: one key of its own, and one key that both have.
struct PlainKeys {
  double dropout = 0;
};
struct GroupedKeys {
  int64_t kv_heads = 0;
  double dropout = 0.5;
};

template <class Keys>
void DeclareDropout(Declare<Keys>& d) {
  d.Leaf("dropout", &Keys::dropout, NumberCodec(), "Share of values set to 0.").Below(1).Warn();
}

const Family& Plain() {
  static const Family family = [] {
    Family f{.name = "plain",
             .doc = "One head is as good as another.",
             .activations = {Activation::kGeluTanh, Activation::kGeluErf},
             .defaults = PlainKeys{},
             .keys = {}};
    Declare<PlainKeys> d(f.keys);
    DeclareDropout(d);
    return f;
  }();
  return family;
}

const Family& Grouped() {
  static const Family family = [] {
    Family f{.name = "grouped",
             .doc = "Heads share keys and values.",
             .activations = {Activation::kSwiglu},
             .defaults = GroupedKeys{},
             .keys = {},
             .finish =
                 [](Model& m) {
                   auto& keys = m.keys.As<GroupedKeys>();
                   if (keys.kv_heads == 0) keys.kv_heads = m.heads;
                 },
             .check =
                 [](Checker& c) {
                   if (!c.Sound({"model.kv_heads", "model.heads"})) return;
                   c.WantMultiple("model.heads", c.spec.model.heads, "model.kv_heads",
                                  c.spec.model.keys.As<GroupedKeys>().kv_heads);
                 }};
    Declare<GroupedKeys> d(f.keys);
    d.Leaf("kv_heads", &GroupedKeys::kv_heads, IntegerCodec(), "Key and value heads.")
        .After("heads")
        .AtLeast(1)
        .Default("heads")
        .Fixed();
    DeclareDropout(d);
    return f;
  }();
  return family;
}

const Families kFamilies = {&Plain(), &Grouped()};
const Rules kRules = {kFamilies};

LoadResult Small(const std::vector<std::string>& sets = {}) {
  return LoadString(kSmall, "recipe.yaml", "/home/me/run", kRules, sets);
}

std::string FaultsOfModel(const std::string& model) {
  const std::string yaml =
      "model: {layers: 2, hidden: 64, heads: 4, ffn: 128, context: 32, vocab: 256, " + model;
  std::string text = kSmall;
  const size_t begin = text.find("model:"), end = text.find('\n', begin);
  text.replace(begin, end - begin, yaml + "}");
  return FormatFaults(LoadString(text, "r.yaml", "/", kRules).faults);
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
  EXPECT_EQ(LoadText(moved, kRules).spec->data.train[0].path, "/elsewhere/data/corpus");
}

TEST(Load, DefaultsThatOtherFieldsDecide) {
  const LoadResult result = Small({"parallelism.data=4", "launcher.nodes=2"});
  ASSERT_TRUE(result.spec) << FormatFaults(result.faults);
  EXPECT_EQ(result.spec->launcher.ranks_per_node, 2);
}

TEST(Family, DecidesDefaultsAndHoldsItsOwnKeys) {
  const LoadResult grouped = Small();
  EXPECT_EQ(grouped.spec->model.family, &Grouped());
  EXPECT_EQ(grouped.spec->model.activation, Activation::kSwiglu);
  EXPECT_EQ(grouped.spec->model.keys.As<GroupedKeys>().kv_heads, 4);
  EXPECT_EQ(grouped.spec->model.keys.As<GroupedKeys>().dropout, 0.5);
  const LoadResult plain = Small({"model.family=plain", "model.dropout=0.25"});
  EXPECT_EQ(plain.spec->model.activation, Activation::kGeluTanh);
  EXPECT_EQ(plain.spec->model.keys.As<PlainKeys>().dropout, 0.25);
  EXPECT_DEATH(plain.spec->model.keys.As<GroupedKeys>(), "keys of another family");
}

// Where a family says, among the shared ones: hashes and texts of old recipes depend on the order.
TEST(Family, ItsKeysStandAmongTheSharedOnes) {
  EXPECT_THAT(
      Small().text.canonical,
      HasSubstr("  family: grouped\n  layers: 2\n  hidden: 64\n  heads: 4\n  kv_heads: 4\n  ffn: 128\n"));
  EXPECT_THAT(Small({"model.family=plain"}).text.canonical, Not(HasSubstr("kv_heads")));
}

TEST(Family, AKeyOfAnotherOneIsAFault) {
  constexpr char kFault[] = ": error: model.kv_heads: does not apply here; only with family: grouped\n";
  EXPECT_EQ(FaultsOfModel("family: plain, kv_heads: 2"), std::string("r.yaml:4:102") + kFault);
  EXPECT_EQ(FaultsOfModel("kv_heads: 2, family: plain"), std::string("r.yaml:4:87") + kFault);
  EXPECT_EQ(FaultsOfModel("kv_heads: 2, family: grouped"), "");
  // Its own faults are said all the same, and nothing is said where the family is not known.
  EXPECT_THAT(FaultsOfModel("family: plain, kv_heads: 0"), HasSubstr("model.kv_heads: must be at least 1"));
  EXPECT_EQ(FaultsOfModel("family: grouper, kv_heads: 2"),
            "r.yaml:4:85: error: model.family: expected one of plain, grouped, got 'grouper'; did you mean "
            "'grouped'?\n");
  EXPECT_EQ(FaultsOfModel("family: grouped, kvheads: 2"),
            "r.yaml:4:94: error: model.kvheads: unknown key; did you mean 'kv_heads'?\n");
}

TEST(Family, ItsCheckAndItsActivations) {
  EXPECT_EQ(FaultsOfModel("family: grouped, kv_heads: 3"),
            "r.yaml:4:39: error: model.heads: 4 is not divisible by model.kv_heads = 3\n");
  EXPECT_THAT(FaultsOfModel("family: grouped, activation: gelu_erf"),
              HasSubstr("model.activation: grouped takes swiglu only"));
}

TEST(Family, AKeyOfTwoIsExplainedOnce) {
  const FieldDoc dropout = Explain("model.dropout", kFamilies).value();
  EXPECT_EQ(dropout.applies, "family: plain or grouped");
  EXPECT_EQ(dropout.default_text, "0 for plain, 0.5 for grouped");
  EXPECT_EQ(Explain("model.kv_heads", kFamilies)->applies, "family: grouped");
  EXPECT_FALSE(Explain("model.kv_heads", {&Plain()}).ok());
  EXPECT_EQ(Explain("model.family", kFamilies)->doc,
            "plain: One head is as good as another. grouped: Heads share keys and values.");
}

TEST(Family, OfAnotherFamilyEveryKeyOfItsOwnDiffers) {
  std::vector<std::string> paths;
  for (const Change& c : Compare(*Small().spec, *Small({"model.family=plain"}).spec)) paths.push_back(c.path);
  EXPECT_THAT(paths, ElementsAre("model.family", "model.kv_heads", "model.activation", "model.dropout"));
}

TEST(Load, AFileThatIsNotThere) {
  const LoadResult result = LoadFile("/nowhere/recipe.yaml", kRules);
  EXPECT_FALSE(result.spec);
  EXPECT_EQ(FormatFaults(result.faults),
            "/nowhere/recipe.yaml: error: /nowhere/recipe.yaml: No such file or directory\n");
}

// A text that was tampered with on its way, or made by another version, has locations all the same.
TEST(Load, FaultsOfACanonicalTextHaveTheOriginsLocations) {
  RecipeText text = Small({"batch.micro=4"}).text;
  const size_t at = text.canonical.find("micro: 4");
  text.canonical.replace(at, 8, "micro: 3");
  const LoadResult result = LoadText(text, kRules);
  EXPECT_EQ(
      FormatFaults(result.faults),
      "recipe.yaml:6:27: error: batch.global: 8 is not divisible by batch.micro x parallelism.data = 3\n");
}

TEST(Load, OriginsThatCannotBeReadChangeNothing) {
  RecipeText text = Small().text;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& origins : std::initializer_list<std::string>{
           "", "{", "[]", "{\"files\":3,\"places\":[]}", "{\"places\":{\"model.layers\":\"::\"}}",
           "{\"places\":{\"model.layers\":7,\"batch\":\"x:y:z\"}}", "{\"files\":" + deep + "}",
           "{\"places\":{\"batch\":" + deep + "}}"}) {
    text.origins_json = origins;
    EXPECT_TRUE(LoadText(text, kRules).spec) << origins.substr(0, 80);
  }
}

TEST(Kinds, AreNamedAsRecipesSpellThem) {
  EXPECT_EQ(NameOf(LauncherKind::kSlurm), "slurm");
  EXPECT_EQ(NameOf(ExporterKind::kPrometheus), "prometheus");
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
