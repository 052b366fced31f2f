#include "runtime/comm/collectives.h"

#include <algorithm>
#include <array>
#include <bit>

#include "runtime/base/status.h"

namespace galley::comm {
namespace {

constexpr int64_t kLine = 64;

int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
int Modulo(int64_t n, int size) { return static_cast<int>(((n % size) + size) % size); }

}  // namespace

Collectives::Collectives(Channel* channel)
    : channel_(channel),
      rank_(channel->rank()),
      size_(channel->size()),
      staging_(Device(), kRecvWindow * kSegment) {}

absl::Status Collectives::AllReduce(std::byte* data, int64_t bytes, const Reduction& reduction) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kCollective));
  if (bytes <= kSmall) {
    RETURN_IF_ERROR(RecursiveDoubling(data, bytes, reduction));
  } else {
    // Chunk c is summed in the order of the ring from rank c + 1 to rank c, then sent around from there.
    RETURN_IF_ERROR(RunRing({data, bytes, RoundUp((bytes + size_ - 1) / size_, kLine), rank_, size_ - 1,
                             2 * (size_ - 1), reduction}));
  }
  return channel_->End();
}

absl::Status Collectives::ReduceScatter(std::byte* data, int64_t shard_bytes, const Reduction& reduction) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kCollective));
  RETURN_IF_ERROR(
      RunRing({data, size_ * shard_bytes, shard_bytes, rank_ - 1, size_ - 1, size_ - 1, reduction}));
  return channel_->End();
}

absl::Status Collectives::AllGather(std::byte* data, int64_t shard_bytes) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kCollective));
  RETURN_IF_ERROR(RunRing({data, size_ * shard_bytes, shard_bytes, rank_, 0, size_ - 1, {}}));
  return channel_->End();
}

// An item is one segment in one step; items follow each other through the steps. A rank may send
// segment s of step t as soon as segment s of step t - 1 has come, so that steps overlap and the ring
// is never idle for a whole chunk.
absl::Status Collectives::RunRing(const Ring& ring) {
  // Four segments or more a chunk, so that sending, receiving and reducing overlap also in small chunks.
  const int64_t segment = std::clamp(RoundUp(ring.chunk_bytes / kRecvWindow, kLine), kSmall, kSegment);
  const int64_t per_chunk = (ring.chunk_bytes + segment - 1) / segment;
  const int64_t items = ring.steps * per_chunk;
  const int next = Modulo(rank_ + 1, size_);
  const int previous = Modulo(rank_ - 1, size_);
  auto piece = [&](int64_t chunk, int64_t item) -> Piece {
    const int64_t begin = Modulo(chunk, size_) * ring.chunk_bytes;
    const int64_t end = std::min(begin + ring.chunk_bytes, ring.bytes);
    const int64_t at = begin + item % per_chunk * segment;
    return {ring.data + at, std::max<int64_t>(std::min(segment, end - at), 0)};
  };
  auto outgoing = [&](int64_t item) { return piece(ring.first - item / per_chunk, item); };
  auto incoming = [&](int64_t item) { return piece(ring.first - item / per_chunk - 1, item); };
  auto reduces = [&](int64_t item) { return item / per_chunk < ring.reducing; };
  auto staging = [&](int64_t item) { return staging_.data() + item % kRecvWindow * kSegment; };

  std::array<Transfer*, kRecvWindow> in{};
  std::array<Transfer*, kSendWindow> out{};
  int64_t posted = 0, arrived = 0, sent = 0, gone = 0;  // items, in order
  while (arrived < items || gone < items) {
    for (; posted < items && posted < arrived + kRecvWindow; ++posted) {
      const Piece p = incoming(posted);
      if (p.bytes == 0) continue;
      in[posted % kRecvWindow] =
          channel_->Recv(previous, reduces(posted) ? staging(posted) : p.data, p.bytes);
    }
    // What a step sends is what the step before has received.
    for (; sent < items && sent < gone + kSendWindow && sent < arrived + per_chunk; ++sent) {
      const Piece p = outgoing(sent);
      if (p.bytes > 0) out[sent % kSendWindow] = channel_->Send(next, p.data, p.bytes);
    }
    bool moved = false;
    // One arrival a turn: its segment is offered to the next rank before another one is reduced.
    if (arrived < posted && Channel::Take(in[arrived % kRecvWindow])) {
      if (const Piece p = incoming(arrived); reduces(arrived) && p.bytes > 0) {
        ring.reduction.reduce(p.data, staging(arrived), p.data, p.bytes / ring.reduction.element_bytes);
      }
      ++arrived;
      moved = true;
    }
    while (gone < sent && Channel::Take(out[gone % kSendWindow])) {
      ++gone;
      moved = true;
    }
    if (!moved) RETURN_IF_ERROR(channel_->Progress());
  }
  return absl::OkStatus();
}

absl::Status Collectives::RecursiveDoubling(std::byte* data, int64_t bytes, const Reduction& reduction) {
  if (bytes == 0) return absl::OkStatus();
  const int64_t count = bytes / reduction.element_bytes;
  // Doubling needs a power of two: of the first 2 * extra ranks the even ones give their part to the odd ones
  // and get the result from them at the end (Thakur, Rabenseifner, Gropp, "Optimization of collective
  // communication operations in MPICH", 2005).
  const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(size_)));
  const int extra = size_ - power;
  const bool paired = rank_ < 2 * extra;
  if (paired && rank_ % 2 == 0) {
    Transfer* part = channel_->Send(rank_ + 1, data, bytes);
    RETURN_IF_ERROR(Wait(part));
    Transfer* result = channel_->Recv(rank_ + 1, data, bytes);
    return Wait(result);
  }
  if (paired) {
    Transfer* part = channel_->Recv(rank_ - 1, staging_.data(), bytes);
    RETURN_IF_ERROR(Wait(part));
    reduction.reduce(data, staging_.data(), data, count);
  }
  const int index = paired ? rank_ / 2 : rank_ - extra;
  for (int distance = 1; distance < power; distance *= 2) {
    const int other_index = index ^ distance;
    const int other = other_index < extra ? 2 * other_index + 1 : other_index + extra;
    RETURN_IF_ERROR(Exchange(other, other, data, staging_.data(), bytes));
    // The lower one's part comes first on both sides: on x86 a sum of two NaNs has
    // the bits of its first operand.
    if (other < rank_) {
      reduction.reduce(data, staging_.data(), data, count);
    } else {
      reduction.reduce(data, data, staging_.data(), count);
    }
  }
  if (paired) {
    Transfer* result = channel_->Send(rank_ - 1, data, bytes);
    return Wait(result);
  }
  return absl::OkStatus();
}

absl::Status Collectives::Broadcast(std::byte* data, int64_t bytes, int root) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kCollective));
  // Counted from the root, a rank's parent is it without its lowest set bit, and its children are it with one
  // lower bit set. The farthest child comes first: it has the most ranks below it.
  const int index = Modulo(rank_ - root, size_);
  const int below =
      index == 0 ? static_cast<int>(std::bit_ceil(static_cast<unsigned>(size_))) : index & -index;
  const int parent = Modulo((index & (index - 1)) + root, size_);
  const int64_t segments = (bytes + kSegment - 1) / kSegment;
  auto piece = [&](int64_t s) -> Piece {
    return {data + s * kSegment, std::min(kSegment, bytes - s * kSegment)};
  };
  std::array<Transfer*, kRecvWindow> in{};
  std::array<std::array<Transfer*, 16>, kRecvWindow> out{};  // by child; at most 1024 ranks
  for (int64_t posted = 0, s = 0; s < segments; ++s) {
    for (; index != 0 && posted < segments && posted < s + kRecvWindow; ++posted) {
      in[posted % kRecvWindow] = channel_->Recv(parent, piece(posted).data, piece(posted).bytes);
    }
    RETURN_IF_ERROR(Wait(in[s % kRecvWindow]));
    for (int bit = below / 2, child = 0; bit > 0; bit /= 2, ++child) {
      if (index + bit >= size_) continue;
      Transfer*& slot = out[s % kRecvWindow][child];
      RETURN_IF_ERROR(Wait(slot));
      slot = channel_->Send(Modulo(index + bit + root, size_), piece(s).data, piece(s).bytes);
    }
  }
  for (auto& of_segment : out) {
    for (Transfer*& slot : of_segment) RETURN_IF_ERROR(Wait(slot));
  }
  return channel_->End();
}

absl::Status Collectives::Barrier() {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kCollective));
  // After the round of distance d every rank knows that the 2d - 1 ranks before it have come.
  std::byte nothing{};
  for (int distance = 1; distance < size_; distance *= 2) {
    RETURN_IF_ERROR(Exchange(Modulo(rank_ + distance, size_), Modulo(rank_ - distance, size_), &nothing,
                             staging_.data(), 1));
  }
  return channel_->End();
}

absl::Status Collectives::Send(const std::byte* data, int64_t bytes, int to) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kPointToPoint));
  Transfer* transfer = channel_->Send(to, data, bytes);
  RETURN_IF_ERROR(Wait(transfer));
  return channel_->End();
}

absl::Status Collectives::Recv(std::byte* data, int64_t bytes, int from) {
  RETURN_IF_ERROR(channel_->Begin(TagKind::kPointToPoint));
  Transfer* transfer = channel_->Recv(from, data, bytes);
  RETURN_IF_ERROR(Wait(transfer));
  // The sender's memory is its own again when it hears that its message was read.
  return channel_->End();
}

absl::Status Collectives::Exchange(int to, int from, const std::byte* out, std::byte* in, int64_t bytes) {
  Transfer* receive = channel_->Recv(from, in, bytes);
  Transfer* send = channel_->Send(to, out, bytes);
  RETURN_IF_ERROR(Wait(receive));
  return Wait(send);
}

absl::Status Collectives::Wait(Transfer*& transfer) {
  while (!Channel::Take(transfer)) RETURN_IF_ERROR(channel_->Progress());
  return absl::OkStatus();
}

}  // namespace galley::comm
