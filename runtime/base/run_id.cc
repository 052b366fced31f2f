#include "runtime/base/run_id.h"

#include <sys/random.h>

#include "runtime/base/check.h"

namespace galley {

std::string NewRunId() {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char bytes[8];
  CHECK_EQ(getrandom(bytes, sizeof bytes, 0), static_cast<ssize_t>(sizeof bytes));
  std::string id;  // 256 is divisible by 32: all letters are equally likely
  for (const unsigned char byte : bytes) id += kAlphabet[byte % 32];
  return id;
}

}  // namespace galley
