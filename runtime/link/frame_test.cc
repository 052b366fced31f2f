#include "runtime/link/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace galley::link {
namespace {

using ::testing::HasSubstr;

TEST(Frame, ComesBackByteByByte) {
  const std::string bytes =
      EncodeFrame(FrameKind::kOrder, 0x1122334455667788, "hello") + EncodeFrame(FrameKind::kAck, 9, "");
  FrameReader reader;
  std::vector<Frame> frames;
  for (char c : bytes) {
    reader.Append(absl::string_view(&c, 1));
    auto frame = reader.Next();
    ASSERT_TRUE(frame.ok());
    if (frame->has_value()) frames.push_back(**frame);
  }
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].kind, FrameKind::kOrder);
  EXPECT_EQ(frames[0].sequence, 0x1122334455667788u);
  EXPECT_EQ(frames[0].payload, "hello");
  EXPECT_EQ(frames[1].kind, FrameKind::kAck);
  EXPECT_EQ(reader.buffered(), 0u);
}

// The layout is a format: docs/formats/link-frames.md.
TEST(Frame, HasTheDocumentedLayout) {
  const std::string bytes = EncodeFrame(FrameKind::kReport, 2, "abc");
  ASSERT_EQ(bytes.size(), 35u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("GLKF\x01\x01\0\0", 8));
  EXPECT_EQ(bytes.substr(8, 16), std::string("\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(bytes.substr(32), "abc");
}

TEST(Frame, AnyFlippedBitIsFound) {
  const std::string good = EncodeFrame(FrameKind::kReport, 7, "some payload");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    FrameReader reader;
    reader.Append(bad);
    auto frame = reader.Next();
    // A flip in the length may ask for more bytes; then those of the next frame betray it.
    if (frame.ok() && !frame->has_value()) {
      reader.Append(std::string(kMaxPayload, 'x'));
      frame = reader.Next();
    }
    EXPECT_FALSE(frame.ok()) << "bit " << bit;
    EXPECT_FALSE(reader.Next().ok());  // and stays lost
    EXPECT_EQ(reader.buffered(), 0u);
  }
}

TEST(Frame, AnotherVersionSaysWhatToDo) {
  std::string bytes = EncodeFrame(FrameKind::kReport, 7, "");
  bytes[4] = 2;
  FrameReader reader;
  reader.Append(bytes);
  auto frame = reader.Next();
  EXPECT_EQ(frame.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(frame.status().message()), HasSubstr("from one build"));
}

TEST(Frame, ALengthPastTheBoundIsRefusedBeforeItsBytesCome) {
  std::string bytes = EncodeFrame(FrameKind::kReport, 7, "");
  bytes[19] = 2;  // 32 MiB
  FrameReader reader;
  reader.Append(bytes);
  EXPECT_FALSE(reader.Next().ok());
}

}  // namespace
}  // namespace galley::link
