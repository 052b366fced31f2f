// Nothing but a test keeps the order of modules: reads every #include and fails on one that goes up or
// sideways, and compares each module's CMakeLists.txt with what its sources include.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/modules.h"
#include "tests/support/paths.h"

namespace galley {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

// Why a file of a module may not include one of its own; empty when it may.
std::string BreakOfParts(const std::string& file, const std::string& header) {
  if (IsTest(file)) return "";  // a test may use all of its module
  const std::string part = PartOf(file), other = PartOf(header);
  if (HasParts(ModuleOf(file)) && (part.empty() || other.empty())) {
    return "of no part of a module that has some, or from there";
  }
  if (part == other || PartLevels().at(other) < PartLevels().at(part)) return "";
  return "of a part that is not below its own";
}

// Why a file may not include what is tests' and benches'; empty when it may.
std::string BreakOfTests(const std::string& file, const std::string& header) {
  const bool of_tests = header.rfind("tests/", 0) == 0, of_benches = header.rfind("bench/", 0) == 0;
  if (file.rfind("tests/", 0) == 0) return of_benches ? "of bench/ from tests/" : "";
  if (file.rfind("bench/", 0) == 0) return of_tests ? "of tests/ from bench/" : "";
  const bool may = IsTest(file) ? !of_benches : !of_tests && !of_benches && !IsTest(header);
  return may ? "" : "what only tests and benches may include";
}

// Why a file may not include a header; empty when it may.
std::string Break(const std::string& file, const std::string& header) {
  if (header.find("./") != std::string::npos ||
      (ModuleOf(header).empty() &&
       fs::exists(fs::path(SourceDir()) / fs::path(file).parent_path() / header))) {
    return "by a path that does not begin at the source root";
  }
  if (const std::string why = BreakOfTests(file, header); !why.empty()) return why;
  if (file.rfind("tests/", 0) == 0 || file.rfind("bench/", 0) == 0) return "";
  const std::string from = ModuleOf(file), to = ModuleOf(header);
  if (from.empty()) return "from outside every module";
  if (to.empty()) return "";
  if (from == to) return BreakOfParts(file, header);
  return Levels().at(to) < Levels().at(from)
             ? ""
             : "on level " + std::to_string(Levels().at(to)) + ", not below its own";
}

Strings Breaks(const std::vector<Include>& includes) {
  Strings out;
  for (const Include& i : includes) {
    const std::string why = Break(i.file, i.header);
    if (!why.empty())
      out.push_back(i.file + ":" + std::to_string(i.line) + ": includes " + i.header + " " + why);
  }
  return out;
}

TEST(Layering, NoIncludeGoesUpOrSideways) {
  Strings files = Files();
  std::erase_if(files, [](const std::string& file) { return !IsSource(file); });
  const std::vector<Include> includes = Includes(files);
  ASSERT_GT(includes.size(), 20u);
  EXPECT_EQ(Breaks(includes), Strings{});
}

TEST(Layering, TheTestSeesABreak) {
  const auto breaks = [](const char* file, const char* header) { return Breaks({{file, header, 3}}).size(); };
  EXPECT_EQ(breaks("runtime/base/file.cc", "runtime/recipe/spec.h"), 1u);
  EXPECT_EQ(breaks("runtime/ops/a.cc", "runtime/comm/group.h"), 1u);
  EXPECT_EQ(breaks("runtime/models/gpt2/model.cc", "runtime/models/llama/spec.h"), 1u);
  EXPECT_EQ(breaks("runtime/models/gpt2/model.cc", "runtime/models/llama/model.h"), 1u);
  EXPECT_EQ(breaks("runtime/models/families.cc", "runtime/models/gpt2/spec.h"), 0u);
  EXPECT_EQ(breaks("runtime/data/store/indexed_dataset.h", "runtime/data/order/order.h"), 1u);
  EXPECT_EQ(breaks("runtime/data/ingest/jsonl.cc", "runtime/data/megatron/npy.h"), 1u);
  EXPECT_EQ(breaks("runtime/data/tools/rewrite_test.cc", "runtime/data/ingest/tokenize.h"), 0u);
  EXPECT_EQ(breaks("runtime/train/loop.cc", "runtime/comm/group.h"), 0u);
  EXPECT_EQ(breaks("runtime/train/loop.cc", "tests/support/program.h"), 1u);
  EXPECT_EQ(breaks("runtime/ops/gelu_test.cc", "bench/ops/peak.h"), 1u);
  EXPECT_EQ(breaks("runtime/train/loop.cc", "runtime/tensor/guarded_memory_for_test.h"), 1u);
  EXPECT_EQ(breaks("runtime/train/step_test.cc", "runtime/tensor/guarded_memory_for_test.h"), 0u);
  EXPECT_EQ(breaks("runtime/base/file.cc", "../train/loop.h"), 1u);
  EXPECT_EQ(breaks("runtime/train/loop.cc", "step.h"), 1u);
  EXPECT_EQ(breaks("runtime/extra/loop.cc", "runtime/comm/group.h"), 1u);
  EXPECT_EQ(breaks("web/page.cc", "service/view/rows.h"), 1u);
  EXPECT_EQ(breaks("runtime/data/hole.h", "runtime/data/order/order.h"), 1u);
  EXPECT_EQ(breaks("runtime/data/store/indexed_dataset.cc", "runtime/data/hole.h"), 1u);
  EXPECT_EQ(breaks("runtime/models/bert/model.h", "runtime/models/engine.h"), 1u);
  EXPECT_EQ(breaks("runtime/base/table.inc", "runtime/train/loop.h"), 1u);
  EXPECT_EQ(breaks("tests/golden/golden_run.cc", "bench/ops/slices.h"), 1u);
  EXPECT_EQ(breaks("bench/ops/main.cc", "tests/support/program.h"), 1u);
  EXPECT_EQ(breaks("tests/golden/golden_run.cc", "tests/support/program.h"), 0u);
  EXPECT_TRUE(IsSource("runtime/base/file.hpp"));
  EXPECT_TRUE(IsSource("runtime/base/file.inc"));
  EXPECT_FALSE(IsTest("runtime/base/latest.h"));
  EXPECT_TRUE(IsTest("runtime/ops/op_test.h"));
  EXPECT_TRUE(IsTest("runtime/data/store/testing.h"));
}

// A folder of sources that no table knows would have no level, nor would a file beside the parts of a module.
TEST(Layering, EveryFolderOfSourcesIsListed) {
  std::set<std::string> unlisted;
  for (const std::string& file : Sources()) {
    const std::string folder = fs::path(file).parent_path().string();
    const bool module = Levels().contains(folder) && !HasParts(folder);
    if (module || TestFolders().contains(folder) || PartLevels().contains(folder + "/")) continue;
    unlisted.insert(folder);
  }
  EXPECT_EQ(unlisted, std::set<std::string>{});
}

// What a CMakeLists.txt gives its targets, tests apart, by keyword ("" for arguments before the first).
std::map<std::string, Strings> Declared(std::string cmake) {
  cmake = std::regex_replace(cmake, std::regex("#[^\n]*"), "");
  std::map<std::string, Strings> out;
  static const std::regex call("(galley_library|galley_binary|target_link_libraries)\\s*\\(([^)]*)\\)");
  static const std::regex word("[^\\s]+"), keyword("[A-Z_]+");
  for (std::sregex_iterator it(cmake.begin(), cmake.end(), call), end; it != end; ++it) {
    const std::string arguments = (*it)[2].str();
    if (arguments.find("_test") != std::string::npos) continue;
    std::string key;
    for (std::sregex_iterator w(arguments.begin(), arguments.end(), word); w != end; ++w) {
      if (std::regex_match(w->str(), keyword)) {
        key = w->str();
        out[key];
      } else {
        out[key].push_back(w->str());
      }
    }
  }
  return out;
}

// The modules among target names, `own` and other libraries apart; of a spec library, its module.
std::set<std::string> Modules(const std::string& own, const Strings& targets) {
  std::set<std::string> out;
  for (std::string name : targets) {
    if (name.rfind("galley_", 0) == 0) name = name.substr(7);
    if (name == "proto_grpc") name = "proto";
    if (name.ends_with("_spec")) name.resize(name.size() - 5);
    for (const auto& [module, level] : Levels()) {
      if (module != own && module.substr(module.rfind('/') + 1) == name) out.insert(module);
    }
  }
  return out;
}

// The modules that the product's files of a module include; `only`: those of these names and their headers.
std::set<std::string> Included(const std::string& own, const Strings* only) {
  static const std::vector<Include> includes = Includes(Sources());
  std::set<std::string> out;
  for (const Include& i : includes) {
    const std::string to = ModuleOf(i.header);
    if (ModuleOf(i.file) != own || to.empty() || to == own || IsTest(i.file)) continue;
    const std::string source = fs::path(i.file).stem().string() + ".cc";
    if (only == nullptr || std::ranges::find(*only, source) != only->end()) out.insert(to);
  }
  return out;
}

TEST(Layering, CMakeNamesWhatTheSourcesInclude) {
  for (const auto& [module, level] : Levels()) {
    if (module == "proto") continue;
    std::map<std::string, Strings> declared = Declared(TextOf(module + "/CMakeLists.txt"));
    Strings all = declared["DEPS"];
    for (const char* key : {"", "PRIVATE_DEPS", "PUBLIC", "PRIVATE"}) {
      all.insert(all.end(), declared[key].begin(), declared[key].end());
    }
    EXPECT_EQ(Modules(module, all), Included(module, nullptr)) << module << "/CMakeLists.txt";
    for (const std::string& name : declared["DEPS"]) {
      EXPECT_EQ(name.find("${"), std::string::npos)
          << module << "/CMakeLists.txt: " << name << " names nothing";
    }
    if (declared["SPEC"].empty()) continue;
    EXPECT_EQ(Modules(module, declared["SPEC_DEPS"]), Included(module, &declared["SPEC"])) << module;
  }
}

}  // namespace
}  // namespace galley
