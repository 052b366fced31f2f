// What holds of the text of all sources, beside the order of modules.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/modules.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;

// Third-party libraries are each known to one module, so that their types do not travel.
TEST(Sources, EachLibraryIsIncludedByItsOwnModuleOnly) {
  const std::vector<std::pair<std::string, Strings>> owners = {
      {"yaml-cpp/", {"runtime/recipe"}},
      {"ucp/api", {"runtime/comm"}},
      {"sqlite3.h", {"service/run"}},
      {"prometheus/", {"exporters"}},
      {"dnnl", {"runtime/ops"}},
      {"pcre2.h", {"runtime/tokenizer"}},
      {"utf8proc.h", {"runtime/tokenizer"}},
      {"grpcpp/", {"service/controller", "service/node", "service/trainctl"}},
  };
  Strings breaks;
  for (const Include& i : Includes(Sources())) {
    for (const auto& [prefix, modules] : owners) {
      if (i.header.rfind(prefix, 0) == 0 && std::ranges::find(modules, ModuleOf(i.file)) == modules.end()) {
        breaks.push_back(i.file + ":" + std::to_string(i.line) + ": " + i.header);
      }
    }
  }
  EXPECT_EQ(breaks, Strings{});
}

// runtime/tensor/stream.h's first line: ops reach their overload through Launch, and nobody else asks which
// backend a stream or a device is of.
TEST(Sources, OneConditionalOnABackend) {
  static const std::regex question(
      "(get|get_if|holds_alternative)<(Cpu|Cuda)Stream>|is_same(_v)?<[^>]*(Cpu|Cuda)Stream|"
      "stream_?\\.index\\(\\)|DeviceKind::|#\\s*if.*CUDA|__CUDACC__");
  std::set<std::string> asking;
  for (const std::string& file : Sources()) {
    if (!IsTest(file) && std::regex_search(TextOf(file), question)) asking.insert(file);
  }
  const std::set<std::string> stream = {"runtime/tensor/device.h", "runtime/tensor/stream.h"};
  EXPECT_EQ(asking, stream);  // device.h: a Device is of the CPU unless said otherwise
}

struct Callee {
  std::string module, names;
};

// Who is above a module and calls one of its functions: "file: name" for each call, also of another
// namespace's function of that name, and not of a class's.
Strings CallsIn(const std::string& file, const std::string& text, const Callee& callee) {
  Strings out;
  const std::string module = ModuleOf(file);
  if (IsTest(file) || (!module.empty() && Levels().at(module) <= Levels().at(callee.module))) return out;
  const std::regex call("(^|[^\\w.>:])((?:::)?(?:\\w+::)*)(" + callee.names + ")\\b");
  const std::regex of_a_class("(^|::)[A-Z]\\w*::$");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    line.resize(std::min(line.size(), line.find("//")));
    for (std::sregex_iterator it(line.begin(), line.end(), call), end; it != end; ++it) {
      if (!std::regex_search((*it)[2].str(), of_a_class)) out.push_back(file + ": " + (*it)[3].str());
    }
  }
  return out;
}

const std::vector<Callee>& Planning() {
  static const std::vector<Callee> planning = {
      {"runtime/recipe", "LoadText|LoadFile"}, {"runtime/models", "Describe"}, {"runtime/plan", "Build"}};
  return planning;
}

// Each form of Prepare loads once and plans once, and nobody else does either: so who counts the recipes that
// a program parses (tests/support/recipe_counter.h) has counted its plans.
TEST(Sources, RecipesAreLoadedDescribedAndPlannedByPrepareAlone) {
  Strings calls;
  for (const std::string& file : Sources()) {
    for (const Callee& callee : Planning())
      std::ranges::move(CallsIn(file, TextOf(file), callee), back_inserter(calls));
  }
  std::ranges::sort(calls);
  const std::string prepare = "runtime/prepare/prepare.cc: ";
  EXPECT_EQ(calls, (Strings{prepare + "Build", prepare + "Describe", prepare + "Describe",
                            prepare + "LoadFile", prepare + "LoadText", prepare + "LoadText"}));
}

TEST(Sources, TheTestSeesACall) {
  const auto calls = [](const char* file, const char* text) {
    return CallsIn(file, text, Planning()[2]).size();
  };
  EXPECT_EQ(calls("service/controller/submission.cc", "  plan::Build(spec, card, memory, nodes);"), 1u);
  EXPECT_EQ(calls("service/controller/submission.cc", "const auto p = galley::plan::Build(a);"), 1u);
  EXPECT_EQ(
      calls("service/controller/submission.cc", "Build(spec, card, memory, nodes);  // found by its spec"),
      1u);
  EXPECT_EQ(calls("service/controller/submission.cc", "using plan::Build;\nauto* f = &plan::Build;"), 2u);
  EXPECT_EQ(
      calls("service/controller/submission.cc", "data::Packing::Build(a); index.Build(a); // plan::Build"),
      0u);
  EXPECT_EQ(calls("service/controller/core_test.cc", "plan::Build(a);"), 0u);
  EXPECT_EQ(calls("runtime/plan/plan.cc", "Plan Build(a) {"), 0u);
}

// Of text that people write: sources, and what builds and tests them.
bool IsWritten(const std::string& file) {
  static const std::set<std::string> extensions = {".proto", ".py", ".sh", ".cmake"};
  const std::filesystem::path path = file;
  return IsSource(file) || extensions.contains(path.extension()) || path.filename() == "CMakeLists.txt" ||
         file == "dev";
}

// 400 is the goal.
TEST(Sources, NoFileHasMoreThan600Lines) {
  Strings longer;
  int64_t files = 0;
  for (const std::string& file : Files()) {
    if (!IsWritten(file)) continue;
    ++files;
    const std::string text = TextOf(file);
    const auto lines = std::ranges::count(text, '\n');
    if (lines > 600) longer.push_back(file + ": " + std::to_string(lines));
  }
  EXPECT_GT(files, 20);
  EXPECT_EQ(longer, Strings{});
}

}  // namespace
}  // namespace galley
