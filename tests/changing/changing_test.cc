// docs/changing/README.md says what each kind of change costs. Its tables are counted from an example of each
// kind that the code has already. After a change of the code that moves a count, run this test with
// GALLEY_WRITE_DOCS=1, and look at the difference: a number that grew is a design that got worse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "tests/changing/count.h"
#include "tests/changing/examples.h"
#include "tests/support/paths.h"

namespace galley {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPage[] = "docs/changing/README.md";

std::string Source(const std::string& path) { return SourceDir() + "/" + path; }
std::string Read(const std::string& path) { return ReadFile(Source(path)).value(); }

const std::map<std::string, Cost>& Costs() {
  static const std::map<std::string, Cost> costs = [] {
    std::map<std::string, Cost> out;
    for (const Example& example : Examples()) out[example.change] = Count(SourceDir(), example);
    return out;
  }();
  return costs;
}

std::string ListOf(const std::map<std::string, int>& lines) {
  if (lines.empty()) return "none";
  return absl::StrJoin(lines, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, "`", entry.first, "` ", entry.second);
  });
}

// The page has `want` between the lines that begin and end the table `name`, or is given it.
void ExpectTable(const std::string& name, const std::string& want) {
  const std::string first = absl::StrCat("<!-- begin ", name, " -->\n");
  const std::string text = Read(kPage);
  const size_t begin = text.find(first), end = text.find(absl::StrCat("<!-- end ", name, " -->"));
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const size_t body = begin + first.size();
  if (getenv("GALLEY_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(AtomicWrite(Source(kPage), text.substr(0, body) + want + text.substr(end)).ok());
    return;
  }
  EXPECT_EQ(text.substr(body, end - body), want);
}

TEST(Changing, TheTableIsCountedFromTheCode) {
  std::string want =
      "| change | counted of | files of its own | lines elsewhere | which |\n|---|---|---|---|---|\n";
  for (const Example& example : Examples()) {
    const Cost& cost = Costs().at(example.change);
    absl::StrAppend(&want, "| ", example.change, " | ", example.name, " | ", cost.own_files, " | ",
                    cost.total(), " | ", ListOf(cost.lines), " |\n");
  }
  ExpectTable("counted", want);
}

// Whatever line of the product names an example is its own, is counted, or is listed as no cost of a new one.
TEST(Changing, NothingThatNamesAnExampleIsForgotten) {
  for (const auto& [change, cost] : Costs()) {
    EXPECT_THAT(cost.faults, IsEmpty()) << change;
    EXPECT_GT(cost.total() + cost.own_files, 0) << change << ": its example is no longer in the code";
  }
}

TEST(Changing, NoneButAnRpcCostsMoreThanTenLinesElsewhere) {
  std::vector<std::string> above;
  for (const Example& example : Examples()) {
    if (Costs().at(example.change).total() > 10) above.push_back(example.change);
  }
  EXPECT_THAT(above, ElementsAre("an RPC"));
}

// What the page says of the toys.
TEST(Changing, TheToysTakeTheLinesThatThePageNames) {
  std::string want = "| toy | lines it has the like of | only a real one needs |\n|---|---|---|\n";
  for (const Toy& toy : Toys()) {
    std::map<std::string, int> taken, left = Costs().at(toy.change).lines;
    for (const auto& [path, lines] : toy.taken) {
      const int count = CountLines(Read(lines.path), false, lines.pattern);
      EXPECT_GT(count, 0) << lines.path << ": no " << lines.pattern;
      taken[path] += count;
      ASSERT_GE(left[path] -= count, 0) << path;
    }
    std::erase_if(left, [](const auto& entry) { return entry.second == 0; });
    absl::StrAppend(&want, "| ", toy.change, " | ", ListOf(taken), " | ", ListOf(left), " |\n");
  }
  ExpectTable("toys", want);
}

// The lists of tests/toys are the product's but for the toys' lines.
TEST(Changing, TheToysListsAddNothingElse) {
  for (const char* list : {"families.cc", "makers.cc"}) {
    const std::string path = absl::StrCat("runtime/models/", list);
    EXPECT_EQ(AddedLines(Read(path), Read(absl::StrCat("tests/toys/", list))),
              Costs().at("a model family").lines.at(path))
        << list;
  }
  // The product's exporters are declared beside the list, the toy's needs an include instead.
  EXPECT_EQ(AddedLines(Read("service/node/exporter_kinds.cc"), Read("tests/toys/exporter_kinds.cc")), 2);
}

TEST(Changing, WhatBeginsAtAMatchIsCountedWhole) {
  const auto count = [](const char* text, const char* pattern) { return CountLines(text, false, pattern); };
  EXPECT_EQ(count("int a[] = {\n  {1,\n\n   // one\n   \"}\"},\n  {2},\n};\n", "\\{1"), 2);
  EXPECT_EQ(count("int a[] = {\n  {1,\n   'x'},\n  {2},\n};\n", "\\{2"), 1);
  EXPECT_EQ(count("int F(int a,\n      int b);\nint G();\n", "int F"), 2);
  EXPECT_EQ(count("int F(int a) {\n  if (a) {\n    a = 1'000;\n  }\n  return a;\n}\nint G();\n", "int F"), 6);
  EXPECT_EQ(count("  Leaf(\"x\")\n      .AtLeast([] { return 1; })\n      .Warn();\n  Leaf(\"y\");\n",
                  "Leaf\\(\"x"),
            3);
  EXPECT_EQ(count("enum E {\n  kA,\n  kB\n};\n", "kA"), 1);
  EXPECT_EQ(count("enum E {\n  kA,\n  kB\n};\n", "kB"), 1);
  EXPECT_EQ(count("#include \"a.h\"\n#include \"b.h\"\nint a;\n", "#include \"a.h\""), 1);
  EXPECT_EQ(count("// kA\nint b;  // kA\n", "kA"), 0);
  EXPECT_EQ(CountLines("lib(a\n  b\n  c)\n", true, "\\bb\\b"), 1);
}

TEST(Changing, TheCountSeesADifference) {
  EXPECT_EQ(AddedLines("a\nb\n", "a\nx\nb\ny\n"), 2);
  EXPECT_EQ(AddedLines("a\nb\n", "a\nx\n"), -1);
  const Example sink{.change = "",
                     .name = "",
                     .names = "class Sink \\{",
                     .own = {},
                     .touched = {{"runtime/metrics/sink.h", "class Link \\{"}, {"runtime/none.h", "x"}}};
  EXPECT_THAT(Count(SourceDir(), sink).faults,
              ElementsAre(HasSubstr("no class Link"), HasSubstr("sink.h:"), "runtime/none.h: no such file"));
}

}  // namespace
}  // namespace galley
