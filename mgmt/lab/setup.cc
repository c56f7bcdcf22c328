#include "mgmt/lab/setup.h"

#include <array>
#include <cerrno>

#include "dataplane/capture/pcapng.h"
#include "dataplane/wire/key_file.h"
#include "dataplane/wire/ntp_packet.h"
#include "mgmt/config/parser.h"
#include "mgmt/engine/server_agent.h"
#include "mgmt/runtime/storage.h"

namespace gnomon {

namespace {

constexpr std::size_t kBlockSize = 2048;
constexpr std::size_t kLongestReply = 64 + kNtpMaxSize;

}  // namespace

ReplaySetup open_setup() {
    ReplaySetup setup;
    AccessTable access;
    access.allow({IpAddress(), 0});
    setup.tables.access = AccessIndex(access);
    setup.tables.keys = std::make_shared<const KeyTable>();
    return setup;
}

Result<ReplaySetup, std::string> setup_from_config(const std::string& path) {
    SystemConfigFiles files;
    const ParsedConfig parsed =
        parse_config_file(path, files, {default_config(Personality::Gnomon), false});
    if (has_errors(parsed.diagnostics)) {
        for (const Diagnostic& diagnostic : parsed.diagnostics) {
            if (diagnostic.severity == Severity::Error) {
                return Unexpected(diagnostic.to_string());
            }
        }
    }
    ReplaySetup setup;
    AccessTable access;
    for (const AccessRule& rule : parsed.config.server.access) {
        if (!rule.host.empty()) return Unexpected("rule for the host name " + rule.host);
        rule.allow ? access.allow(rule.subnet, rule.all) : access.deny(rule.subnet, rule.all);
    }
    setup.tables.access = AccessIndex(access);
    std::vector<SymmetricKey> keys;
    if (!parsed.config.process.key_file.empty()) {
        const auto text = read_file(parsed.config.process.key_file);
        if (!text) return Unexpected(text.error().message());
        keys = parse_key_file(*text).keys;
    }
    setup.tables.keys = std::make_shared<const KeyTable>(std::move(keys));
    setup.log = client_log_config(parsed.config);
    if (parsed.config.server.port != 0) setup.port = parsed.config.server.port;
    return setup;
}

SysResult<ReplyFile> ReplyFile::create(const std::string& path) {
    ReplyFile file;
    // Somebody's capture is not overwritten.
    file.file_.reset(std::fopen(path.c_str(), "wxe"));
    if (!file.file_) return Unexpected(SysError::last(path));
    file.block_.resize(kBlockSize);
    file.append(encode_pcapng_section("gnomon-lab", file.block_));
    file.append(encode_pcapng_interface({"replay", "replies", link_type::kRaw, 0}, file.block_));
    return file;
}

void ReplyFile::append(std::size_t size) {
    failed_ = failed_ || std::fwrite(block_.data(), 1, size, file_.get()) != size;
}

void ReplyFile::write(const UdpPacket& reply, const Stamp& stamp) {
    std::array<std::uint8_t, kLongestReply> bytes;
    const std::size_t size = build_ip_udp(reply, bytes);
    if (size == 0) return;
    PcapngPacket packet;
    packet.stamp = stamp;
    packet.outgoing = true;
    packet.length = static_cast<std::uint32_t>(size);
    packet.bytes = {bytes.data(), size};
    append(encode_pcapng_packet(packet, block_));
}

bool ReplyFile::close() {
    if (!file_) return true;
    failed_ = std::fclose(file_.release()) != 0 || failed_;
    return !failed_;
}

}  // namespace gnomon
