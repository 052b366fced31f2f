#include "runtime/checkpoint/shard.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <span>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/safetensors.h"

namespace galley::checkpoint {
namespace {

constexpr char kFactPrefix[] = "galley:";  // + tensor name: "xxh3=HEX" or "xxh3=HEX rows=BEGIN of=ALL"
constexpr int64_t kBlock = int64_t{1} << 20;

StoredTensor Stored(const ShardPart& part) {
  StoredTensor out{.name = part.name, .dtype = std::string(SafetensorsName(part.dtype)), .shape = part.shape};
  if (!out.shape.empty()) out.shape[0] = part.rows;
  return out;
}

absl::Status ReadFact(absl::string_view fact, ShardPart& part) {
  const std::vector<absl::string_view> words = absl::StrSplit(fact, ' ');
  absl::string_view xxh3 = words[0];
  if (!absl::ConsumePrefix(&xxh3, "xxh3=") || xxh3.size() != 16) return absl::DataLossError("no checksum");
  part.xxh3 = std::string(xxh3);
  if (words.size() == 1) return absl::OkStatus();
  absl::string_view rows = words[1];
  absl::string_view all = words.size() == 3 ? words[2] : "";
  int64_t total = 0;
  if (part.shape.empty() || !absl::ConsumePrefix(&rows, "rows=") || !absl::ConsumePrefix(&all, "of=") ||
      !absl::SimpleAtoi(rows, &part.row_begin) || !absl::SimpleAtoi(all, &total) || part.row_begin < 0 ||
      total < part.rows || part.row_begin > total - part.rows) {
    return absl::DataLossError(absl::StrCat("a place that can not be: ", fact));
  }
  part.shape[0] = total;
  return absl::OkStatus();
}

// Calls `take` with every byte of the file in order.
absl::Status ReadThrough(const std::string& path, int64_t bytes,
                         const std::function<void(int64_t at, std::span<const std::byte>)>& take) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  absl::Cleanup close = [fd] { ::close(fd); };
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> block(static_cast<size_t>(std::min(kBlock, std::max<int64_t>(bytes, 1))));
  int64_t at = 0;
  while (at < bytes) {
    const size_t want =
        static_cast<size_t>(std::min<int64_t>(bytes - at, static_cast<int64_t>(block.size())));
    const ssize_t n = ::pread(fd, block.data(), want, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat(path, ": at byte ", at));
    if (n == 0) return absl::DataLossError(absl::StrCat(path, ": ends at byte ", at, ", not at ", bytes));
    take(at, std::span(block).first(static_cast<size_t>(n)));
    at += n;
  }
  return absl::OkStatus();
}

// Which tensors' bytes are not what was written. Only reached when the whole file's checksum differs.
absl::Status NameDamage(const std::string& path, const ShardIndex& index) {
  std::vector<std::string> damaged;
  size_t part = 0;
  std::optional<Hasher> hasher;
  RETURN_IF_ERROR(ReadThrough(path, index.file_bytes, [&](int64_t at, std::span<const std::byte> bytes) {
    while (part < index.parts.size()) {
      const ShardPart& p = index.parts[part];
      const int64_t begin = index.data_begin + p.begin;
      const int64_t end = begin + p.bytes;
      const int64_t block_end = at + static_cast<int64_t>(bytes.size());
      if (begin >= block_end && p.bytes > 0) return;
      if (!hasher.has_value()) hasher.emplace();
      const int64_t from = std::max(at, begin);
      const int64_t to = std::min(block_end, end);
      if (from < to) {
        hasher->Add(bytes.subspan(static_cast<size_t>(from - at), static_cast<size_t>(to - from)));
      }
      if (end > block_end) return;
      if (Hex(hasher->Digest()) != p.xxh3) {
        damaged.push_back(absl::StrCat(p.name, " (bytes ", begin, "-", end, ")"));
      }
      hasher.reset();
      ++part;
    }
  }));
  constexpr size_t kNamed = 8;
  std::string names;
  if (damaged.empty()) {
    names = absl::StrCat("the header (bytes 0-", index.data_begin, ")");
  } else {
    const size_t named = std::min(damaged.size(), kNamed);
    names =
        absl::StrCat(damaged.size() == 1 ? "tensor " : "tensors ",
                     absl::StrJoin(damaged.begin(), damaged.begin() + static_cast<long>(named), ", "),
                     damaged.size() > named ? absl::StrCat(" and ", damaged.size() - named, " more") : "");
  }
  return absl::DataLossError(
      absl::StrCat(path, ": checksum differs in ", names, "; use another checkpoint or restore this file"));
}

}  // namespace

std::string ShardFileName(int rank, int world) {
  return absl::StrFormat("shard-%05d-of-%05d.safetensors", rank, world);
}

int64_t RowsOf(const std::vector<int64_t>& shape) { return shape.empty() ? 1 : shape[0]; }

int64_t RowBytes(const std::vector<int64_t>& shape, DType dtype) {
  int64_t bytes = SizeOf(dtype);
  for (size_t i = 1; i < shape.size(); ++i) bytes *= shape[i];
  return bytes;
}

std::vector<ShardPart> PlaceItems(const std::vector<Item>& items, std::vector<size_t>& order) {
  std::vector<StoredTensor> tensors;
  std::map<absl::string_view, size_t> by_name;
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const int64_t rows = item.shape.empty() ? 1 : item.view.shape[0];
    CHECK(by_name.emplace(item.name, i).second) << item.name << " comes twice";
    CHECK(item.view.contiguous() && item.view.shape.dims() == static_cast<int>(item.shape.size()) &&
          item.row_begin >= 0 && item.row_begin + rows <= RowsOf(item.shape))
        << item.name << " " << item.view.shape.ToString() << " at row " << item.row_begin;
    tensors.push_back(
        Stored({.name = item.name, .dtype = item.view.dtype, .shape = item.shape, .rows = rows}));
  }
  Place(tensors);
  std::vector<ShardPart> parts;
  order.clear();
  for (const StoredTensor& t : tensors) {
    const size_t i = by_name.at(t.name);
    const Item& item = items[i];
    order.push_back(i);
    parts.push_back({.name = item.name,
                     .dtype = item.view.dtype,
                     .shape = item.shape,
                     .row_begin = item.row_begin,
                     .rows = item.shape.empty() ? 1 : item.view.shape[0],
                     .begin = t.begin,
                     .bytes = t.end - t.begin,
                     .xxh3 = Hex(0)});
    CHECK_EQ(item.view.bytes(), parts.back().bytes) << item.name;
  }
  return parts;
}

std::string ShardHeader(const std::vector<ShardPart>& parts) {
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  std::vector<StoredTensor> tensors;
  for (const ShardPart& part : parts) {
    tensors.push_back(Stored(part));
    tensors.back().begin = part.begin;
    tensors.back().end = part.begin + part.bytes;
    std::string fact = absl::StrCat("xxh3=", part.xxh3);
    if (part.rows != RowsOf(part.shape)) {
      absl::StrAppend(&fact, " rows=", part.row_begin, " of=", RowsOf(part.shape));
    }
    metadata[absl::StrCat(kFactPrefix, part.name)] = fact;
  }
  return HeaderText(tensors, metadata);
}

absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path) {
  ASSIGN_OR_RETURN(SafetensorsHeader header, ReadSafetensorsHeader(path));
  ShardIndex index{.parts = {}, .data_begin = header.data_begin, .file_bytes = header.file_bytes()};
  for (StoredTensor& t : header.tensors) {
    const std::optional<DType> dtype = DTypeOfSafetensors(t.dtype);
    auto fact = header.metadata.find(absl::StrCat(kFactPrefix, t.name));
    if (!dtype.has_value() || fact == header.metadata.end()) {
      return absl::DataLossError(absl::StrCat(
          path, ": tensor ", t.name, " (", t.dtype, "): ",
          dtype.has_value() ? "no checksum in the header's metadata" : "a dtype that Galley does not write"));
    }
    ShardPart part{.name = t.name, .dtype = *dtype, .shape = t.shape};
    part.rows = RowsOf(t.shape);
    part.begin = t.begin;
    part.bytes = t.end - t.begin;
    RETURN_IF_ERROR(Annotate(ReadFact(fact->second, part), absl::StrCat(path, ": tensor ", t.name)));
    index.parts.push_back(std::move(part));
  }
  return index;
}

absl::Status ReadShard(const std::string& path, const ShardIndex& index, const std::string& xxh3,
                       std::vector<Wanted> wanted) {
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.begin < b.begin; });
  Hasher hasher;
  size_t first = 0;  // wanted before it are done
  RETURN_IF_ERROR(ReadThrough(path, index.file_bytes, [&](int64_t at, std::span<const std::byte> bytes) {
    hasher.Add(bytes);
    const int64_t from = at - index.data_begin;
    const int64_t to = from + static_cast<int64_t>(bytes.size());
    for (size_t i = first; i < wanted.size() && wanted[i].begin < to; ++i) {
      const Wanted& w = wanted[i];
      const int64_t begin = std::max(from, w.begin);
      const int64_t end = std::min(to, w.begin + w.bytes);
      if (begin < end) {
        std::memcpy(w.to + (begin - w.begin), bytes.data() + (begin - from),
                    static_cast<size_t>(end - begin));
      } else if (i == first && w.begin + w.bytes <= from) {
        ++first;
      }
    }
  }));
  if (Hex(hasher.Digest()) == xxh3) return absl::OkStatus();
  return NameDamage(path, index);
}

}  // namespace galley::checkpoint
