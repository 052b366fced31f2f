// trainctl: parses the command line and runs one verb.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Declared {
  CLI::App* app;
  std::function<int()> run;
};

// The sub-command of "data tokenize" stands below a group "data", made at its first verb.
CLI::App* Below(CLI::App& root, std::map<std::string, CLI::App*>& groups, absl::string_view name,
                const char* help) {
  const std::vector<std::string> words = absl::StrSplit(name, ' ');
  CLI::App* at = &root;
  std::string path;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    absl::StrAppend(&path, words[i], " ");
    CLI::App*& group = groups[path];
    if (group == nullptr) {
      group = at->add_subcommand(words[i], absl::StrCat("Commands about ", words[i]));
      group->require_subcommand(1);
      group->fallthrough();
    }
    at = group;
  }
  CLI::App* app = at->add_subcommand(words.back(), help);
  app->fallthrough();
  return app;
}

int Main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  Globals globals;
  CLI::App app{"Galley trains language models: from a recipe to a checkpoint.", "trainctl"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "galley " GALLEY_VERSION);
  app.add_option("--controller", globals.controller, "Address of the controller: unix:PATH or HOST:PORT")
      ->envname("GALLEY_CONTROLLER");
  app.add_option("--state-dir", globals.state_dir, "Where daemons keep their state");
  app.add_option("-o,--output", globals.output, "table, wide, json, jsonl, yaml or name")
      ->check(CLI::IsMember({"table", "wide", "json", "jsonl", "yaml", "name"}));
  std::map<std::string, CLI::App*> groups;
  std::vector<Declared> declared;
  for (const Verb* verb : Verbs()) {
    CLI::App* sub = Below(app, groups, verb->name, verb->help);
    declared.push_back({sub, verb->declare(*sub, globals)});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kOk : kUsage;
  }
  for (const Declared& verb : declared) {
    if (verb.app->parsed()) {
      const int code = verb.run();
      return fflush(stdout) == 0 ? code : (code == kOk ? kError : code);
    }
  }
  return kUsage;
}

}  // namespace
}  // namespace galley::trainctl

int main(int argc, char** argv) { return galley::trainctl::Main(argc, argv); }
