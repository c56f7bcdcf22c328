// Telemetry frames: whatever bytes come, a reader keeps its bounds, and what it makes of them can be
// written and read again. The input is a series of frames, each with its length (16 bits) in front.

#include <cstdint>
#include <span>

#include "mgmt/telemetry/codec.h"

using namespace gnomon::telemetry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::uint8_t> in(data, size);
    FrameReader reader;
    while (in.size() >= 2) {
        const std::size_t length = std::min<std::size_t>(in[0] | in[1] << 8, in.size() - 2);
        const auto message = reader.read(in.subspan(2, length));
        in = in.subspan(2 + length);
        if (!message) continue;
        const auto* snapshot = std::get_if<Snapshot>(&*message);
        if (snapshot == nullptr) continue;
        if (snapshot->sources.size() > kMaxSources) __builtin_trap();
        FrameWriter writer;
        FrameReader again;
        std::optional<Message> back;
        for (const Frame& frame : writer.snapshot(*snapshot)) back = again.read(frame);
        if (!back || std::get<Snapshot>(*back).sources.size() != snapshot->sources.size()) {
            __builtin_trap();
        }
    }
    return 0;
}
