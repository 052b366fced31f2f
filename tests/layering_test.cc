// Nothing but a test keeps floors: reads every #include of the product and fails on one that goes up or
// sideways.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// docs/architecture.md, "The rooms, by floor".
const std::map<std::string, int>& Floors() {
  static const std::map<std::string, int> floors = {
      {"runtime/rank", 7},    {"service/controller", 7}, {"service/node", 7},       {"service/trainctl", 7},
      {"service/run", 6},     {"runtime/train", 6},      {"runtime/generate", 6},   {"runtime/models", 5},
      {"runtime/layers", 4},  {"runtime/optim", 4},      {"runtime/checkpoint", 4}, {"runtime/parallel", 4},
      {"launcher", 4},        {"runtime/ops", 3},        {"runtime/comm", 3},       {"runtime/data", 3},
      {"runtime/plan", 3},    {"exporters", 3},          {"runtime/tensor", 2},     {"runtime/recipe", 2},
      {"runtime/metrics", 2}, {"runtime/link", 2},       {"runtime/tokenizer", 2},  {"runtime/base", 1},
      {"proto", 1},
  };
  return floors;
}

// The room a path below the source root belongs to; empty for what is no room.
std::string RoomOf(const std::string& path) {
  if (path.rfind("galley/v1/", 0) == 0) return "proto";  // generated headers
  for (const auto& [room, floor] : Floors()) {
    if (path.rfind(room + "/", 0) == 0) return room;
  }
  return "";
}

// models/<family> is a room of its own below models: a family never includes another, nor what lists the
// families.
std::string FamilyOf(const std::string& path) {
  std::smatch m;
  static const std::regex family("^runtime/models/([a-z0-9_]+)/");
  return std::regex_search(path, m, family) ? m[1].str() : "";
}

struct Include {
  std::string file, header;
  int line;
};

std::vector<Include> Includes(const fs::path& root) {
  std::vector<Include> out;
  static const std::regex include("^\\s*#\\s*include\\s+\"([^\"]+)\"");
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

std::vector<std::string> Breaks(const std::vector<Include>& includes) {
  std::vector<std::string> out;
  for (const Include& i : includes) {
    std::string from = RoomOf(i.file), to = RoomOf(i.header);
    std::string at = i.file + ":" + std::to_string(i.line) + ": includes " + i.header;
    if (to.empty()) continue;
    if (from.empty()) {
      out.push_back(at + " from outside every room");
    } else if (from != to && Floors().at(to) >= Floors().at(from)) {
      out.push_back(at + " on floor " + std::to_string(Floors().at(to)) + ", not below its own");
    }
    std::string family = FamilyOf(i.file), other = FamilyOf(i.header);
    if (!family.empty() && !other.empty() && family != other) out.push_back(at + " of another family");
  }
  return out;
}

TEST(Layering, NoIncludeGoesUpOrSideways) {
  auto includes = Includes(GALLEY_SOURCE_DIR);
  ASSERT_GT(includes.size(), 20u);
  EXPECT_EQ(Breaks(includes), std::vector<std::string>{});
}

TEST(Layering, TheTestSeesABreak) {
  EXPECT_EQ(Breaks({{"runtime/base/file.cc", "runtime/recipe/spec.h", 3}}).size(), 1u);
  EXPECT_EQ(Breaks({{"runtime/ops/a.cc", "runtime/comm/group.h", 3}}).size(), 1u);
  EXPECT_EQ(Breaks({{"runtime/models/gpt2/model.cc", "runtime/models/llama/spec.h", 3}}).size(), 1u);
  EXPECT_EQ(Breaks({{"runtime/train/loop.cc", "runtime/comm/group.h", 3}}).size(), 0u);
}

// Third-party libraries are each known to one room (style: their types never travel).
TEST(Layering, EachLibraryIsIncludedByItsOwnRoomOnly) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> owners = {
      {"yaml-cpp/", {"runtime/recipe"}},
      {"ucp/api", {"runtime/comm"}},
      {"sqlite3.h", {"service/run"}},
      {"prometheus/", {"exporters"}},
      {"dnnl", {"runtime/ops"}},
      {"pcre2.h", {"runtime/tokenizer"}},
      {"utf8proc.h", {"runtime/tokenizer"}},
      {"grpcpp/", {"service/controller", "service/node", "service/trainctl"}},
  };
  std::vector<std::string> breaks;
  static const std::regex include("^\\s*#\\s*include\\s+[<\"]([^>\"]+)[>\"]");
  fs::path root = GALLEY_SOURCE_DIR;
  for (const char* top : {"runtime", "service", "exporters", "launcher"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path());
      std::string text, file = fs::relative(entry.path(), root).string();
      for (int line = 1; std::getline(in, text); ++line) {
        std::smatch m;
        if (!std::regex_search(text, m, include)) continue;
        for (const auto& [prefix, rooms] : owners) {
          if (m[1].str().rfind(prefix, 0) != 0) continue;
          if (std::find(rooms.begin(), rooms.end(), RoomOf(file)) == rooms.end()) {
            breaks.push_back(file + ":" + std::to_string(line) + ": " + m[1].str());
          }
        }
      }
    }
  }
  EXPECT_EQ(breaks, std::vector<std::string>{});
}

}  // namespace
