// The recipes that ship are valid, the docs are true, and every key explains itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"
#include "runtime/models/families.h"
#include "runtime/prepare/prepare.h"
#include "runtime/recipe/schema.h"
#include "tests/support/paths.h"

namespace galley {
namespace {

std::string Source(const std::string& path) { return SourceDir() + "/" + path; }
std::string Read(const std::string& path) { return ReadFile(Source(path)).value(); }

// Bodies of the fenced blocks of a markdown text, of one language.
std::vector<std::string> Fenced(const std::string& text, const std::string& language) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!inside && line == "```" + language) {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += std::string(line) + "\n";
    }
  }
  return blocks;
}

TEST(Docs, ShippedRecipesAreValidAndOnlyTr1IsNotBuilt) {
  const std::vector<std::string> files = ListDir(Source("recipes")).value();
  for (const std::string& name : files) {
    if (!absl::EndsWith(name, ".yaml")) continue;
    const prepare::PrepareResult result = prepare::PrepareFile(Source("recipes/" + name), {});
    EXPECT_TRUE(result.prepared) << recipe::FormatFaults(result.faults);
    EXPECT_EQ(!result.faults.empty(), name == "gpt2_13b_tr1.yaml") << recipe::FormatFaults(result.faults);
  }
}

TEST(Docs, RecipesInTheDocsAreValid) {
  const std::vector<std::string> examples = Fenced(Read("docs/recipe.md"), "yaml");
  ASSERT_GE(examples.size(), 2u);
  for (const std::string& yaml : examples) {
    const recipe::LoadResult result = recipe::LoadString(yaml, "docs/recipe.md", "/", prepare::Rules());
    EXPECT_TRUE(result.spec) << recipe::FormatFaults(result.faults);
  }
}

// docs/recipe.md holds the generated reference between two marks. To renew it, run this
// test with GALLEY_WRITE_DOCS=1.
TEST(Docs, TheKeyReferenceIsThatOfTheTables) {
  constexpr char kBegin[] = "<!-- begin generated -->\n", kEnd[] = "<!-- end generated -->";
  const std::string text = Read("docs/recipe.md");
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const size_t body = begin + sizeof kBegin - 1;
  const std::string want = recipe::MarkdownReference(models::RecipeFamilies());
  if (getenv("GALLEY_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(AtomicWrite(Source("docs/recipe.md"), text.substr(0, body) + want + text.substr(end)).ok());
    return;
  }
  EXPECT_EQ(text.substr(body, end - body), want);
}

TEST(Explain, EveryKeyHasATypeAndAMeaning) {
  EXPECT_GT(recipe::AllFields(models::RecipeFamilies()).size(), 90u);
  for (const recipe::FieldDoc& doc : recipe::AllFields(models::RecipeFamilies())) {
    EXPECT_FALSE(doc.type.empty()) << doc.path;
    EXPECT_TRUE(absl::EndsWith(doc.doc, ".")) << doc.path << ": " << doc.doc;
    const auto found = recipe::Explain(doc.path, models::RecipeFamilies());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->path, doc.path);
    const bool leaf = doc.children.empty();
    EXPECT_EQ(leaf, !doc.resume.empty() || doc.path == "base") << doc.path;
    // Every optional leaf says what leaving it out means.
    if (leaf && !doc.required) {
      EXPECT_FALSE(doc.default_text.empty()) << doc.path;
    }
  }
}

// Explain knows every key that the docs' examples set.
TEST(Explain, EveryKeyOfTheExamples) {
  const std::vector<std::string> examples = Fenced(Read("docs/recipe.md"), "yaml");
  for (const std::string& yaml : examples) {
    const recipe::LoadResult result = recipe::LoadString(yaml, "recipe.yaml", "/", prepare::Rules());
    ASSERT_TRUE(result.spec);
    int keys = 0;
    for (const recipe::Change& value : recipe::Compare(*result.spec, recipe::RecipeSpec{})) {
      if (value.before.empty() || absl::StartsWith(value.path, "metadata.labels.")) continue;
      EXPECT_TRUE(recipe::Explain(value.path, models::RecipeFamilies()).ok()) << value.path;
      ++keys;
    }
    EXPECT_GT(keys, 15);
  }
}

TEST(Explain, PathsOfElementsAndMisspelledPaths) {
  for (const char* path :
       {"data.train.path", "data.train[].path", "data.train[0].path", "data.train.3.path"}) {
    EXPECT_EQ(recipe::Explain(path, models::RecipeFamilies())->path, "data.train[].path") << path;
  }
  EXPECT_EQ(recipe::Explain("model.hiden", models::RecipeFamilies()).status().message(),
            "'model.hiden': no such key; did you mean 'model.hidden'?");
}

}  // namespace
}  // namespace galley
