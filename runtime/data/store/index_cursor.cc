#include "runtime/data/store/index_cursor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/data/store/faults.h"

namespace galley::data {
namespace {

constexpr int64_t kBuffer = 1 << 20;
constexpr int64_t kHeader = 34;

}  // namespace

absl::Status IndexArray::Fill() {
  CHECK_LT(at_, end_) << path_;
  buffer_.resize(static_cast<size_t>(std::min(kBuffer, end_ - at_)));
  next_ = 0;
  ASSIGN_OR_RETURN(const size_t n, ReadAt(*fd_, path_, at_, buffer_));
  if (n < buffer_.size()) {
    return absl::DataLossError(
        absl::StrCat(path_, ": offset ", at_ + static_cast<int64_t>(n),
                     ": the file ends here; it was cut short after it was opened: copy it anew"));
  }
  at_ += static_cast<int64_t>(buffer_.size());
  return absl::OkStatus();
}

absl::StatusOr<IndexCursor> IndexCursor::Open(const IndexedDataset& dataset, int64_t first) {
  CHECK(first >= 0 && first <= dataset.documents());
  const int fd = ::open(dataset.idx_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, dataset.idx_path());
  const std::shared_ptr<const int> shared(new int(fd), [](const int* held) {
    ::close(*held);
    delete held;
  });
  // Open has seen to it that the first document and the first sequence begin at 0. Others are read here, not
  // from the map: the file may be shorter by now.
  int64_t sequence = 0;
  int64_t token = 0;
  if (first > 0) {
    const int64_t sequences = dataset.sequences();
    const int64_t document_at = kHeader + 12 * sequences + 8 * first;
    IndexArray documents(shared, dataset.idx_path(), document_at, document_at + 8);
    ASSIGN_OR_RETURN(sequence, documents.Next<int64_t>());
    if (sequence < 0 || sequence > sequences) {
      return Corrupt(dataset.idx_path(), document_at,
                     absl::StrCat("document ", first, " begins at sequence ", sequence, " of ", sequences));
    }
    token = dataset.tokens();
    if (sequence < sequences) {
      const int64_t pointer_at = kHeader + 4 * sequences + 8 * sequence;
      IndexArray pointers(shared, dataset.idx_path(), pointer_at, pointer_at + 8);
      ASSIGN_OR_RETURN(const int64_t pointer, pointers.Next<int64_t>());
      const int64_t item = ItemSize(dataset.type());
      if (pointer < 0 || pointer % item != 0 || pointer / item > dataset.tokens()) {
        return Corrupt(dataset.idx_path(), pointer_at,
                       absl::StrCat("sequence ", sequence, " begins at byte ", pointer, " of ",
                                    dataset.tokens() * item));
      }
      token = pointer / item;
    }
  }
  return IndexCursor(dataset, shared, first, sequence, token);
}

IndexCursor::IndexCursor(const IndexedDataset& dataset, const std::shared_ptr<const int>& fd,
                         int64_t first_document, int64_t first_sequence, int64_t first_token)
    : path_(dataset.idx_path()),
      sequences_(dataset.sequences()),
      tokens_(dataset.tokens()),
      item_(ItemSize(dataset.type())),
      first_sequence_(first_sequence),
      first_token_(first_token),
      lengths_(fd, path_, kHeader + 4 * first_sequence, kHeader + 4 * sequences_),
      pointers_(fd, path_, kHeader + 4 * sequences_ + 8 * first_sequence, kHeader + 12 * sequences_),
      documents_(fd, path_, kHeader + 12 * sequences_ + 8 * (first_document + 1),
                 kHeader + 12 * sequences_ + 8 * (dataset.documents() + 1)),
      modes_(fd, path_, kHeader + 12 * sequences_ + 8 * (dataset.documents() + 1) + first_sequence,
             kHeader + 13 * sequences_ + 8 * (dataset.documents() + 1)),
      token_(first_token),
      sequence_(first_sequence) {}

absl::Status IndexCursor::Bad(int64_t offset, absl::string_view what) const {
  return Corrupt(path_, offset, what);
}

absl::StatusOr<int64_t> IndexCursor::NextDocument() {
  const int64_t offset = documents_.offset();
  ASSIGN_OR_RETURN(const int64_t end, documents_.Next<int64_t>());
  const int64_t begin = std::exchange(sequence_, end);
  if (end < begin || end > sequences_) {
    return Bad(offset, absl::StrCat("a document spans sequences ", begin, " to ", end, " of ", sequences_));
  }
  return end - begin;
}

absl::StatusOr<int32_t> IndexCursor::NextSequence() {
  const int64_t length_at = lengths_.offset();
  const int64_t pointer_at = pointers_.offset();
  ASSIGN_OR_RETURN(const int32_t length, lengths_.Next<int32_t>());
  ASSIGN_OR_RETURN(const int64_t pointer, pointers_.Next<int64_t>());
  if (length < 0 || length > tokens_ - token_) {
    return Bad(length_at,
               absl::StrCat("a sequence of ", length, " tokens from token ", token_, " on, of ", tokens_));
  }
  if (pointer != token_ * item_) {
    const int64_t sequence = (pointer_at - kHeader - 4 * sequences_) / 8;
    return Bad(pointer_at, absl::StrCat("sequence ", sequence, " begins at token ", pointer / item_,
                                        " (byte ", pointer, "), the one before it ends at ", token_));
  }
  token_ += length;
  return length;
}

}  // namespace galley::data
