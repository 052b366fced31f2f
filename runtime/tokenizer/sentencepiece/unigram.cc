#include "runtime/tokenizer/sentencepiece/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr float kUnknownPenalty = 10;  // below the worst piece; this and the next are the package's
constexpr float kFarScore = 100000;

struct Node {
  int32_t id = -1;
  std::map<uint8_t, int32_t> next;
};

class UnigramModel : public Model {
 public:
  explicit UnigramModel(const SentencePieceModel& model) : unknown_(model.unknown), nodes_(1) {
    float least = std::numeric_limits<float>::max();
    for (size_t id = 0; id < model.pieces.size(); ++id) {
      const SentencePieceModel::Piece& piece = model.pieces[id];
      scores_.push_back(piece.score);
      user_.push_back(piece.type == PieceType::kUserDefined);
      if (piece.type == PieceType::kNormal) {
        least = std::min(least, piece.score);
      }
      if (piece.type != PieceType::kNormal && piece.type != PieceType::kUserDefined) continue;
      size_t node = 0;
      for (const char c : piece.text) {
        const auto [at, added] =
            nodes_[node].next.try_emplace(static_cast<uint8_t>(c), static_cast<int32_t>(nodes_.size()));
        node = static_cast<size_t>(at->second);
        if (added) nodes_.emplace_back();
      }
      nodes_[node].id = static_cast<int32_t>(id);
    }
    unknown_score_ = least - kUnknownPenalty;
    if (model.byte_fallback) bytes_.assign(model.bytes.begin(), model.bytes.end());
  }
  std::unique_ptr<PieceEncoder> NewEncoder() const override;

  int32_t unknown_;
  float unknown_score_ = 0;
  std::vector<float> scores_;
  std::vector<bool> user_;
  std::vector<Node> nodes_;
  std::vector<int32_t> bytes_;  // of byte fallback, or none
};

class UnigramEncoder : public PieceEncoder {
 public:
  explicit UnigramEncoder(const UnigramModel& model) : model_(model) {}

  absl::Status Encode(const char* p, size_t length, const char*, std::vector<int32_t>& ids) override {
    best_.assign(length + 1, {});
    size_t reached = 0;  // the farthest end offered
    for (size_t begin = 0; begin < length;) {
      const auto one = static_cast<size_t>(CharAt(p + begin, p + length).length);
      if (std::abs(best_[begin].score) > kFarScore) Rebase(begin, reached);
      const float here = best_[begin].score;
      bool single = false;
      size_t node = 0;
      for (size_t at = begin; at < length;) {
        const auto edge = model_.nodes_[node].next.find(static_cast<uint8_t>(p[at]));
        if (edge == model_.nodes_[node].next.end()) break;
        node = static_cast<size_t>(edge->second);
        ++at;
        const int32_t id = model_.nodes_[node].id;
        if (id < 0) continue;
        // A user-defined piece is better than any way around it.
        const auto i = static_cast<size_t>(id);
        const float score = model_.user_[i] ? static_cast<float>(0.1 * static_cast<double>(at - begin - 1))
                                            : model_.scores_[i];
        Offer(at, begin, id, score + here);
        reached = std::max(reached, at);
        single = single || at - begin == one;
      }
      if (!single) {
        Offer(begin + one, begin, model_.unknown_, model_.unknown_score_ + here);
        reached = std::max(reached, begin + one);
      }
      begin += one;
    }
    path_.clear();
    for (size_t end = length; end > 0; end = best_[end].begin) path_.push_back(end);
    bool unknown = false;
    for (auto end = path_.rbegin(); end != path_.rend(); ++end) {
      const Best& best = best_[*end];
      if (best.id != model_.unknown_) {
        ids.push_back(best.id);
        unknown = false;
      } else if (!model_.bytes_.empty()) {
        for (size_t i = best.begin; i < *end; ++i)
          ids.push_back(model_.bytes_[static_cast<unsigned char>(p[i])]);
      } else if (!std::exchange(unknown, true)) {
        ids.push_back(best.id);
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Best {
    float score = 0;
    int32_t id = -1;  // -1: none ends here yet
    size_t begin = 0;
  };
  void Offer(size_t end, size_t begin, int32_t id, float score) {
    Best& best = best_[end];
    if (best.id < 0 || score > best.score) best = {score, id, begin};
  }

  // Scores are sums of floats: far from 0 they would lose what tells splits apart. Those still in use are
  // made relative to the one at `begin`, just where the package does so (sentencepiece 0.2.3), since rounding
  // decides between splits of equal score.
  void Rebase(size_t begin, size_t reached) {
    const float base = best_[begin].score;
    for (size_t end = begin; end <= reached; ++end) {
      if (end == begin || best_[end].id >= 0) best_[end].score -= base;
    }
  }

  const UnigramModel& model_;
  std::vector<Best> best_;  // by end
  std::vector<size_t> path_;
};

std::unique_ptr<PieceEncoder> UnigramModel::NewEncoder() const {
  return std::make_unique<UnigramEncoder>(*this);
}

}  // namespace

std::unique_ptr<Model> MakeUnigramModel(const SentencePieceModel& model) {
  return std::make_unique<UnigramModel>(model);
}

}  // namespace galley::tokenizer
