#pragma once

/// Files that gnomon-lab reads and writes.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/wire/ip.h"
#include "mgmt/lab/replay.h"
#include "servo/units/result.h"

namespace gnomon {

/// Access rules, rate limit and keys of a configuration file. The error says what is wrong; rules
/// for host names are not looked up and count as one.
Result<ReplaySetup, std::string> setup_from_config(const std::string& path);
/// Everybody is served.
ReplaySetup open_setup();

/// A pcapng file of the replies.
class ReplyFile {
public:
    static SysResult<ReplyFile> create(const std::string& path);
    void write(const UdpPacket& reply, const Stamp& stamp);
    /// False when something could not be written.
    bool close();

private:
    struct CloseFile {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    void append(std::size_t size);

    std::unique_ptr<std::FILE, CloseFile> file_;
    std::vector<std::uint8_t> block_;
    bool failed_ = false;
};

}  // namespace gnomon
