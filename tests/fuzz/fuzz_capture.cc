// Capture files (dataplane/capture/capture_file.h): any bytes are read to an end or to an error that
// lies within the file, and every packet within it.

#include <cstdlib>

#include "dataplane/capture/capture_file.h"
#include "dataplane/capture/pcapng.h"

namespace {

using namespace gnomon;

void require(bool holds) {
    if (!holds) std::abort();
}

void look_at(std::uint16_t link, std::span<const std::uint8_t> bytes) {
    const ExtractedDatagram found = extract_datagram(link, bytes);
    require(found.packet.has_value() == (found.skip == FrameSkip::None));
    if (!found.packet || found.packet->payload.empty()) return;
    const std::uint8_t* first = found.packet->payload.data();
    require(first >= bytes.data() &&
            first + found.packet->payload.size() <= bytes.data() + bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> input(data, size);
    for (const std::uint16_t link : {link_type::kEthernet, link_type::kRaw, link_type::kLinuxSll,
                                     link_type::kLinuxSll2, link_type::kNull}) {
        look_at(link, input);
    }
    auto file = CaptureFile::open(input);
    if (!file) return 0;
    std::size_t before = 0;
    while (true) {
        const auto next = file->next();
        if (!next) {
            require(next.error().offset <= size);
            return 0;
        }
        if (!next->has_value()) return 0;
        const CaptureFilePacket& packet = **next;
        require(packet.offset >= before && packet.offset < size);
        before = packet.offset + 1;
        require(packet.bytes.size() <= packet.length);
        require(packet.bytes.empty() || (packet.bytes.data() >= data &&
                                         packet.bytes.data() + packet.bytes.size() <= data + size));
        look_at(packet.link, packet.bytes);
    }
}
