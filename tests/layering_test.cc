// Nothing but a test keeps the order of modules: reads every #include of the product and fails on one that
// goes up or sideways, and compares each module's CMakeLists.txt with what its sources include.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/paths.h"

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

// As in docs/architecture.md.
const std::map<std::string, int>& Levels() {
  static const std::map<std::string, int> levels = {
      {"runtime/rank", 9},       {"service/controller", 9}, {"service/node", 9},    {"service/trainctl", 9},
      {"service/run", 8},        {"service/view", 8},       {"runtime/train", 8},   {"runtime/generate", 8},
      {"runtime/prepare", 7},    {"runtime/models", 6},     {"runtime/layers", 5},  {"runtime/optim", 5},
      {"runtime/checkpoint", 5}, {"runtime/parallel", 5},   {"launcher", 5},        {"runtime/ops", 4},
      {"runtime/comm", 4},       {"runtime/data", 4},       {"runtime/plan", 4},    {"exporters", 4},
      {"runtime/tensor", 3},     {"runtime/recipe", 3},     {"runtime/metrics", 3}, {"runtime/link", 3},
      {"runtime/tokenizer", 2},  {"runtime/base", 1},       {"proto", 1},
  };
  return levels;
}

// Within a module that has parts: their levels, and those of files that stand beside them. What is on one
// level is a sibling. A path that ends in '/' is a folder, another is a file; the longest that fits counts.
const std::map<std::string, int>& PartLevels() {
  static const std::map<std::string, int> levels = {
      {"runtime/data/store/", 1},
      {"runtime/data/megatron/", 2},
      {"runtime/data/ingest/", 2},
      {"runtime/data/tools/", 2},
      {"runtime/data/order/", 3},

      {"runtime/tokenizer/text/", 1},
      {"runtime/tokenizer/split/", 2},
      {"runtime/tokenizer/", 3},  // the interface
      {"runtime/tokenizer/pipeline/", 4},
      {"runtime/tokenizer/vocab/", 5},
      {"runtime/tokenizer/huggingface/", 5},
      {"runtime/tokenizer/sentencepiece/", 5},

      {"runtime/models/", 1},  // what families are made of
      {"runtime/models/gpt2/", 2},
      {"runtime/models/llama/", 2},
      {"runtime/models/families.cc", 3},  // the lists of families
      {"runtime/models/makers.cc", 3},

      {"service/trainctl/", 1},  // what a verb is
      {"service/trainctl/output/", 2},
      {"service/trainctl/private/", 3},
      {"service/trainctl/data/", 4},
      {"service/trainctl/verbs/", 4},
      {"service/trainctl/verbs.cc", 5},
      {"service/trainctl/main.cc", 5},
  };
  return levels;
}

// Folders of programs that only tests run.
const std::set<std::string>& TestFolders() {
  static const std::set<std::string> folders = {"runtime/ops/steady", "runtime/parallel/steady",
                                                "service/node/fake_rank"};
  return folders;
}

// Of sources and headers alike.
bool IsTest(const std::string& file) {
  static const std::regex test("_(test|fuzz|bench)\\.cc$|(^|[/_])(testing|test|test_[a-z_]+)\\.h$");
  return std::regex_search(file, test) || TestFolders().contains(fs::path(file).parent_path().string());
}

// The module a path below the source root belongs to; empty for what is no module.
std::string ModuleOf(const std::string& path) {
  if (path.rfind("galley/v1/", 0) == 0) return "proto";  // generated headers
  for (const auto& [module, level] : Levels()) {
    if (path.rfind(module + "/", 0) == 0) return module;
  }
  return "";
}

// The part, or the name of the file that stands for itself; empty in a module without parts.
std::string PartOf(const std::string& path) {
  std::string best;
  const std::string folder = fs::path(path).parent_path().string() + "/";
  for (const auto& [part, level] : PartLevels()) {
    if ((part == path || part == folder) && part.size() > best.size()) best = part;
  }
  return best;
}

struct Include {
  std::string file, header;
  int line;
};

// All of the product: what is in no folder of tests, benches, builds or the version control.
Strings Sources(const fs::path& root) {
  Strings out;
  for (const auto& top : fs::directory_iterator(root)) {
    const std::string name = top.path().filename();
    if (!top.is_directory() || name == "tests" || name == "bench" || name[0] == '.' ||
        name.rfind("build", 0) == 0)
      continue;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const std::string ext = entry.path().extension();
      if (ext == ".cc" || ext == ".h" || ext == ".cu" || ext == ".cuh") {
        out.push_back(fs::relative(entry.path(), root).string());
      }
    }
  }
  return out;
}

// Quoted and angled ones alike.
std::vector<Include> Includes(const fs::path& root) {
  std::vector<Include> out;
  static const std::regex include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (const std::string& file : Sources(root)) {
    std::ifstream in(root / file);
    std::string text;
    for (int line = 1; std::getline(in, text); ++line) {
      std::smatch m;
      if (std::regex_search(text, m, include)) out.push_back({file, m[1].str(), line});
    }
  }
  return out;
}

// Why a file may not include a header; empty when it may.
std::string Break(const std::string& file, const std::string& header) {
  if (header.find("./") != std::string::npos ||
      (ModuleOf(header).empty() &&
       fs::exists(fs::path(galley::SourceDir()) / fs::path(file).parent_path() / header))) {
    return "by a path that does not begin at the source root";
  }
  if (header.rfind("bench/", 0) == 0 ||
      ((header.rfind("tests/", 0) == 0 || IsTest(header)) && !IsTest(file))) {
    return "what only tests and benches may include";
  }
  const std::string from = ModuleOf(file), to = ModuleOf(header);
  if (from.empty()) return "from outside every module";
  if (to.empty()) return "";
  if (from != to) {
    return Levels().at(to) < Levels().at(from)
               ? ""
               : "on level " + std::to_string(Levels().at(to)) + ", not below its own";
  }
  if (IsTest(file)) return "";  // a test may use all of its module
  const std::string part = PartOf(file), other = PartOf(header);
  if (part == other || part.empty() || other.empty()) return "";
  return PartLevels().at(other) < PartLevels().at(part) ? "" : "of a part that is not below its own";
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
  auto includes = Includes(galley::SourceDir());
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
  EXPECT_FALSE(IsTest("runtime/base/latest.h"));
  EXPECT_TRUE(IsTest("runtime/ops/op_test.h"));
  EXPECT_TRUE(IsTest("runtime/data/store/testing.h"));
}

// A folder of sources that no table knows would have no level.
TEST(Layering, EveryFolderOfSourcesIsListed) {
  std::set<std::string> unlisted;
  for (const std::string& file : Sources(galley::SourceDir())) {
    const std::string folder = fs::path(file).parent_path().string();
    if (Levels().contains(folder) || TestFolders().contains(folder) || PartLevels().contains(folder + "/"))
      continue;
    unlisted.insert(folder);
  }
  EXPECT_EQ(unlisted, std::set<std::string>{});
}

// Third-party libraries are each known to one module, so that their types do not travel.
TEST(Layering, EachLibraryIsIncludedByItsOwnModuleOnly) {
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
  for (const Include& i : Includes(galley::SourceDir())) {
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
TEST(Layering, OneConditionalOnABackend) {
  static const std::regex question(
      "(get|get_if|holds_alternative)<(Cpu|Cuda)Stream>|is_same(_v)?<[^>]*(Cpu|Cuda)Stream|"
      "stream_?\\.index\\(\\)|DeviceKind::|#\\s*if.*CUDA|__CUDACC__");
  const fs::path root = galley::SourceDir();
  std::set<std::string> files, asking;
  for (const Include& i : Includes(root)) files.insert(i.file);
  for (const std::string& file : files) {
    std::ifstream in(root / file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!IsTest(file) && std::regex_search(text, question)) asking.insert(file);
  }
  const std::set<std::string> stream = {"runtime/tensor/device.h", "runtime/tensor/stream.h"};
  EXPECT_EQ(asking, stream);  // device.h: a Device is of the CPU unless said otherwise
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
  std::set<std::string> out;
  for (const Include& i : Includes(galley::SourceDir())) {
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
    std::ifstream in(fs::path(galley::SourceDir()) / module / "CMakeLists.txt");
    const std::string cmake((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::map<std::string, Strings> declared = Declared(cmake);
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
