/// Keys files: any text gives keys that work and diagnostics that point into the text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dataplane/wire/key_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const gnomon::KeyFile file = gnomon::parse_key_file(text);
    for (const auto& diagnostic : file.diagnostics) {
        if (diagnostic.line == 0 || diagnostic.column == 0) std::abort();
    }
    for (const gnomon::SymmetricKey& key : file.keys) {
        std::array<std::uint8_t, gnomon::kMaxDigestSize> out;
        const std::uint8_t message[] = {1, 2, 3};
        if (key.digest(message, out) != gnomon::digest_size(key.type())) std::abort();
    }
    const gnomon::KeyTable table(file.keys);
    for (const gnomon::SymmetricKey& key : file.keys) {
        if (table.find(key.id()) == nullptr) std::abort();
    }
    return 0;
}
