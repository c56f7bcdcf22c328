#include "dataplane/socket/interface_filter.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

namespace gnomon {

namespace {

constexpr std::uint32_t kWholePacket = 0xffff'ffff;

SysResult<void> attach(int fd, std::vector<sock_filter>& code) {
    sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
        return Unexpected(SysError::last("SO_ATTACH_FILTER"));
    }
    return {};
}

}  // namespace

SysResult<void> ignore_interfaces(int fd, std::span<const int> interface_indices) {
    const std::size_t count = interface_indices.size();
    if (count > kMaxIgnoredInterfaces) return Unexpected(SysError{"SO_ATTACH_FILTER", EINVAL});
    if (count == 0) {
        int unused = 0;
        if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) != 0 &&
            errno != ENOENT) {
            return Unexpected(SysError::last("SO_DETACH_FILTER"));
        }
        return {};
    }
    // The interface; one comparison each, which jumps to the end when it is equal; take; drop.
    std::vector<sock_filter> code;
    code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                            static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_IFINDEX)));
    for (std::size_t i = 0; i < count; ++i) {
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                static_cast<std::uint32_t>(interface_indices[i]),
                                static_cast<std::uint8_t>(count - i), 0));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, kWholePacket));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
    return attach(fd, code);
}

SysResult<void> ignore_everything(int fd) {
    std::vector<sock_filter> code{BPF_STMT(BPF_RET | BPF_K, 0)};
    return attach(fd, code);
}

}  // namespace gnomon
