// A verb of trainctl is one file: it declares its options on a CLI11 sub-command and returns what to run
// after parsing.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;  // its header takes seconds to compile: only what declares options includes it
}

namespace galley::trainctl {

// Exit codes: docs/recipe.md, "trainctl".
enum ExitCode {
  kOk = 0,
  kError = 1,
  kUsage = 2,
  kDenied = 4,
  kNotFound = 5,
  kInvalidRecipe = 6,
  kConflict = 7,
  kPending = 8,
  kTimeout = 9,
  kUnreachable = 10,
  kRunFailed = 20,
  kRunCancelled = 21,
  kRunHeld = 22,
  kInterrupted = 130,
};

// Options before the verb, valid for all.
struct Globals {
  std::string controller;        // --controller or GALLEY_CONTROLLER; empty: the user's Unix socket
  std::string state_dir;         // --state-dir; empty: $XDG_STATE_HOME/galley
  std::string output = "table";  // -o
};

struct Verb {
  const char* name;  // "data tokenize" declares below the group "data"
  const char* help;
  std::function<int()> (*declare)(CLI::App& app, const Globals& globals);
};

}  // namespace galley::trainctl
