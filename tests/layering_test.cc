// Nothing but a test keeps floors: reads every #include of the product and fails on one that goes up or
// sideways, and compares each room's CMakeLists.txt with what its sources include.
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

// docs/architecture.md, "The rooms, by floor".
const std::map<std::string, int>& Floors() {
  static const std::map<std::string, int> floors = {
      {"runtime/rank", 9},       {"service/controller", 9}, {"service/node", 9},    {"service/trainctl", 9},
      {"service/run", 8},        {"service/view", 8},       {"runtime/train", 8},   {"runtime/generate", 8},
      {"runtime/prepare", 7},    {"runtime/models", 6},     {"runtime/layers", 5},  {"runtime/optim", 5},
      {"runtime/checkpoint", 5}, {"runtime/parallel", 5},   {"launcher", 5},        {"runtime/ops", 4},
      {"runtime/comm", 4},       {"runtime/data", 4},       {"runtime/plan", 4},    {"exporters", 4},
      {"runtime/tensor", 3},     {"runtime/recipe", 3},     {"runtime/metrics", 3}, {"runtime/link", 3},
      {"runtime/tokenizer", 2},  {"runtime/base", 1},       {"proto", 1},
  };
  return floors;
}

// Within a room that has sub-rooms: their floors, and those of files that stand beside them. What is on one
// floor is a sibling. A path that ends in '/' is a folder, another is a
// file; the longest that fits counts.
const std::map<std::string, int>& SubFloors() {
  static const std::map<std::string, int> floors = {
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
  return floors;
}

// Folders of programs that only tests run.
const std::set<std::string>& TestFolders() {
  static const std::set<std::string> folders = {"runtime/ops/steady", "runtime/parallel/steady",
                                                "service/node/fake_rank"};
  return folders;
}

bool IsTest(const std::string& file) {
  static const std::regex test("(_test|_fuzz|_bench)\\.cc$|testing\\.h$|test[^/]*\\.h$");
  return std::regex_search(file, test) || TestFolders().contains(fs::path(file).parent_path().string());
}

// The room a path below the source root belongs to; empty for what is no room.
std::string RoomOf(const std::string& path) {
  if (path.rfind("galley/v1/", 0) == 0) return "proto";  // generated headers
  for (const auto& [room, floor] : Floors()) {
    if (path.rfind(room + "/", 0) == 0) return room;
  }
  return "";
}

// The sub-room, or the name of the file that stands for itself; empty in a room without sub-rooms.
std::string PartOf(const std::string& path) {
  std::string best;
  const std::string folder = fs::path(path).parent_path().string() + "/";
  for (const auto& [part, floor] : SubFloors()) {
    if ((part == path || part == folder) && part.size() > best.size()) best = part;
  }
  return best;
}

struct Include {
  std::string file, header;
  int line;
};

// Of product files, quoted and angled ones alike.
std::vector<Include> Includes(const fs::path& root) {
  std::vector<Include> out;
  static const std::regex include("^\\s*#\\s*include\\s+[<\"]([^>\"]+)[>\"]");
  for (const char* top : {"runtime", "service", "exporters", "launcher"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      std::string ext = entry.path().extension();
      if (ext != ".cc" && ext != ".h" && ext != ".cu" && ext != ".cuh") continue;
      std::ifstream in(entry.path());
      std::string text;
      for (int line = 1; std::getline(in, text); ++line) {
        std::smatch m;
        if (std::regex_search(text, m, include)) {
          out.push_back({fs::relative(entry.path(), root).string(), m[1].str(), line});
        }
      }
    }
  }
  return out;
}

// Why a file may not include a header; empty when it may.
std::string Break(const std::string& file, const std::string& header) {
  if (header.rfind("bench/", 0) == 0 || (header.rfind("tests/", 0) == 0 && !IsTest(file))) {
    return "what only tests and benches may include";
  }
  const std::string from = RoomOf(file), to = RoomOf(header);
  if (from.empty()) return "from outside every room";
  if (to.empty()) return "";
  if (from != to) {
    return Floors().at(to) < Floors().at(from)
               ? ""
               : "on floor " + std::to_string(Floors().at(to)) + ", not below its own";
  }
  if (IsTest(file)) return "";  // a test may use all of its room
  const std::string part = PartOf(file), other = PartOf(header);
  if (part == other || part.empty() || other.empty()) return "";
  return SubFloors().at(other) < SubFloors().at(part) ? "" : "of a sub-room that is not below its own";
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
  EXPECT_EQ(breaks("runtime/extra/loop.cc", "runtime/comm/group.h"), 1u);
}

// A folder of sources that no table knows would have no floor.
TEST(Layering, EveryFolderOfSourcesIsListed) {
  std::set<std::string> unlisted;
  for (const Include& i : Includes(galley::SourceDir())) {
    const std::string folder = fs::path(i.file).parent_path().string();
    if (Floors().contains(folder) || TestFolders().contains(folder) || SubFloors().contains(folder + "/"))
      continue;
    unlisted.insert(folder);
  }
  EXPECT_EQ(unlisted, std::set<std::string>{});
}

// Third-party libraries are each known to one room (style: their types never travel).
TEST(Layering, EachLibraryIsIncludedByItsOwnRoomOnly) {
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
    for (const auto& [prefix, rooms] : owners) {
      if (i.header.rfind(prefix, 0) == 0 && std::ranges::find(rooms, RoomOf(i.file)) == rooms.end()) {
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
      "(get|get_if|holds_alternative)<(Cpu|Cuda)Stream>|DeviceKind::|#\\s*if.*CUDA|__CUDACC__");
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

// The rooms that a CMakeLists.txt gives its library and binary targets, target names taken as rooms.
std::set<std::string> DeclaredRooms(const std::string& room, const std::string& cmake) {
  std::set<std::string> out;
  static const std::regex call("(galley_library|galley_binary|target_link_libraries)\\s*\\(([^)]*)\\)");
  static const std::regex word("[A-Za-z0-9_.:-]+");
  for (std::sregex_iterator it(cmake.begin(), cmake.end(), call), end; it != end; ++it) {
    const std::string arguments = (*it)[2].str();
    if (arguments.find("_test") != std::string::npos) continue;
    for (std::sregex_iterator w(arguments.begin(), arguments.end(), word); w != end; ++w) {
      std::string name = w->str();
      if (name.rfind("galley_", 0) == 0) name = name.substr(7);
      if (name == "proto_grpc") name = "proto";
      if (name.ends_with("_spec")) name.resize(name.size() - 5);
      for (const auto& [other, floor] : Floors()) {
        if (other != room && other.substr(other.rfind('/') + 1) == name) out.insert(other);
      }
    }
  }
  return out;
}

TEST(Layering, CMakeNamesWhatTheSourcesInclude) {
  const fs::path root = galley::SourceDir();
  std::map<std::string, std::set<std::string>> included;
  for (const Include& i : Includes(root)) {
    const std::string from = RoomOf(i.file), to = RoomOf(i.header);
    if (!to.empty() && from != to && !IsTest(i.file)) included[from].insert(to);
  }
  for (const auto& [room, floor] : Floors()) {
    if (room == "proto") continue;
    std::ifstream in(root / room / "CMakeLists.txt");
    const std::string cmake((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(DeclaredRooms(room, cmake), included[room]) << room << "/CMakeLists.txt";
  }
}

}  // namespace
