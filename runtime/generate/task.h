// The task `generate`: weights of a checkpoint, a prompt, sampled text.
#pragma once

#include <string>

namespace galley::generate {

// order_file holds a serialized v1::Start with `generate` set, the recipe, and the
// checkpoint as restore_path. Writes the prompt and the text to standard output as it comes,
// and returns the process's exit code.
int RunTask(const std::string& order_file);

}  // namespace galley::generate
