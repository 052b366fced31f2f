// Decoders of tokenizer.json.
#include "runtime/base/status.h"
#include "runtime/tokenizer/huggingface/json.h"
#include "runtime/tokenizer/pipeline/decode_steps.h"

namespace galley::tokenizer::hf {
namespace {

absl::StatusOr<DecodeStep> ReadStrip(const Node& node) {
  ASSIGN_OR_RETURN(std::string content, node["content"].Needed());
  ASSIGN_OR_RETURN(const int64_t start, node["start"].Int(0));
  ASSIGN_OR_RETURN(const int64_t stop, node["stop"].Int(0));
  if (content.empty() || start < 0 || stop < 0 || start > 1000 || stop > 1000) {
    return node.Bad("is out of bounds");
  }
  return StripDecode(std::move(content), static_cast<int>(start), static_cast<int>(stop));
}

absl::StatusOr<DecodeStep> ReadReplace(const Node& node) {
  ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(node["pattern"]));
  ASSIGN_OR_RETURN(std::string content, node["content"].Needed());
  if (!pattern.regex.has_value()) return ReplaceDecode(std::move(pattern.literal), std::move(content));
  absl::StatusOr<Regex> regex = Regex::Compile(*pattern.regex, Regex::Dialect::kOniguruma);
  if (!regex.ok()) return Annotate(regex.status(), node.path());
  return ReplaceRegexDecode(*std::move(regex), std::move(content));
}

absl::StatusOr<DecodeStep> ReadMetaspace(const Node& node) {
  ASSIGN_OR_RETURN(std::string mark, node["replacement"].String("\xe2\x96\x81"));
  ASSIGN_OR_RETURN(const bool prefix, node["add_prefix_space"].Bool(true));
  ASSIGN_OR_RETURN(const std::string scheme, node["prepend_scheme"].String(prefix ? "always" : "never"));
  if (mark.empty()) return node["replacement"].Bad("is empty");
  return MetaspaceDecode(std::move(mark), scheme != "never");
}

absl::StatusOr<DecodeStep> ReadWordPiece(const Node& node) {
  ASSIGN_OR_RETURN(std::string prefix, node["prefix"].String("##"));
  ASSIGN_OR_RETURN(const bool cleanup, node["cleanup"].Bool(true));
  return WordPieceDecode(std::move(prefix), cleanup);
}

// One that is no Sequence.
absl::StatusOr<DecodeStep> ReadDecodeStep(const Node& node) {
  const std::string type = node.type();
  if (type == "ByteLevel") return ByteLevelDecode();
  if (type == "ByteFallback") return ByteFallbackDecode();
  if (type == "Fuse") return FuseDecode();
  if (type == "Strip") return ReadStrip(node);
  if (type == "Replace") return ReadReplace(node);
  if (type == "Metaspace") return ReadMetaspace(node);
  if (type == "WordPiece") return ReadWordPiece(node);
  return node.Unsupported();
}

}  // namespace

absl::Status ReadDecoder(const Node& node, int depth, std::vector<DecodeStep>& steps) {
  if (node.null()) return absl::OkStatus();
  if (depth > kMaxDepth) return node.Bad("is nested too deep");
  if (node.type() != "Sequence") {
    ASSIGN_OR_RETURN(DecodeStep step, ReadDecodeStep(node));
    steps.push_back(std::move(step));
    return absl::OkStatus();
  }
  const Node list = node["decoders"];
  if (!list.json().is_array()) return list.Bad("is not a list");
  for (size_t i = 0; i < list.size(); ++i) RETURN_IF_ERROR(ReadDecoder(list[i], depth + 1, steps));
  return absl::OkStatus();
}

}  // namespace galley::tokenizer::hf
