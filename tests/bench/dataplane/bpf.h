#pragma once

/// Just enough of the kernel's BPF for a load generator: maps, programs that are written instruction by
/// instruction (so that no compiler for BPF is needed), and XDP programs run on frames out of nowhere.
/// Everything needs root. Failures are reported by the calls' results and errno.

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataplane/socket/udp_socket.h"

namespace gnomon::bench {

/// Assembles one program. Registers are 0..10 as in the instruction set; offsets are bytes.
class BpfAssembler {
public:
    void move(int destination, int source);
    void move_immediate(int destination, std::int32_t value);
    void add_immediate(int destination, std::int32_t value);
    void add(int destination, int source);
    void and_immediate(int destination, std::int32_t value);
    void shift_right(int destination, std::int32_t bits);
    void xor_immediate(int destination, std::int32_t value);
    void subtract(int destination, int source);
    /// destination = the low `bits` of destination in network order.
    void to_big_endian(int destination, int bits);
    /// `size` is BPF_B, BPF_H, BPF_W or BPF_DW.
    void load(int size, int destination, int base, std::int16_t offset);
    void store(int size, int base, std::int16_t offset, int source);
    /// *(u64*)(base + offset) += source, atomically.
    void atomic_add(int base, std::int16_t offset, int source);
    void load_map(int destination, int map_fd);
    void call(std::int32_t helper);
    void exit_with(std::int32_t value);
    /// Jumps forward to a label placed later. `operation` is BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, ….
    void jump_if(int operation, int destination, std::int32_t value, const std::string& label);
    void jump_if_register(int operation, int destination, int source, const std::string& label);
    void place(const std::string& label);

    /// Resolves the labels. To be called once, at the end.
    std::span<const bpf_insn> finish();

private:
    void emit(std::uint8_t code, int destination, int source, std::int16_t offset,
              std::int32_t immediate);

    std::vector<bpf_insn> instructions_;
    std::map<std::string, std::vector<std::size_t>> jumps_;
    std::map<std::string, std::size_t> labels_;
};

/// An array of 8-byte values that the kernel and this process share. Negative descriptor: failed.
class SharedArray {
public:
    /// `value_size` a multiple of 8.
    SharedArray(std::size_t entries, std::size_t value_size);
    ~SharedArray();
    SharedArray(const SharedArray&) = delete;
    SharedArray& operator=(const SharedArray&) = delete;

    bool ok() const { return memory_ != nullptr; }
    int fd() const { return fd_.get(); }
    /// The i-th 8 bytes of the whole array; other processors change them.
    volatile std::uint64_t& word(std::size_t i) const { return memory_[i]; }

private:
    FileDescriptor fd_;
    std::size_t bytes_;
    volatile std::uint64_t* memory_ = nullptr;
};

/// Loads; on failure the verifier's words go to standard error and the descriptor is empty.
FileDescriptor load_program(bpf_prog_type type, std::span<const bpf_insn> instructions);

/// Runs an XDP program on copies of `frame` that seem to come in on the interface, until a signal
/// interrupts it. What the program sends (XDP_TX) leaves through that interface. False: not supported
/// (kernels before 5.18) or refused, errno tells.
bool run_live_frames(int program, std::span<const std::uint8_t> frame, int interface_index,
                     std::uint32_t batch);

}  // namespace gnomon::bench
