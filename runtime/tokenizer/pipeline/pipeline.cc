#include "runtime/tokenizer/pipeline/pipeline.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

// Work on a piece is held in memory several times over.
constexpr size_t kMaxText = size_t{1} << 30;
constexpr size_t kMaxPiece = size_t{1} << 27;

class PipelineEncoder : public Encoder {
 public:
  explicit PipelineEncoder(const Parts& parts) : parts_(parts), model_(parts.model->NewEncoder()) {}

  absl::Status Encode(absl::string_view text, std::vector<int32_t>& ids) override {
    if (text.size() > kMaxText) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a text of ", text.size(), " bytes is too long; cut it into documents of at most 1 GiB"));
    }
    if (parts_.characters && !IsValidUtf8(text)) {
      valid_ = ReplaceInvalidUtf8(text);
      text = valid_;
    }
    if (parts_.added.empty()) return EncodeText(text, true, ids);
    parts_.added.Split(text, found_);
    for (const AddedTokens::Part& part : found_) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        RETURN_IF_ERROR(EncodeText(text.substr(part.begin, part.end - part.begin), part.begin == 0, ids));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status EncodeText(absl::string_view text, bool first, std::vector<int32_t>& ids) {
    if (text.empty()) return absl::OkStatus();
    if (!parts_.normalizer.empty()) {
      normal_.assign(text.data(), text.size());
      for (const TextStep& step : parts_.normalizer) RETURN_IF_ERROR(step(normal_));
      text = normal_;
    }
    if (parts_.added_normalized.empty()) return EncodePieces(text, first, ids);
    parts_.added_normalized.Split(text, found_normalized_);
    for (const AddedTokens::Part& part : found_normalized_) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        RETURN_IF_ERROR(
            EncodePieces(text.substr(part.begin, part.end - part.begin), first && part.begin == 0, ids));
      }
    }
    return absl::OkStatus();
  }

  absl::Status EncodePieces(absl::string_view text, bool first, std::vector<int32_t>& ids) {
    if (parts_.scanner != nullptr) {
      const char* const end = text.data() + text.size();
      for (const char* p = text.data(); p < end;) {
        const size_t length = parts_.scanner(p, end);
        RETURN_IF_ERROR(EncodePiece(p, length, end, ids));
        p += length;
      }
      return absl::OkStatus();
    }
    pieces_.text = text;
    pieces_.spans.clear();
    if (!text.empty()) pieces_.spans.push_back({0, text.size(), first});
    for (const PieceStep& step : parts_.steps) RETURN_IF_ERROR(step(pieces_));
    const char* const begin = pieces_.text.data();
    const char* const end = begin + pieces_.text.size();
    for (const Span& span : pieces_.spans) {
      RETURN_IF_ERROR(EncodePiece(begin + span.begin, span.end - span.begin, end, ids));
    }
    return absl::OkStatus();
  }

  absl::Status EncodePiece(const char* p, size_t length, const char* end, std::vector<int32_t>& ids) {
    if (length > kMaxPiece) {
      return absl::InvalidArgumentError(absl::StrCat("a piece of ", length,
                                                     " bytes without a break, at most ", kMaxPiece,
                                                     " are taken; cut the document before it"));
    }
    return model_->Encode(p, length, end, ids);
  }

  const Parts& parts_;
  const std::unique_ptr<PieceEncoder> model_;
  std::string valid_, normal_;
  std::vector<AddedTokens::Part> found_, found_normalized_;
  Pieces pieces_;
};

class Pipeline : public Tokenizer {
 public:
  explicit Pipeline(Parts parts) : parts_(std::move(parts)) {}
  TokenizerKind kind() const override { return parts_.kind; }
  int64_t vocab() const override { return static_cast<int64_t>(parts_.tokens.size()); }
  std::optional<int32_t> eod() const override { return parts_.eod; }
  const Frame& frame() const override { return parts_.frame; }
  std::unique_ptr<Encoder> NewEncoder() const override { return std::make_unique<PipelineEncoder>(parts_); }

  absl::Status Decode(std::span<const int32_t> ids, std::string& text, bool continued) const override {
    for (const int32_t id : ids) {
      if (id >= 0 && id < vocab() && parts_.known[static_cast<size_t>(id)]) continue;
      return absl::OutOfRangeError(
          absl::StrCat("tokenizer ", Name(parts_.kind), ": id ", id,
                       id >= 0 && id < vocab() ? " stands for no token of its" : " is outside its",
                       " vocabulary of ", vocab(), "; decode with the tokenizer that made the ids"));
    }
    if (parts_.decoder.empty() && !parts_.join_with_space) {
      for (const int32_t id : ids) text += parts_.tokens[static_cast<size_t>(id)];
      return absl::OkStatus();
    }
    std::vector<std::string> tokens;
    for (const int32_t id : ids) tokens.push_back(parts_.tokens[static_cast<size_t>(id)]);
    for (const DecodeStep& step : parts_.decoder) step(tokens, continued);
    bool space = continued;
    for (const std::string& token : tokens) {
      if (parts_.join_with_space && space) text.push_back(' ');
      space = true;
      text += token;
    }
    return absl::OkStatus();
  }

 private:
  const Parts parts_;
};

}  // namespace

std::unique_ptr<Tokenizer> MakePipeline(Parts parts) { return std::make_unique<Pipeline>(std::move(parts)); }

absl::StatusOr<std::optional<int32_t>> FindEod(const std::string& wanted, absl::string_view name,
                                               const std::function<int32_t(absl::string_view)>& id) {
  if (!wanted.empty()) {
    if (const int32_t found = id(wanted); found >= 0) return found;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": holds no token '", absl::Utf8SafeCEscape(wanted),
                     "' to end documents with; name one that it holds, or none"));
  }
  for (const absl::string_view customary : {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "[SEP]"}) {
    if (const int32_t found = id(customary); found >= 0) return found;
  }
  return std::optional<int32_t>();
}

}  // namespace galley::tokenizer
