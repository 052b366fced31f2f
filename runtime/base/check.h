// CHECK: for what only a bug of ours can cause. It prints file, line and the values, then aborts.
#pragma once

#include <sstream>
#include <string>

namespace galley {

[[noreturn]] void CheckFailed(const char* file, int line, const std::string& message);

// Collects a message by << and dies at the end of the full expression.
class CheckMessage {
 public:
  CheckMessage(const char* file, int line, const char* what) : file_(file), line_(line) {
    out_ << what << " ";
  }
  [[noreturn]] ~CheckMessage() { CheckFailed(file_, line_, out_.str()); }
  std::ostream& stream() { return out_; }

 private:
  const char* file_;
  int line_;
  std::ostringstream out_;
};

struct CheckVoid {
  void operator&(std::ostream&) {}
};

}  // namespace galley

#define CHECK(condition)                \
  (condition) ? (void)0                 \
              : ::galley::CheckVoid() & \
                    ::galley::CheckMessage(__FILE__, __LINE__, "CHECK failed: " #condition).stream()
#define CHECK_OP_(a, op, b) CHECK((a)op(b)) << "(" << (a) << " vs " << (b) << ") "
#define CHECK_EQ(a, b) CHECK_OP_(a, ==, b)
#define CHECK_LT(a, b) CHECK_OP_(a, <, b)
#define CHECK_LE(a, b) CHECK_OP_(a, <=, b)
#define CHECK_GT(a, b) CHECK_OP_(a, >, b)
#define CHECK_GE(a, b) CHECK_OP_(a, >=, b)
