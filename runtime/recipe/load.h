// YAML -> RecipeSpec: strict, every fault with its location, in one pass. Grammar and limits: docs/recipe.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/recipe/family.h"
#include "runtime/recipe/origins.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

// What travels to controller and rank: all that Load needs, so that it is pure there.
struct RecipeText {
  std::string canonical;  // YAML; `base:` and `--set` resolved, every default written out
  std::string root;       // absolute folder that relative paths mean
  // {"files": [names, in the order of faults], "places": {path: "file:line:column" or "--set PATH"}}; what is
  // not among the locations is a default.
  std::string origins_json;
};

struct LoadResult {
  std::optional<RecipeSpec> spec;  // absent when `faults` holds an error
  RecipeText text;                 // set when spec is
  Origins origins;                 // of LoadText alone: its origins_json, parsed
  std::vector<Fault> faults;       // errors and warnings, sorted
};

// In all three, `rules` are what the modules above add: the families that a model may be of, and checks.
//
// Reads the file, its bases, and applies `sets` ("batch.micro=2"). Paths are relative to the file that wrote
// them, those of --set to the working folder. In the spec all paths are absolute.
LoadResult LoadFile(const std::string& path, const Rules& rules, const std::vector<std::string>& sets = {});

// The same from memory; no I/O, so `base:` is a fault. `name` stands in faults.
LoadResult LoadString(const std::string& yaml, const std::string& name, const std::string& root,
                      const Rules& rules, const std::vector<std::string>& sets = {});

// Canonical text back to the spec; faults carry the locations of `origins_json`. Pure.
LoadResult LoadText(const RecipeText& text, const Rules& rules);

// The canonical YAML with the origin of every value as a comment, and the recipe as JSON (numbers as numbers,
// amounts and durations as texts). REQUIRES: a text that a load gave.
std::string RenderOrigins(const RecipeText& text);
std::string RenderJson(const RecipeText& text, bool origins);

}  // namespace galley::recipe
