// Counts recipes that the product's programs parse, from outside, so that nothing in them counts: a library
// for LD_PRELOAD that stands before yaml-cpp's parser, of which a program makes one for each YAML text. A
// test that holds a controller in its own process links it instead.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

// YAML::Parser::Parser(std::istream&), as compilers for Linux spell it.
extern "C" void GalleyCountParser(void* parser, void* in) asm("_ZN4YAML6ParserC1ERSi");

extern "C" void GalleyCountParser(void* parser, void* in) {
  if (const char* path = getenv("GALLEY_TEST_RECIPES"); path != nullptr) {
    const std::string line = std::string(program_invocation_short_name) + "\n";
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    // A line that is missing fails the test.
    if (fd < 0 || write(fd, line.data(), line.size()) < 0 || close(fd) != 0) abort();
  }
  using Constructor = void (*)(void*, void*);
  reinterpret_cast<Constructor>(dlsym(RTLD_NEXT, "_ZN4YAML6ParserC1ERSi"))(parser, in);
}
