#include "runtime/checkpoint/shard.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>

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

namespace galley::checkpoint {
namespace {

// + key: "xxh3=HEX", with " rows=BEGIN of=ROWS" for some rows of a tensor, or for any other slice with
// " begin=B,B.. of=S,S.." and, where the key is not the tensor's name, " tensor=NAME" to the end.
constexpr char kFactPrefix[] = "galley:";
constexpr int64_t kBlock = int64_t{1} << 20;

StoredTensor Stored(const ShardPart& part) {
  return {.name = part.key, .dtype = std::string(SafetensorsName(part.dtype)), .shape = part.slice.size};
}

// Cut between rows and nowhere else.
bool IsRows(const ShardPart& part) {
  for (size_t d = 1; d < part.shape.size(); ++d) {
    if (part.slice.size[d] != part.shape[d]) return false;
  }
  return !part.shape.empty();
}

std::string FactOf(const ShardPart& part) {
  std::string fact = absl::StrCat("xxh3=", part.xxh3);
  if (part.slice.size == part.shape) return fact;
  if (IsRows(part) && part.key == part.name) {
    absl::StrAppend(&fact, " rows=", part.slice.begin[0], " of=", part.shape[0]);
    return fact;
  }
  absl::StrAppend(&fact, " begin=", absl::StrJoin(part.slice.begin, ","),
                  " of=", absl::StrJoin(part.shape, ","));
  if (part.key != part.name) absl::StrAppend(&fact, " tensor=", part.name);
  return fact;
}

// "<label>1,2,3" up to the next space.
bool ConsumeNumbers(absl::string_view& text, absl::string_view label, std::vector<int64_t>& out) {
  if (!absl::ConsumePrefix(&text, label)) return false;
  const absl::string_view numbers = text.substr(0, text.find(' '));
  text.remove_prefix(numbers.size());
  out.clear();
  for (absl::string_view word : absl::StrSplit(numbers, ',')) {
    if (out.size() == plan::Slice::kMaxDims || !absl::SimpleAtoi(word, &out.emplace_back())) return false;
  }
  return true;
}

// REQUIRES: the part is as if it were a whole tensor, of the shape that the header gives.
absl::Status ReadFact(absl::string_view fact, ShardPart& part) {
  absl::string_view rest = fact;
  if (!absl::ConsumePrefix(&rest, "xxh3=") || rest.substr(0, rest.find(' ')).size() != 16) {
    return absl::DataLossError("no checksum");
  }
  part.xxh3 = std::string(rest.substr(0, 16));
  rest.remove_prefix(16);
  if (rest.empty()) return absl::OkStatus();
  std::vector<int64_t> begin, of;
  bool valid = false;
  if (ConsumeNumbers(rest, " rows=", begin)) {
    valid = ConsumeNumbers(rest, " of=", of) && begin.size() == 1 && of.size() == 1 && !part.shape.empty();
    if (valid) {
      begin.resize(part.shape.size(), 0);
      of.insert(of.end(), part.shape.begin() + 1, part.shape.end());
    }
  } else if (ConsumeNumbers(rest, " begin=", begin)) {
    valid = ConsumeNumbers(rest, " of=", of);
    if (absl::ConsumePrefix(&rest, " tensor=")) part.name = std::string(std::exchange(rest, ""));
  }
  part.slice.begin = std::move(begin);
  part.shape = std::move(of);
  if (!valid || !rest.empty() || !part.slice.Within(part.shape)) {
    return absl::DataLossError(absl::StrCat("of size [", absl::StrJoin(part.slice.size, ","),
                                            "] is not a slice of a tensor: ", fact));
  }
  return absl::OkStatus();
}

// The key of each item: its name, with the slice where names come twice.
std::vector<std::string> KeysOf(const std::vector<Item>& items) {
  std::map<absl::string_view, int> times;
  for (const Item& item : items) ++times[item.name];
  std::vector<std::string> keys;
  for (const Item& item : items) {
    std::string key = item.name;
    if (times[item.name] > 1) {
      std::vector<std::string> ranges;
      for (size_t d = 0; d < item.shape.size(); ++d) {
        const int64_t begin = item.slice.begin[d];
        ranges.push_back(absl::StrCat(begin, ":", begin + item.slice.size[d]));
      }
      absl::StrAppend(&key, "[", absl::StrJoin(ranges, ","), "]");
    }
    keys.push_back(std::move(key));
  }
  return keys;
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

// Copy only reads them.
View BytesOf(std::span<const std::byte> bytes) {
  return View(const_cast<std::byte*>(bytes.data()), DType::kU8, {static_cast<int64_t>(bytes.size())});
}

// Copies what is wanted of the bytes that begin at `from` of the data. False: all of it was before them.
bool CopyRuns(Stream& stream, const Wanted& w, int64_t from, std::span<const std::byte> bytes) {
  const int64_t to = from + static_cast<int64_t>(bytes.size());
  int64_t i = w.overlap.FirstEndingAfter(from - w.begin);
  if (i == w.overlap.runs()) return false;
  for (; i < w.overlap.runs(); ++i) {
    const Overlap::Run run = w.overlap.At(i);
    const int64_t run_begin = w.begin + run.from;
    const int64_t begin = std::max(from, run_begin);
    const int64_t end = std::min(to, run_begin + w.overlap.run_bytes());
    if (begin >= end) break;
    const auto piece = bytes.subspan(static_cast<size_t>(begin - from), static_cast<size_t>(end - begin));
    Copy(stream, BytesOf(piece), View(w.to + run.to + (begin - run_begin), DType::kU8, {end - begin}));
  }
  return true;
}

// Which tensors' bytes are not what was written. Only reached when the whole file's checksum differs.
absl::Status NameDamage(const std::string& path, const ShardIndex& index) {
  std::vector<std::string> damaged;
  // Parts are in file order and without gaps, so one hasher goes along with the blocks.
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
        damaged.push_back(absl::StrCat(p.key, " (bytes ", begin, "-", end, ")"));
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

std::vector<ShardPart> PartsOf(const std::vector<Item>& items, std::vector<size_t>& order) {
  const std::vector<std::string> keys = KeysOf(items);
  std::vector<StoredTensor> tensors;
  std::map<absl::string_view, size_t> by_key;
  std::vector<ShardPart> unordered;
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    CHECK(by_key.emplace(keys[i], i).second) << keys[i] << " comes twice";
    CHECK(item.view.contiguous() && item.slice.Within(item.shape) &&
          item.view.shape == Shape(std::span<const int64_t>(item.slice.size)))
        << keys[i] << " " << item.view.shape.ToString();
    unordered.push_back({.key = keys[i],
                         .name = item.name,
                         .dtype = item.view.dtype,
                         .shape = item.shape,
                         .slice = item.slice,
                         .xxh3 = Hex(0)});
    tensors.push_back(Stored(unordered.back()));
  }
  AssignOffsets(tensors);
  std::vector<ShardPart> parts;
  order.clear();
  for (const StoredTensor& t : tensors) {
    order.push_back(by_key.at(t.name));
    parts.push_back(std::move(unordered[order.back()]));
    parts.back().begin = t.begin;
    parts.back().bytes = t.end - t.begin;
    CHECK_EQ(items[order.back()].view.bytes(), parts.back().bytes) << t.name;
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
    metadata[absl::StrCat(kFactPrefix, part.key)] = FactOf(part);
  }
  return HeaderText(tensors, metadata);
}

absl::StatusOr<ShardIndex> IndexOf(const SafetensorsHeader& header) {
  ShardIndex index{.parts = {}, .data_begin = header.data_begin, .file_bytes = header.file_bytes()};
  for (const StoredTensor& t : header.tensors) {
    const std::optional<DType> dtype = DTypeOfSafetensors(t.dtype);
    auto fact = header.metadata.find(absl::StrCat(kFactPrefix, t.name));
    if (!dtype.has_value() || fact == header.metadata.end()) {
      return absl::DataLossError(absl::StrCat(
          "tensor ", t.name, " (", t.dtype, "): ",
          dtype.has_value() ? "no checksum in the header's metadata" : "a dtype that Galley does not write"));
    }
    ShardPart part{.key = t.name,
                   .name = t.name,
                   .dtype = *dtype,
                   .shape = t.shape,
                   .slice = plan::Slice::Whole(t.shape)};
    part.begin = t.begin;
    part.bytes = t.end - t.begin;
    RETURN_IF_ERROR(Annotate(ReadFact(fact->second, part), absl::StrCat("tensor ", t.name)));
    index.parts.push_back(std::move(part));
  }
  return index;
}

absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path) {
  ASSIGN_OR_RETURN(const SafetensorsHeader header, ReadSafetensorsHeader(path));
  auto index = IndexOf(header);
  if (!index.ok()) return Annotate(index.status(), path);
  return index;
}

absl::Status ReadShard(Stream& stream, const std::string& path, const ShardIndex& index,
                       const std::string& xxh3, std::vector<Wanted> wanted) {
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.begin < b.begin; });
  Hasher hasher;
  size_t first = 0;  // all before it are copied
  // Copied before the checksum is known: to look first would read every file twice, and an error leaves the
  // views without meaning anyway.
  RETURN_IF_ERROR(ReadThrough(path, index.file_bytes, [&](int64_t at, std::span<const std::byte> bytes) {
    hasher.Add(bytes);
    const int64_t from = at - index.data_begin;
    const int64_t to = from + static_cast<int64_t>(bytes.size());
    for (size_t i = first; i < wanted.size() && wanted[i].begin < to; ++i) {
      const bool copied = !CopyRuns(stream, wanted[i], from, bytes);
      if (copied && i == first) ++first;
    }
  }));
  if (Hex(hasher.Digest()) == xxh3) return absl::OkStatus();
  return NameDamage(path, index);
}

absl::Status VerifyShard(const std::string& path, const ShardIndex& index, const std::string& xxh3) {
  Stream nothing_to_copy = MakeStream(Device(), 1);
  return ReadShard(nothing_to_copy, path, index, xxh3, {});
}

}  // namespace galley::checkpoint
