#include "runtime/data/tools/rewrite.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/store/faults.h"
#include "runtime/data/store/index_cursor.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley::data {
namespace {

constexpr int64_t kPiece = 4 << 20;    // bytes of .bin
constexpr size_t kEntries = 64 << 10;  // of an index

struct Source {
  IndexedDataset dataset;
  std::optional<DatasetInfo> info;
};

absl::StatusOr<Source> OpenSource(const std::string& prefix) {
  ASSIGN_OR_RETURN(IndexedDataset dataset, IndexedDataset::Open(prefix));
  dataset.Expect(IndexedDataset::Access::kInOrder);
  if (dataset.type() == TokenType::kF32 || dataset.type() == TokenType::kF64) {
    return absl::FailedPreconditionError(
        absl::StrCat(dataset.idx_path(), ": offset 17: the items are ", Name(dataset.type()),
                     ", which are not token ids; name a data set of tokens"));
  }
  ASSIGN_OR_RETURN(std::optional<DatasetInfo> info, ReadDatasetInfo(prefix));
  if (info.has_value()) RETURN_IF_ERROR(CheckDatasetInfo(dataset, *info));
  return Source{std::move(dataset), std::move(info)};
}

// Where its metadata and another's disagree; empty when they do not.
std::string Difference(const DatasetOrigin& a, const DatasetOrigin& b) {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  const auto id = [](const std::optional<int32_t>& value) {
    return value.has_value() ? absl::StrCat(*value) : "none";
  };
  if (a.tokenizer != b.tokenizer) return absl::StrCat("tokenizer ", a.tokenizer, " and ", b.tokenizer);
  if (a.fingerprint != b.fingerprint)
    return absl::StrCat("tokenizer fingerprint ", a.fingerprint, " and ", b.fingerprint);
  if (a.vocab != b.vocab) return absl::StrCat("a vocabulary of ", a.vocab, " and ", b.vocab);
  if (a.eod != b.eod) return absl::StrCat("end-of-document id ", id(a.eod), " and ", id(b.eod));
  if (a.append_eod != b.append_eod)
    return absl::StrCat("append_eod ", flag(a.append_eod), " and ", flag(b.append_eod));
  if (a.add_special_tokens != b.add_special_tokens)
    return absl::StrCat("add_special_tokens ", flag(a.add_special_tokens), " and ",
                        flag(b.add_special_tokens));
  if (a.special_tokens_in_text != b.special_tokens_in_text)
    return absl::StrCat("special_tokens_in_text ", flag(a.special_tokens_in_text), " and ",
                        flag(b.special_tokens_in_text));
  return "";
}

// One source on its way into one or more writers, from its beginning to its end.
class Copier {
 public:
  Copier(const Source& source, IndexCursor cursor, RewriteProgress& progress, const OnProgress& on_progress)
      : source_(source), cursor_(std::move(cursor)), progress_(progress), on_progress_(on_progress) {}

  absl::Status CopyDocuments(int64_t count, IndexedDatasetWriter& writer) {
    std::vector<uint32_t> counts;
    std::vector<int32_t> lengths;
    std::vector<std::byte> modes;
    const auto flush = [&]() -> absl::Status {
      RETURN_IF_ERROR(writer.AddDocumentCounts(counts));
      RETURN_IF_ERROR(writer.AddSequenceLengths(lengths));
      RETURN_IF_ERROR(writer.AddModalities(modes));
      RETURN_IF_ERROR(CopyTokens(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}), writer));
      counts.clear();
      lengths.clear();
      modes.clear();
      return absl::OkStatus();
    };
    for (int64_t d = 0; d < count; ++d) {
      ASSIGN_OR_RETURN(const int64_t sequences, cursor_.NextDocument());
      if (sequences > UINT32_MAX) {
        return absl::UnimplementedError(
            absl::StrCat(source_.dataset.idx_path(), ": a document of ", sequences, " sequences; cut it"));
      }
      counts.push_back(static_cast<uint32_t>(sequences));
      for (int64_t s = 0; s < sequences; ++s) {
        ASSIGN_OR_RETURN(const int32_t length, cursor_.NextSequence());
        lengths.push_back(length);
        if (source_.dataset.multimodal()) {
          ASSIGN_OR_RETURN(const std::byte mode, cursor_.NextModality());
          modes.push_back(mode);
        }
        if (lengths.size() >= kEntries) RETURN_IF_ERROR(flush());
      }
      if (counts.size() >= kEntries) RETURN_IF_ERROR(flush());
    }
    return flush();
  }

  // After the last document: the checksums of what lies behind the last whole block, and of the index.
  absl::Status Finish() const {
    if (!source_.info.has_value()) return absl::OkStatus();
    const BlockSums sums = sums_.SoFar();
    for (size_t block = 0; block < sums.blocks.size(); ++block) {
      if (sums.blocks[block] != source_.info->bin.blocks[block]) {
        const int64_t begin = static_cast<int64_t>(block) * kSumBlock;
        return ChecksumDiffers(source_.dataset.bin_path(), begin, std::min(kSumBlock, sums.bytes - begin));
      }
    }
    return CompareIndexSums(source_.dataset, source_.info->idx);
  }

 private:
  absl::Status CopyTokens(int64_t tokens, IndexedDatasetWriter& writer) {
    const int64_t item = ItemSize(source_.dataset.type());
    for (int64_t left = tokens * item; left > 0;) {
      buffer_.resize(static_cast<size_t>(std::min(left, kPiece)));
      RETURN_IF_ERROR(source_.dataset.ReadBytes(at_, buffer_));
      sums_.Add(buffer_);
      RETURN_IF_ERROR(writer.AddTokenBytes(buffer_));
      const auto size = static_cast<int64_t>(buffer_.size());
      at_ += size;
      left -= size;
      progress_.bytes += size;
      if (on_progress_) on_progress_(progress_);
    }
    return absl::OkStatus();
  }

  const Source& source_;
  IndexCursor cursor_;
  RewriteProgress& progress_;
  const OnProgress& on_progress_;
  int64_t at_ = 0;  // byte of .bin
  BlockHasher sums_;
  std::vector<std::byte> buffer_;
};

absl::Status NotASource(const std::string& output, const std::vector<std::string>& sources) {
  ASSIGN_OR_RETURN(const std::string path, AbsolutePath(output));
  for (const std::string& source : sources) {
    ASSIGN_OR_RETURN(const std::string other, AbsolutePath(source));
    if (path != other) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(output, ": it is a source, and would be overwritten; give another output prefix"));
  }
  return absl::OkStatus();
}

// What all sources have in common; says in the report where that is nothing.
absl::StatusOr<DatasetOrigin> CommonOrigin(const std::vector<Source>& sources, RewriteReport& report) {
  const Source* first = nullptr;
  for (const Source& source : sources) {
    const bool known = source.info.has_value() && !source.info->origin.tokenizer.empty();
    if (!source.info.has_value()) report.checksums_compared = false;
    if (!known) {
      if (report.unknown.empty()) report.unknown = source.dataset.prefix();
      continue;
    }
    if (first == nullptr) first = &source;
    const std::string difference = Difference(first->info->origin, source.info->origin);
    if (difference.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        DatasetInfoPath(source.dataset.prefix()), ": not made as ", first->dataset.prefix(),
        " was: ", difference, "; tokenize both alike, or name them apart in the recipe's data.train"));
  }
  if (first == nullptr || !report.unknown.empty()) return DatasetOrigin();
  return first->info->origin;
}

void Count(const IndexedDatasetWriter& writer, RewriteReport& report) {
  report.outputs.push_back({writer.prefix(), writer.documents(), writer.sequences(), writer.tokens()});
}

}  // namespace

absl::StatusOr<RewriteReport> MergeDatasets(const std::vector<std::string>& prefixes,
                                            const std::string& output, const OnProgress& on_progress) {
  if (prefixes.empty()) return absl::InvalidArgumentError("merge: no data set is named");
  RETURN_IF_ERROR(NotASource(output, prefixes));
  std::vector<Source> sources;
  RewriteProgress progress;
  std::optional<std::pair<bool, std::string>> modal;  // whether the first with sequences has modalities
  for (const std::string& prefix : prefixes) {
    ASSIGN_OR_RETURN(Source source, OpenSource(prefix));
    const IndexedDataset& first = sources.empty() ? source.dataset : sources.front().dataset;
    if (source.dataset.type() != first.type()) {
      return absl::FailedPreconditionError(absl::StrCat(
          source.dataset.idx_path(), ": offset 17: its tokens are ", Name(source.dataset.type()),
          ", those of ", first.idx_path(), " ", Name(first.type()), "; tokenize both with one tokenizer"));
    }
    // A data set without sequences has no modalities and fits to all.
    if (source.dataset.sequences() > 0) {
      if (!modal.has_value()) modal = {source.dataset.multimodal(), source.dataset.idx_path()};
      if (source.dataset.multimodal() != modal->first) {
        return absl::FailedPreconditionError(absl::StrCat(
            prefix, ".idx: it has ", modal->first ? "no" : "a", " modality for each sequence, and ",
            modal->second, " has ", modal->first ? "one" : "none", "; merge data sets of one kind"));
      }
    }
    progress.total += source.dataset.tokens() * ItemSize(source.dataset.type());
    sources.push_back(std::move(source));
  }
  RewriteReport report;
  report.type = sources.front().dataset.type();
  ASSIGN_OR_RETURN(report.origin, CommonOrigin(sources, report));
  ASSIGN_OR_RETURN(const std::unique_ptr<IndexedDatasetWriter> writer,
                   IndexedDatasetWriter::Create(output, report.type, report.origin));
  for (const Source& source : sources) {
    ASSIGN_OR_RETURN(IndexCursor cursor, IndexCursor::Open(source.dataset));
    Copier copier(source, std::move(cursor), progress, on_progress);
    RETURN_IF_ERROR(copier.CopyDocuments(source.dataset.documents(), *writer));
    RETURN_IF_ERROR(copier.Finish());
  }
  RETURN_IF_ERROR(writer->Finish());
  Count(*writer, report);
  return report;
}

absl::StatusOr<std::vector<int64_t>> CutDocuments(int64_t documents, const Cut& cut) {
  std::vector<double> shares = cut.shares;
  std::vector<int64_t> begins = {0};
  if (cut.documents > 0) {
    for (int64_t at = cut.documents; at < documents; at += cut.documents) begins.push_back(at);
    begins.push_back(documents);
  } else if (cut.parts > 0) {
    if (cut.parts > documents) {
      return absl::InvalidArgumentError(
          absl::StrCat(documents, " documents cannot be cut in ", cut.parts, " parts that each hold one"));
    }
    for (int64_t p = 1; p <= cut.parts; ++p) {
      // documents * p / parts, rounded down, without overflow.
      begins.push_back(documents / cut.parts * p + documents % cut.parts * p / cut.parts);
    }
  } else {
    double sum = 0;
    for (const double share : shares) {
      if (!(share > 0) || !std::isfinite(share)) {
        return absl::InvalidArgumentError(
            absl::StrCat("a share of ", share, "; each must be a positive number"));
      }
      sum += share;
    }
    double before = 0;
    for (size_t i = 0; i < shares.size(); ++i) {
      before += shares[i];
      begins.push_back(i + 1 == shares.size() ? documents
                                              : std::llrint(before / sum * static_cast<double>(documents)));
    }
  }
  for (size_t p = 0; p + 1 < begins.size(); ++p) {
    if (begins[p + 1] > begins[p]) continue;
    return absl::InvalidArgumentError(absl::StrCat("part ", p, " would hold none of the ", documents,
                                                   " documents; give it a larger share, or leave it out"));
  }
  if (begins.size() < 2) return absl::InvalidArgumentError("split: no shares, parts or documents are given");
  return begins;
}

absl::StatusOr<RewriteReport> SplitDataset(const std::string& prefix, const Cut& cut,
                                           const std::function<std::string(int64_t, int64_t)>& prefix_of,
                                           const OnProgress& on_progress) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(prefix));
  absl::StatusOr<std::vector<int64_t>> begins = CutDocuments(source.dataset.documents(), cut);
  if (!begins.ok()) return Annotate(begins.status(), prefix);
  const auto parts = static_cast<int64_t>(begins->size()) - 1;
  RewriteReport report;
  report.type = source.dataset.type();
  if (source.info.has_value()) report.origin = source.info->origin;
  report.checksums_compared = source.info.has_value();
  if (report.origin.tokenizer.empty()) report.unknown = prefix;
  std::set<std::string> names;
  for (int64_t p = 0; p < parts; ++p) {
    RETURN_IF_ERROR(NotASource(prefix_of(p, parts), {prefix}));
    if (names.insert(prefix_of(p, parts)).second) continue;
    return absl::InvalidArgumentError(absl::StrCat(prefix_of(p, parts), ": two parts of that name"));
  }
  RewriteProgress progress{.bytes = 0, .total = source.dataset.tokens() * ItemSize(report.type)};
  ASSIGN_OR_RETURN(IndexCursor cursor, IndexCursor::Open(source.dataset));
  Copier copier(source, std::move(cursor), progress, on_progress);
  std::vector<std::unique_ptr<IndexedDatasetWriter>> writers;
  for (int64_t p = 0; p < parts; ++p) {
    ASSIGN_OR_RETURN(std::unique_ptr<IndexedDatasetWriter> writer,
                     IndexedDatasetWriter::Create(prefix_of(p, parts), report.type, report.origin));
    const auto at = static_cast<size_t>(p);
    RETURN_IF_ERROR(copier.CopyDocuments((*begins)[at + 1] - (*begins)[at], *writer));
    RETURN_IF_ERROR(writer->Complete());  // closes its files: a part takes space on the disk alone
    Count(*writer, report);
    writers.push_back(std::move(writer));
  }
  // Only when all checksums held do the parts get their names.
  RETURN_IF_ERROR(copier.Finish());
  for (const auto& writer : writers) RETURN_IF_ERROR(writer->Publish());
  return report;
}

}  // namespace galley::data
