// Borders between the documents of a sample: what attention, positions and the loss make of them. All spans
// are the positions of one sample, T of them.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// starts[i]: the position at which the document of position i begins; 0 where it began before the sample.

// By the .idx, for positions that are tokens [begin, begin + starts.size()) of the stream: whatever the
// tokens are. O(log documents + documents in the sample). kDataLoss names the offset in a damaged .idx.
absl::Status StartsByIndex(const IndexedDataset& dataset, int64_t begin, std::span<int32_t> starts);

// By the tokens: a document ends with each `eod`, which is its last position (Megatron-Core, GPTDataset,
// _get_ltor_masks_and_position_ids with reset_attention_mask).
void StartsByEod(std::span<const int32_t> tokens, int32_t eod, std::span<int32_t> starts);

// positions[i] = i - starts[i].
void PositionsOf(std::span<const int32_t> starts, std::span<int32_t> positions);

// labels[i] = -1 where position i + 1 begins a document: what follows a
// document is not predicted from it. Its last token still is (Megatron-Core,
// eod_mask_loss, for borders by eod). starts: one position more than labels.
void MaskLastPositions(std::span<const int32_t> starts, std::span<int32_t> labels);

}  // namespace galley::data
