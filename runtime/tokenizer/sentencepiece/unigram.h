// SentencePiece's unigram model: of all ways to put a text
// together from pieces, the one with the highest sum of scores.
#pragma once

#include <memory>

#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/sentencepiece/model.h"

namespace galley::tokenizer {

std::unique_ptr<Model> MakeUnigramModel(const SentencePieceModel& model);

}  // namespace galley::tokenizer
