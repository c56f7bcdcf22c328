#include <cstdio>
#include <exception>

#include "mgmt/cli/program.h"

int main(int argc, char** argv) {
    try {
        return gnomon::cli::run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "gnomonc: %s\n", error.what());
        return 1;
    }
}
