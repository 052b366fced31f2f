// Frames on the socket between trainerd and a rank (docs/formats/link-frames.md). A frame is 32 bytes of
// header, little-endian, and a payload:
//
//   0  u32  magic 0x464b4c47 ("GLKF")
//   4  u8   version (1)
//   5  u8   kind
//   6  u16  zero
//   8  u64  sequence
//  16  u64  payload bytes, at most kMaxPayload
//  24  u64  XXH3-64 of header bytes 0..23 followed by the payload
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::link {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeader = 32;
inline constexpr uint64_t kMaxPayload = uint64_t{16} << 20;

enum class FrameKind : uint8_t {
  kReport = 1,  // payload: galley.v1.Report. Sequence 0: needs no ack
  kOrder = 2,   // payload: galley.v1.Order
  kAck = 3,     // no payload: every frame of the other direction up to and with this sequence has been taken
};

struct Frame {
  FrameKind kind = FrameKind::kReport;
  uint64_t sequence = 0;
  std::string payload;
};

// REQUIRES: payload no longer than kMaxPayload.
std::string EncodeFrame(FrameKind kind, uint64_t sequence, absl::string_view payload);

// Cuts a byte stream into frames. Holds at most one frame and what was appended behind it; nothing is
// reserved from a length that has not arrived, so a hostile peer cannot make it grow past kMaxPayload.
class FrameReader {
 public:
  void Append(absl::string_view bytes);
  // The next whole frame, or nullopt when more bytes are needed. kDataLoss for a broken frame,
  // kUnimplemented for a frame of another version. After an error the stream is lost: every
  // later call gives the same error.
  absl::StatusOr<std::optional<Frame>> Next();
  size_t buffered() const { return buffer_.size() - at_; }

 private:
  std::string buffer_;
  size_t at_ = 0;  // bytes of buffer_ already given out
  absl::Status error_;
};

}  // namespace galley::link
