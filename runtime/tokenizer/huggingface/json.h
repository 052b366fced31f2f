// A value of tokenizer.json with its path. For this folder alone.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/json.h"
#include "runtime/tokenizer/pipeline/models.h"
#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/text/regex.h"

namespace galley::tokenizer::hf {

class Node {
 public:
  Node(const Json* json, std::string path) : json_(json), path_(std::move(path)) {}
  const Json& json() const { return *json_; }
  const std::string& path() const { return path_; }  // "model.merges[3]"
  bool null() const { return json_->is_null(); }

  // A member, null when it is missing.
  Node operator[](const char* key) const;
  Node operator[](size_t index) const;
  size_t size() const { return json_->items.size(); }

  std::string type() const;  // of its "type", empty when there is none
  absl::Status Bad(absl::string_view what) const;
  absl::Status Unsupported() const;  // names the type and the path

  // The value, or `otherwise` when it is missing or null; an error for another type.
  absl::StatusOr<bool> Bool(bool otherwise) const;
  absl::StatusOr<int64_t> Int(int64_t otherwise) const;
  absl::StatusOr<std::string> String(absl::string_view otherwise) const;
  absl::StatusOr<std::string> Needed() const;  // a string that must be there

 private:
  const Json* json_;
  std::string path_;
};

constexpr int kMaxDepth = 16;  // of Sequences in Sequences

// Each adds to `parts`, or fails with the path of what is wrong or not supported.
absl::Status ReadNormalizer(const Node& node, int depth, std::vector<TextStep>& steps);
// `byte_level`: the last step writes the visible characters of bytes, which a model of bytes does without; it
// is then left out.
absl::Status ReadPreTokenizer(const Node& node, int depth, Parts& parts, bool* byte_level);
absl::Status ReadDecoder(const Node& node, int depth, std::vector<DecodeStep>& steps);
// {"String": s} or {"Regex": r}: one of the two.
struct Pattern {
  std::string literal;
  std::optional<std::string> regex;
};
absl::StatusOr<Pattern> ReadPattern(const Node& node);

// The model's vocabulary, by text and by id.
struct Vocabulary {
  std::unordered_map<std::string, int32_t> ids;
  std::vector<std::string> tokens;
  std::vector<bool> known;
};
absl::StatusOr<Vocabulary> ReadVocabulary(const Node& node);
// `cut`: a mark that texts may be cut before, when the merges allow it.
absl::StatusOr<std::unique_ptr<Model>> ReadModel(const Node& node, const Vocabulary& vocabulary,
                                                 bool byte_level, absl::string_view cut);
// Whether the model is a BPE that has a token for each byte's visible character.
bool HasAllByteChars(const Node& model, const Vocabulary& vocabulary);

}  // namespace galley::tokenizer::hf
