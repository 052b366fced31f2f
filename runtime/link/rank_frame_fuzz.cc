// Whatever bytes a peer sends, in whatever pieces: frames come out whole or the stream ends in an error,
// memory stays bounded, and a frame that was encoded comes back the same.
#include <algorithm>
#include <cstdint>
#include <string>

#include "galley/v1/rank.pb.h"
#include "runtime/base/check.h"
#include "runtime/link/frame.h"

namespace gl = galley::link;

namespace {

void Drain(gl::FrameReader& reader) {
  for (;;) {
    auto frame = reader.Next();
    if (!frame.ok()) {
      CHECK_EQ(reader.buffered(), size_t{0});
      return;
    }
    if (!frame->has_value()) return;
    galley::v1::Report report;
    galley::v1::Order order;
    (void)report.ParseFromString((*frame)->payload);
    (void)order.ParseFromString((*frame)->payload);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = 1 + data[0];

  // The bytes as a stream.
  gl::FrameReader raw;
  for (size_t at = 0; at < input.size(); at += piece) {
    raw.Append(absl::string_view(input).substr(at, piece));
    Drain(raw);
    CHECK_LE(raw.buffered(), gl::kFrameHeader + gl::kMaxPayload + piece);
  }

  // The bytes as the payload of a valid frame, followed by the bytes as a stream.
  gl::FrameReader valid;
  const std::string stream = gl::EncodeFrame(gl::FrameKind::kReport, data[1], input) + input;
  for (size_t at = 0; at < stream.size(); at += piece) {
    valid.Append(absl::string_view(stream).substr(at, piece));
    if (at + piece < gl::kFrameHeader + input.size()) continue;
    if (at < gl::kFrameHeader + input.size()) {
      auto frame = valid.Next();
      CHECK(frame.ok() && frame->has_value());
      CHECK_EQ((*frame)->payload, input);
      CHECK_EQ((*frame)->sequence, uint64_t{data[1]});
    }
    Drain(valid);
  }
  return 0;
}
