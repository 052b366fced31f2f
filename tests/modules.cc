#include "tests/modules.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "tests/support/paths.h"

namespace galley {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

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

const std::set<std::string>& TestFolders() {
  static const std::set<std::string> folders = {"runtime/ops/steady", "runtime/parallel/steady",
                                                "service/node/fake_rank"};
  return folders;
}

bool IsTest(const std::string& file) {
  static const std::regex test("_(test|fuzz|bench)\\.cc$|(^|[/_])(testing|test|test_[a-z_]+)\\.h$");
  return std::regex_search(file, test) || TestFolders().contains(fs::path(file).parent_path().string());
}

std::string ModuleOf(const std::string& path) {
  if (path.rfind("galley/v1/", 0) == 0) return "proto";  // generated headers
  for (const auto& [module, level] : Levels()) {
    if (path.rfind(module + "/", 0) == 0) return module;
  }
  return "";
}

std::string PartOf(const std::string& path) {
  std::string best;
  const std::string folder = fs::path(path).parent_path().string() + "/";
  for (const auto& [part, level] : PartLevels()) {
    if ((part == path || part == folder) && part.size() > best.size()) best = part;
  }
  return best;
}

bool HasParts(const std::string& module) {
  return std::ranges::any_of(PartLevels(),
                             [&](const auto& entry) { return entry.first.rfind(module + "/", 0) == 0; });
}

Strings Files() {
  const fs::path root = SourceDir();
  Strings out;
  for (const auto& top : fs::directory_iterator(root)) {
    const std::string name = top.path().filename();
    if (top.is_regular_file()) out.push_back(name);
    if (!top.is_directory() || name[0] == '.' || name.rfind("build", 0) == 0) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      if (entry.is_regular_file()) out.push_back(fs::relative(entry.path(), root).string());
    }
  }
  std::ranges::sort(out);
  return out;
}

bool IsSource(const std::string& file) {
  static const std::set<std::string> extensions = {".cc", ".cpp", ".cxx", ".c",   ".cu", ".cuh",
                                                   ".h",  ".hh",  ".hpp", ".hxx", ".inc"};
  return extensions.contains(fs::path(file).extension());
}

Strings Sources() {
  Strings out = Files();
  std::erase_if(out, [](const std::string& file) {
    return !IsSource(file) || file.rfind("tests/", 0) == 0 || file.rfind("bench/", 0) == 0;
  });
  return out;
}

std::vector<Include> Includes(const Strings& files) {
  std::vector<Include> out;
  static const std::regex include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (const std::string& file : files) {
    std::ifstream in(fs::path(SourceDir()) / file);
    std::string text;
    for (int line = 1; std::getline(in, text); ++line) {
      std::smatch m;
      if (std::regex_search(text, m, include)) out.push_back({file, m[1].str(), line});
    }
  }
  return out;
}

std::string TextOf(const std::string& file) {
  std::ifstream in(fs::path(SourceDir()) / file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace galley
