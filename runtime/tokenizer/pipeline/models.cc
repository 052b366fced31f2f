#include "runtime/tokenizer/pipeline/models.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

class BpePieceEncoder : public PieceEncoder {
 public:
  BpePieceEncoder(const Bpe& bpe, const std::string& cut) : encoder_(bpe), cut_(cut) {}

  absl::Status Encode(const char* p, size_t length, const char* end, std::vector<int32_t>& ids) override {
    if (cut_.empty()) {
      encoder_.Encode(p, length, end, ids);
      return absl::OkStatus();
    }
    const absl::string_view piece(p, length);
    for (size_t begin = 0; begin < length;) {
      // A word: marks, other characters, up to the next mark.
      size_t at = begin;
      while (piece.compare(at, cut_.size(), cut_) == 0) at += cut_.size();
      at = std::min(piece.find(cut_, at), length);
      encoder_.Encode(p + begin, at - begin, end, ids);
      begin = at;
    }
    return absl::OkStatus();
  }

 private:
  BpeEncoder encoder_;
  const std::string& cut_;
};

class BpeModel : public Model {
 public:
  BpeModel(Bpe bpe, std::string cut) : bpe_(std::move(bpe)), cut_(std::move(cut)) {}
  std::unique_ptr<PieceEncoder> NewEncoder() const override {
    return std::make_unique<BpePieceEncoder>(bpe_, cut_);
  }

 private:
  const Bpe bpe_;
  const std::string cut_;
};

class WordPieceEncoder : public PieceEncoder {
 public:
  explicit WordPieceEncoder(const WordPieceVocabulary& vocabulary) : vocabulary_(vocabulary) {}

  absl::Status Encode(const char* p, size_t length, const char*, std::vector<int32_t>& ids) override {
    const auto chars = std::count_if(p, p + length, [](char c) { return !ContinuesUtf8(c); });
    const size_t before = ids.size();
    bool whole = static_cast<size_t>(chars) <= vocabulary_.max_chars;
    for (size_t begin = 0; whole && begin < length;) {
      size_t stop = length;
      int32_t found = -1;
      while (stop > begin) {
        key_ = begin > 0 ? vocabulary_.prefix : "";
        key_.append(p + begin, stop - begin);
        if (const auto at = vocabulary_.ids.find(key_); at != vocabulary_.ids.end()) {
          found = at->second;
          break;
        }
        do --stop;
        while (stop > begin && ContinuesUtf8(p[stop]));
      }
      whole = found >= 0;
      ids.push_back(found);
      begin = stop;
    }
    if (whole) return absl::OkStatus();
    ids.resize(before);
    const auto unknown = vocabulary_.ids.find(vocabulary_.unknown);
    if (unknown == vocabulary_.ids.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the word '", absl::string_view(p, std::min<size_t>(length, 60)),
                       "' cannot be told, and the vocabulary has no token '", vocabulary_.unknown, "'"));
    }
    ids.push_back(unknown->second);
    return absl::OkStatus();
  }

 private:
  const WordPieceVocabulary& vocabulary_;
  std::string key_;
};

class WordPieceModel : public Model {
 public:
  explicit WordPieceModel(WordPieceVocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  std::unique_ptr<PieceEncoder> NewEncoder() const override {
    return std::make_unique<WordPieceEncoder>(vocabulary_);
  }

 private:
  const WordPieceVocabulary vocabulary_;
};

}  // namespace

std::unique_ptr<Model> MakeBpeModel(Bpe bpe, std::string cut) {
  return std::make_unique<BpeModel>(std::move(bpe), std::move(cut));
}

std::unique_ptr<Model> MakeWordPieceModel(WordPieceVocabulary vocabulary) {
  return std::make_unique<WordPieceModel>(std::move(vocabulary));
}

}  // namespace galley::tokenizer
