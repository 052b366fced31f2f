#include "runtime/comm/address.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"

namespace galley::comm {
namespace {

constexpr absl::string_view kMagic = "GLY1";

template <class T>
void Put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

template <class T>
bool Get(absl::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(static_cast<uint8_t>(in[i])) << (8 * i);
  in.remove_prefix(sizeof(T));
  return true;
}

void PutField(std::string& out, const std::string& field) {
  Put(out, static_cast<uint32_t>(field.size()));
  out += field;
}

bool GetField(absl::string_view& in, std::string& field) {
  uint32_t size;
  if (!Get(in, size) || in.size() < size) return false;
  field.assign(in.data(), size);
  in.remove_prefix(size);
  return true;
}

}  // namespace

std::string EncodeAddress(const PeerAddress& address) {
  std::string out(kMagic);
  Put(out, address.cookie);
  PutField(out, address.host);
  PutField(out, address.socket);
  PutField(out, address.worker);
  return out;
}

absl::StatusOr<PeerAddress> DecodeAddress(absl::string_view bytes) {
  PeerAddress address;
  absl::string_view rest = bytes;
  if (rest.substr(0, kMagic.size()) == kMagic) {
    rest.remove_prefix(kMagic.size());
    if (Get(rest, address.cookie) && GetField(rest, address.host) && GetField(rest, address.socket) &&
        GetField(rest, address.worker) && rest.empty()) {
      return address;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("not the address of a rank (", bytes.size(),
                                                 " bytes); all ranks must run the same version of Galley"));
}

std::string HostIdentity() {
  absl::StatusOr<std::string> boot = ReadFile("/proc/sys/kernel/random/boot_id", 256);
  struct stat net;
  if (boot.ok() && stat("/proc/self/ns/net", &net) == 0) {
    char host[256] = {};
    gethostname(host, sizeof(host) - 1);
    return absl::StrCat(host, "/", boot->substr(0, boot->find('\n')), "/", net.st_ino);
  }
  char nonce[16] = {};
  ssize_t got = getrandom(nonce, sizeof(nonce), 0);
  return absl::StrCat("alone/", got, "/", getpid(), "/",
                      absl::BytesToHexString(absl::string_view(nonce, sizeof(nonce))));
}

}  // namespace galley::comm
