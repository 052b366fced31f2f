#include "runtime/link/frame.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"

namespace galley::link {
namespace {

constexpr uint32_t kMagic = 0x464b4c47;

void Put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t Get(const char* p, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint64_t{static_cast<uint8_t>(p[i])} << (8 * i);
  return value;
}

uint64_t Checksum(absl::string_view header, absl::string_view payload) {
  auto bytes = [](absl::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); };
  Hasher hasher;
  hasher.Add(bytes(header));
  hasher.Add(bytes(payload));
  return hasher.Digest();
}

}  // namespace

std::string EncodeFrame(FrameKind kind, uint64_t sequence, absl::string_view payload) {
  CHECK_LE(payload.size(), kMaxPayload);
  std::string out;
  out.reserve(kFrameHeader + payload.size());
  Put(out, kMagic, 4);
  Put(out, kFrameVersion, 1);
  Put(out, static_cast<uint8_t>(kind), 1);
  Put(out, 0, 2);
  Put(out, sequence, 8);
  Put(out, payload.size(), 8);
  Put(out, Checksum(out, payload), 8);
  out.append(payload.data(), payload.size());
  return out;
}

void FrameReader::Append(absl::string_view bytes) {
  if (!error_.ok()) return;
  if (at_ > 0) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes.data(), bytes.size());
}

absl::StatusOr<std::optional<Frame>> FrameReader::Next() {
  if (!error_.ok()) return error_;
  auto fail = [&](absl::Status status) {
    error_ = std::move(status);
    buffer_ = std::string();
    at_ = 0;
    return error_;
  };
  if (buffered() < kFrameHeader) return std::nullopt;
  const char* p = buffer_.data() + at_;
  if (Get(p, 4) != kMagic) return fail(absl::DataLossError("link: a frame does not begin with GLKF"));
  if (uint64_t version = Get(p + 4, 1); version != kFrameVersion) {
    return fail(absl::UnimplementedError(
        absl::StrCat("link: frame version ", version, ", this build has ", kFrameVersion,
                     "; galley-rank and trainerd must come from one build")));
  }
  const uint64_t kind = Get(p + 5, 1);
  const uint64_t size = Get(p + 16, 8);
  if (kind < 1 || kind > 3 || Get(p + 6, 2) != 0) {
    return fail(absl::DataLossError(absl::StrCat("link: frame of unknown kind ", kind)));
  }
  if (size > kMaxPayload || (kind == 3 && size > 0)) {
    return fail(absl::DataLossError(absl::StrCat("link: frame claims ", size, " bytes of payload, at most ",
                                                 kind == 3 ? 0 : kMaxPayload, " are allowed")));
  }
  // The header is judged before its payload is waited for: a bad one must not hold the stream up.
  if (buffered() < kFrameHeader + size) return std::nullopt;
  const absl::string_view payload(p + kFrameHeader, size);
  if (Checksum(absl::string_view(p, 24), payload) != Get(p + 24, 8)) {
    return fail(absl::DataLossError("link: a frame's checksum does not match"));
  }
  Frame frame{static_cast<FrameKind>(kind), Get(p + 8, 8), std::string(payload)};
  at_ += kFrameHeader + size;
  return frame;
}

}  // namespace galley::link
