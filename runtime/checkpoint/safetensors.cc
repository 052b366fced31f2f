#include "runtime/checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <tuple>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"

namespace galley::checkpoint {
namespace {

struct ElementType {
  absl::string_view name;
  int bits;
  std::optional<DType> dtype;
};
// In the format's own order; files are written from the last to the first.
constexpr ElementType kTypes[] = {
    {"BOOL", 8, {}},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, DType::kU8},
    {"I8", 8, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"F8_E4M3FNUZ", 8, {}},
    {"F8_E5M2FNUZ", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, DType::kU16},
    {"F16", 16, {}},
    {"BF16", 16, DType::kBF16},
    {"I32", 32, DType::kI32},
    {"U32", 32, {}},
    {"F32", 32, DType::kF32},
    {"C64", 64, {}},
    {"F64", 64, DType::kF64},
    {"I64", 64, DType::kI64},
    {"U64", 64, {}},
};

const ElementType* FindType(absl::string_view name) {
  auto it = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return t.name == name; });
  return it == std::end(kTypes) ? nullptr : it;
}

constexpr int64_t kDataAlignment = 64;

absl::StatusOr<int64_t> BytesOf(const ElementType& type, const std::vector<int64_t>& shape) {
  int64_t bits = type.bits;
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(bits, size, &bits)) return absl::DataLossError("its shape overflows");
  }
  if (bits % 8 != 0) return absl::DataLossError("its elements do not fill whole bytes");
  return bits / 8;
}

// Integers that are not negative; everything else in a header's numbers is a fault.
absl::Status ReadSizes(const Json& json, absl::string_view what, std::vector<int64_t>& out) {
  if (json.kind != Json::Kind::kArray) return absl::DataLossError(absl::StrCat(what, " is not an array"));
  for (const Json& item : json.items) {
    if (item.kind != Json::Kind::kInt || item.integer < 0) {
      return absl::DataLossError(absl::StrCat(what, " holds ", item.Dump(), ", not a size"));
    }
    out.push_back(item.integer);
  }
  return absl::OkStatus();
}

absl::Status ReadTensor(const Json& json, StoredTensor& out) {
  if (json.kind != Json::Kind::kObject) return absl::DataLossError("is not an object");
  for (const auto& [key, value] : json.members) {
    if (key == "dtype") {
      if (value.kind != Json::Kind::kString) return absl::DataLossError("dtype is not a string");
      out.dtype = value.text;
    } else if (key == "shape") {
      RETURN_IF_ERROR(ReadSizes(value, "shape", out.shape));
    } else if (key == "data_offsets") {
      std::vector<int64_t> offsets;
      RETURN_IF_ERROR(ReadSizes(value, "data_offsets", offsets));
      if (offsets.size() != 2) return absl::DataLossError("data_offsets is not a pair");
      out.begin = offsets[0];
      out.end = offsets[1];
    } else {
      return absl::DataLossError(absl::StrCat("has an unknown key ", JsonString(key)));
    }
  }
  if (json.members.size() != 3) return absl::DataLossError("lacks dtype, shape or data_offsets");
  const ElementType* type = FindType(out.dtype);
  if (type == nullptr) {
    return absl::DataLossError(absl::StrCat("has an unknown dtype ", JsonString(out.dtype)));
  }
  ASSIGN_OR_RETURN(int64_t bytes, BytesOf(*type, out.shape));
  if (out.end < out.begin || out.end - out.begin != bytes) {
    return absl::DataLossError(
        absl::StrCat("needs ", bytes, " bytes, its data_offsets are [", out.begin, ",", out.end, "]"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view SafetensorsName(DType dtype) {
  for (const ElementType& type : kTypes) {
    if (type.dtype == dtype) return type.name;
  }
  CHECK(false) << "no such dtype";
  return "";
}

std::optional<DType> DTypeOfSafetensors(absl::string_view name) {
  const ElementType* type = FindType(name);
  return type == nullptr ? std::nullopt : type->dtype;
}

void AssignOffsets(std::vector<StoredTensor>& tensors) {
  auto order = [](const StoredTensor& t) {
    const ElementType* type = FindType(t.dtype);
    CHECK(type != nullptr) << t.name << ": " << t.dtype;
    return std::tuple(kTypes - type, absl::string_view(t.name));
  };
  std::sort(tensors.begin(), tensors.end(),
            [&](const auto& a, const auto& b) { return order(a) < order(b); });
  int64_t at = 0;
  for (StoredTensor& t : tensors) {
    auto bytes = BytesOf(*FindType(t.dtype), t.shape);
    CHECK(bytes.ok()) << t.name << ": " << bytes.status().message();
    t.begin = at;
    t.end = at += *bytes;
  }
}

std::string HeaderText(const std::vector<StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) {
    std::vector<std::string> facts;
    for (const auto& [key, value] : metadata) {
      facts.push_back(absl::StrCat(JsonString(key), ":", JsonString(value)));
    }
    members.push_back(absl::StrCat("\"__metadata__\":{", absl::StrJoin(facts, ","), "}"));
  }
  for (const StoredTensor& t : tensors) {
    members.push_back(absl::StrCat(JsonString(t.name), ":{\"dtype\":\"", t.dtype, "\",\"shape\":[",
                                   absl::StrJoin(t.shape, ","), "],\"data_offsets\":[", t.begin, ",", t.end,
                                   "]}"));
  }
  // The format asks for a multiple of 8 and allows more spaces; at 64 bytes tensors are aligned for any
  // reader that maps the file.
  std::string json = absl::StrCat("{", absl::StrJoin(members, ","), "}");
  while ((8 + json.size()) % kDataAlignment != 0) json += ' ';
  CHECK_LE(static_cast<int64_t>(json.size()), kMaxHeaderBytes);
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(json.size() >> (8 * i));
  return out + json;
}

absl::StatusOr<SafetensorsHeader> ParseSafetensors(absl::string_view start, int64_t file_bytes) {
  if (start.size() < 8) {
    return absl::DataLossError(
        absl::StrCat("ends after ", start.size(), " bytes, within the header's length"));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<unsigned char>(start[i])} << (8 * i);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes)) {
    return absl::DataLossError(
        absl::StrCat("bytes 0-7: a header of ", length, " bytes; at most ", kMaxHeaderBytes, " are allowed"));
  }
  if (start.size() - 8 < length) {
    return absl::DataLossError(
        absl::StrCat("ends after ", start.size(), " bytes, within the header of ", length, " bytes"));
  }
  const absl::string_view text = start.substr(8, length);
  if (text.empty() || text.front() != '{')
    return absl::DataLossError("byte 8: the header does not begin with {");
  auto json = ParseJson(text, {.depth = 3});
  if (!json.ok()) return Annotate(json.status(), "the header, from byte 8");

  SafetensorsHeader header;
  header.data_begin = static_cast<int64_t>(8 + length);
  for (const auto& [name, value] : json->members) {
    if (name == "__metadata__") {
      if (value.kind != Json::Kind::kObject) return absl::DataLossError("__metadata__ is not an object");
      for (const auto& [key, fact] : value.members) {
        if (fact.kind != Json::Kind::kString) {
          return absl::DataLossError(absl::StrCat("__metadata__ ", JsonString(key), " is not a string"));
        }
        header.metadata[key] = fact.text;
      }
      continue;
    }
    StoredTensor tensor{.name = name};
    RETURN_IF_ERROR(Annotate(ReadTensor(value, tensor), absl::StrCat("tensor ", JsonString(name))));
    header.tensors.push_back(std::move(tensor));
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& a, const auto& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  // The format knows no gaps: a file with one could carry bytes that no tensor accounts for.
  int64_t at = 0;
  for (const StoredTensor& t : header.tensors) {
    if (t.begin != at) {
      return absl::DataLossError(absl::StrCat("tensor ", JsonString(t.name), " begins at ", t.begin,
                                              " of the data, ", t.begin < at ? "over" : "with a gap after",
                                              " the one that ends at ", at));
    }
    at = t.end;
  }
  // Compared by subtraction: a claimed end near 2^63 must not overflow.
  if (at != file_bytes - header.data_begin) {
    return absl::DataLossError(absl::StrCat("the tensors take ", at, " bytes, the file has ",
                                            file_bytes - header.data_begin, " after its header"));
  }
  return header;
}

absl::StatusOr<SafetensorsHeader> ReadSafetensorsHeader(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  absl::Cleanup close = [fd] { ::close(fd); };
  struct stat st;
  if (::fstat(fd, &st) != 0) return ErrnoStatus(errno, path);
  std::string start;
  // In pieces, so that memory follows what the file holds and not what its first bytes claim.
  const auto fill = [&](size_t want) -> absl::Status {
    while (start.size() < want) {
      const size_t had = start.size();
      start.resize(std::min(want, had + (size_t{1} << 20)));
      const ssize_t n = ::pread(fd, start.data() + had, start.size() - had, static_cast<off_t>(had));
      if (n < 0 && errno != EINTR) return ErrnoStatus(errno, absl::StrCat(path, ": at byte ", had));
      start.resize(had + static_cast<size_t>(std::max<ssize_t>(n, 0)));
      if (n == 0) break;
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(fill(8));
  if (start.size() == 8) {
    uint64_t length = 0;
    for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<unsigned char>(start[i])} << (8 * i);
    RETURN_IF_ERROR(fill(8 + std::min<uint64_t>(length, kMaxHeaderBytes)));
  }
  auto header = ParseSafetensors(start, st.st_size);
  if (!header.ok()) return Annotate(header.status(), path);
  return header;
}

}  // namespace galley::checkpoint
