// For tests: ranks as threads of one process. Sums in rank order.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runtime/comm/group.h"

namespace galley::golden {

class ThreadGroup {
 public:
  explicit ThreadGroup(int size);
  ~ThreadGroup();

  // Runs `body` once a rank, each in a thread of its own.
  void Run(const std::function<void(comm::Group* group)>& body) const;

 private:
  struct Meeting;
  class Member;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace galley::golden
